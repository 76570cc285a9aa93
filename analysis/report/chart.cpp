#include "analysis/report/chart.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "analysis/report/html.h"
#include "analysis/report/ticks.h"

namespace hyscale::analysis {
namespace {

constexpr double kLeft = 62, kRight = 14, kTop = 30, kBottom = 48;

// From data to user units.
struct Frame {
  const Chart& chart;
  static double fraction(const Axis& axis, double value) {
    if (!axis.logarithmic) return (value - axis.low) / (axis.high - axis.low);
    return std::log(value / axis.low) / std::log(axis.high / axis.low);
  }
  double left() const { return kLeft; }
  double right() const { return chart.width - kRight; }
  double top() const { return kTop; }
  double bottom() const { return chart.height - kBottom; }
  double x(double value) const { return left() + fraction(chart.x, value) * (right() - left()); }
  double y(double value) const { return bottom() - fraction(chart.y, value) * (bottom() - top()); }
  bool holds(double px, double py) const {
    return px >= left() - 0.5 && px <= right() + 0.5 && py >= top() - 0.5 && py <= bottom() + 0.5;
  }
};

std::string marker_shape(int marker, double x, double y, double r) {
  switch (marker % 4) {
    case 1:
      return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"", x - r * 0.9, y - r * 0.9,
                         1.8 * r, 1.8 * r);
    case 2:
      return fmt::format("<path d=\"M{:.1f} {:.1f}l{:.1f} {:.1f}h{:.1f}z\"", x, y - 1.2 * r, 1.15 * r, 2 * r, -2.3 * r);
    case 3:
      return fmt::format("<path d=\"M{:.1f} {:.1f}l{:.1f} {:.1f}l{:.1f} {:.1f}l{:.1f} {:.1f}z\"", x, y - 1.3 * r,
                         1.3 * r, 1.3 * r, -1.3 * r, 1.3 * r, -1.3 * r, -1.3 * r);
    default:
      return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"", x, y, r);
  }
}

std::vector<double> ticks_of(const Axis& axis) {
  constexpr int kWanted = 6;
  if (!axis.ticks.empty()) return axis.ticks;
  return axis.logarithmic ? log_ticks(axis.low, axis.high, kWanted) : linear_ticks(axis.low, axis.high, kWanted);
}

std::string x_axis(const Frame& frame) {
  const Axis& axis = frame.chart.x;
  std::string svg;
  for (const double tick : ticks_of(axis)) {
    const double x = frame.x(tick);
    svg += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>", x, frame.top(), frame.bottom());
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", x, frame.bottom() + 17,
                       escape(axis.text(tick)));
  }
  return svg + fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                           (frame.left() + frame.right()) / 2, frame.chart.height - 10, escape(axis.label));
}

std::string y_axis(const Frame& frame) {
  const Axis& axis = frame.chart.y;
  std::string svg;
  for (const double tick : ticks_of(axis)) {
    const double y = frame.y(tick);
    svg += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", frame.left(), y, frame.right());
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", frame.left() - 7, y + 4,
                       escape(axis.text(tick)));
  }
  return svg +
         fmt::format(
             "<text class=\"label\" transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
             (frame.top() + frame.bottom()) / 2, escape(axis.label));
}

// Pieces of the polyline that lie inside the frame.
std::string polyline(const Frame& frame, const Series& series) {
  std::string path;
  bool drawing = false;
  for (const auto& [x, y] : series.points) {
    const double px = frame.x(x), py = frame.y(y);
    const bool inside = std::isfinite(px) && std::isfinite(py) && frame.holds(px, py);
    if (inside) path += fmt::format("{}{:.1f} {:.1f}", drawing ? "L" : "M", px, py);
    drawing = inside;
  }
  if (path.empty()) return "";
  return fmt::format("<path class=\"{}\" style=\"stroke:{}\" d=\"{}\"/>\n", series.dashed ? "line dashed" : "line",
                     series.color, path);
}

std::string markers(const Frame& frame, const Series& series) {
  std::string svg;
  for (size_t i = 0; i < series.points.size(); ++i) {
    const double x = frame.x(series.points[i].first), y = frame.y(series.points[i].second);
    if (!std::isfinite(x) || !std::isfinite(y) || !frame.holds(x, y)) continue;
    const std::string hint = i < series.hints.size() ? "<title>" + escape(series.hints[i]) + "</title>" : "";
    if (series.emphasis)
      svg += fmt::format("<circle class=\"ring\" style=\"stroke:{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6.5\">{}</circle>",
                         series.color, x, y, hint);
    else
      svg +=
          fmt::format("<g style=\"fill:{}\">{}>{}</{}></g>", series.color, marker_shape(series.marker, x, y, 3.6), hint,
                      series.marker % 4 == 0   ? "circle"
                      : series.marker % 4 == 1 ? "rect"
                                               : "path");
  }
  return svg + "\n";
}

// A cap where the interval ends, an arrow head where it leaves the frame.
std::string bar_end(double along, double across, bool horizontal, bool leaves, int sign) {
  const double back = leaves ? along - 6 * sign : along;
  const double size = leaves ? 4 : 4.5;
  if (horizontal && leaves)
    return fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}", back, across - size, along, across, back,
                       across + size);
  if (horizontal) return fmt::format("M{:.1f} {:.1f}V{:.1f}", along, across - size, across + size);
  if (leaves)
    return fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}", across - size, back, across, along, across + size,
                       back);
  return fmt::format("M{:.1f} {:.1f}H{:.1f}", across - size, along, across + size);
}

std::string error_bar(const Frame& frame, const ErrorBar& bar) {
  const Axis& axis = bar.horizontal ? frame.chart.x : frame.chart.y;
  const bool low_leaves = !(bar.low > axis.low), high_leaves = !(bar.high < axis.high);
  const double low = low_leaves ? axis.low : bar.low, high = high_leaves ? axis.high : bar.high;
  if (!frame.holds(frame.x(bar.x), frame.y(bar.y)) || low > high) return "";
  std::string path;
  if (bar.horizontal) {
    const double y = frame.y(bar.y), from = frame.x(low), to = frame.x(high);
    path = fmt::format("M{:.1f} {:.1f}H{:.1f}", from, y, to) + bar_end(from, y, true, low_leaves, -1) +
           bar_end(to, y, true, high_leaves, 1);
  } else {
    const double x = frame.x(bar.x), from = frame.y(low), to = frame.y(high);
    path = fmt::format("M{:.1f} {:.1f}V{:.1f}", x, from, to) + bar_end(from, x, false, low_leaves, 1) +
           bar_end(to, x, false, high_leaves, -1);
  }
  return fmt::format("<path class=\"bar\" style=\"stroke:{}\" d=\"{}\"/>\n", bar.color, path);
}

}  // namespace

std::string svg_of(const Chart& chart) {
  const Frame frame{chart};
  std::string svg = fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", chart.width,
                                chart.height, escape(chart.description.empty() ? chart.title : chart.description));
  svg += fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"18\">{}</text>\n", kLeft, escape(chart.title));
  svg += x_axis(frame) + y_axis(frame);
  svg += fmt::format("<rect class=\"frame\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
                     frame.left(), frame.top(), frame.right() - frame.left(), frame.bottom() - frame.top());
  for (const Series& series : chart.series)
    if (series.line) svg += polyline(frame, series);
  for (const ErrorBar& bar : chart.bars) svg += error_bar(frame, bar);
  for (const Series& series : chart.series)
    if (series.marker >= 0 || series.emphasis) svg += markers(frame, series);
  return svg + "</svg>\n";
}

std::string legend_swatch(const std::string& color, int marker, bool line) {
  const std::string stroke = line ? fmt::format("<path class=\"line\" style=\"stroke:{}\" d=\"M1 7H21\"/>", color) : "";
  const std::string shape =
      marker >= 0 ? fmt::format("<g style=\"fill:{}\">{}/></g>", color, marker_shape(marker, 11, 7, 4)) : "";
  return "<svg class=\"swatch\" viewBox=\"0 0 22 14\" aria-hidden=\"true\">" + stroke + shape + "</svg>";
}

}  // namespace hyscale::analysis
