#include "analysis/report/figures.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <map>

#include "analysis/number_text.h"
#include "analysis/report/chart.h"
#include "analysis/report/html.h"
#include "analysis/report/palette.h"

namespace hyscale::analysis {
namespace {

struct Legend {
  std::string html = {};
  void add(const std::string& color, int marker, bool line, const std::string& text) {
    html += fmt::format("<span>{}{}</span>\n", legend_swatch(color, marker, line), escape(text));
  }
};

std::string figure(const std::string& id, const Legend& legend, const std::string& panels, const std::string& caption) {
  return fmt::format(
      "<figure id=\"{}\"><div class=\"legend\">{}</div><div class=\"panels\">\n{}</div><figcaption>{}</figcaption>"
      "</figure>\n",
      id, legend.html, panels, escape(caption));
}

Axis count_axis(const std::string& label, const Extent& extent) {
  return {.label = label, .low = extent.low, .high = extent.high, .logarithmic = true, .text = short_count};
}

// "non_embedding" as prose.
std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

Axis loss_axis(const std::string& label, const Extent& extent) {
  const int digits = extent.high - extent.low < 0.05 ? 3 : extent.high - extent.low < 5 ? 2 : 1;
  return {.label = label, .low = extent.low, .high = extent.high, .text = [digits](double value) {
            return fixed(value, digits);
          }};
}

// Ticks at the budgets themselves, unless there are too many to label.
Axis budget_axis(const Extent& extent, const std::vector<double>& budgets) {
  constexpr size_t kMostTicks = 6;
  return {.label = "training FLOPs",
          .low = extent.low,
          .high = extent.high,
          .logarithmic = true,
          .text = short_flops,
          .ticks = budgets.size() <= kMostTicks ? budgets : std::vector<double>{}};
}

Series parabola_line(const IsoFlopCurve& curve, const std::string& color) {
  Series series{.color = color, .line = true};
  const double low = std::log(std::min(curve.points.front().n, curve.interior ? curve.n : 1e300)) - 0.15;
  const double high = std::log(std::max(curve.points.back().n, curve.interior ? curve.n : 0)) + 0.15;
  constexpr int kSteps = 80;
  for (int i = 0; i <= kSteps; ++i) {
    const double n = std::exp(std::lerp(low, high, static_cast<double>(i) / kSteps));
    series.points.emplace_back(n, curve.parabola.at(n));
  }
  return series;
}

void draw_curve(Chart& chart, const IsoFlopCurve& curve, const std::string& color, int marker) {
  if (curve.fitted) chart.series.push_back(parabola_line(curve, color));
  Series marks{.color = color, .marker = marker};
  for (const Point& point : curve.points) {
    marks.points.emplace_back(point.n, point.loss);
    marks.hints.push_back(fmt::format("{}: N {}, D {}, loss {}", point.run, short_count(point.n), short_count(point.d),
                                      fixed(point.loss, 4)));
  }
  chart.series.push_back(std::move(marks));
  if (!curve.interior) return;
  chart.series.push_back(
      {.points = {{curve.n, curve.loss}},
       .color = color,
       .emphasis = true,
       .hints = {fmt::format("optimum: N* {} ({}), loss {}", short_count(curve.n),
                             interval_text(curve.n_interval, Quantity::count), fixed(curve.loss, 4))}});
  if (curve.n_interval.known())
    chart.bars.push_back({curve.n, curve.loss, curve.n_interval.low, curve.n_interval.high, true, color});
}

// Distinct model sizes of one family, ascending.
std::vector<double> sizes_of(const Dataset& data) {
  std::vector<double> sizes;
  std::map<std::string, double> by_label;
  for (const TrainingCurve& curve : data.curves) {
    double& smallest = by_label.try_emplace(curve.size, curve.n).first->second;
    smallest = std::min(smallest, curve.n);
  }
  for (const auto& [label, n] : by_label) sizes.push_back(n);
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

}  // namespace

std::string isoflop_figure(const Analysis& analysis) {
  Extent n, loss;
  for (const Point& point : analysis.data.set.points)
    if (point.budget > 0) n.include(point.n), loss.include(point.loss);
  for (const FamilyIsoFlop& family : analysis.isoflop)
    for (const IsoFlopCurve& curve : family.curves)
      if (curve.interior) loss.include(curve.loss);
  if (n.empty()) return "";
  const std::vector<double> budgets = analysis.data.set.budgets();
  Legend legend;
  for (size_t i = 0; i < budgets.size(); ++i)
    legend.add(ordered_color(i, budgets.size()), static_cast<int>(i), true, short_flops(budgets[i]) + " FLOPs");
  std::string panels;
  for (const FamilyIsoFlop& family : analysis.isoflop) {
    Chart chart{.title = family.family,
                .description = "loss against model size for " + family.family,
                .x = count_axis(fmt::format("parameters N ({})", spaced(analysis.data.set.n_name)), n.padded_log(0.06)),
                .y = loss_axis("validation loss (nats per token)", loss.padded_linear(0.06))};
    for (const IsoFlopCurve& curve : family.curves) {
      const auto index = static_cast<size_t>(std::find(budgets.begin(), budgets.end(), curve.budget) - budgets.begin());
      draw_curve(chart, curve, ordered_color(index, budgets.size()), static_cast<int>(index));
    }
    panels += svg_of(chart);
  }
  return figure(
      "isoflop", legend, panels,
      fmt::format("Each colour is one compute budget: small models see many tokens, large ones few. Read the ring: "
                  "the size at which the budget is best spent, with its {:.0f}% interval as a bar; an arrow says "
                  "that the data do not close that side. A curve without a ring has its minimum outside the "
                  "sizes trained. All panels share their axes, so that heights compare.",
                  100 * analysis.options.bootstrap.confidence));
}

namespace {

// N* (or loss*) against the budget for every family; `value` is missing where there is nothing to draw.
Chart against_budget(const Analysis& analysis, const std::string& title, const Extent& budgets, Axis y,
                     const std::function<double(const IsoFlopCurve&)>& value,
                     const std::function<Interval(const IsoFlopCurve&)>& interval, bool with_law) {
  Chart chart{.title = title, .x = budget_axis(budgets, analysis.data.set.budgets()), .y = std::move(y)};
  const size_t count = analysis.isoflop.size();
  for (size_t i = 0; i < count; ++i) {
    const FamilyIsoFlop& family = analysis.isoflop[i];
    // families stand side by side instead of on top of one another
    const double shift =
        std::pow(budgets.high / budgets.low, 0.016 * (static_cast<double>(i) - (static_cast<double>(count) - 1) / 2));
    Series marks{.color = family_color(i), .line = !with_law, .marker = static_cast<int>(i)};
    for (const IsoFlopCurve& curve : family.curves) {
      if (!curve.interior) continue;
      marks.points.emplace_back(curve.budget * shift, value(curve));
      marks.hints.push_back(fmt::format("{} at {}: {}", family.family, short_flops(curve.budget),
                                        with_law ? short_count(curve.n) : fixed(curve.loss, 4)));
      const Interval range = interval(curve);
      if (range.known())
        chart.bars.push_back({curve.budget * shift, value(curve), range.low, range.high, false, family_color(i)});
    }
    if (with_law && family.size_law.known)
      chart.series.push_back(
          {.points = {{marks.points.front().first, family.size_law.at(marks.points.front().first / shift)},
                      {marks.points.back().first, family.size_law.at(marks.points.back().first / shift)}},
           .color = family_color(i),
           .line = true});
    chart.series.push_back(std::move(marks));
  }
  return chart;
}

}  // namespace

std::string optimum_figure(const Analysis& analysis) {
  Extent budget, n, loss;
  for (const FamilyIsoFlop& family : analysis.isoflop)
    for (const IsoFlopCurve& curve : family.curves) {
      if (!curve.interior) continue;
      budget.include(curve.budget), n.include(curve.n), loss.include(curve.loss);
      if (curve.n_interval.low > curve.n / 4) n.include(curve.n_interval.low);
      if (curve.n_interval.high < curve.n * 4) n.include(curve.n_interval.high);
      loss.include(curve.loss_interval.low), loss.include(curve.loss_interval.high);
    }
  if (budget.empty()) return "";
  Legend legend;
  for (size_t i = 0; i < analysis.isoflop.size(); ++i)
    legend.add(family_color(i), static_cast<int>(i), true, analysis.isoflop[i].family);
  const Extent wide = budget.padded_log(0.1);
  const Chart sizes = against_budget(
      analysis, "Compute-optimal size", wide, count_axis("parameters N*", n.padded_log(0.08)),
      [](const IsoFlopCurve& c) { return c.n; }, [](const IsoFlopCurve& c) { return c.n_interval; }, true);
  const Chart losses = against_budget(
      analysis, "Loss at the optimum", wide, loss_axis("validation loss (nats per token)", loss.padded_linear(0.08)),
      [](const IsoFlopCurve& c) { return c.loss; }, [](const IsoFlopCurve& c) { return c.loss_interval; }, false);
  return figure(
      "optimum", legend, svg_of(sizes) + svg_of(losses),
      "Left: how large a model each budget wants; the slope of a line is the exponent of N*(C). Right: the loss "
      "reached there. Where bars of two families overlap, these runs do not tell the families apart. Families are "
      "moved sideways a little so that bars do not cover one another; only minima inside the sizes trained are "
      "shown.");
}

// The part of the training figure that tells sizes apart: below the unigram entropy, which every model reaches within
// its first steps; everything where that entropy is unknown or never reached.
struct TrainingWindow {
  Extent tokens = {}, loss = {};
};
static TrainingWindow training_window(const Dataset& data) {
  TrainingWindow all, learnt;
  for (const TrainingCurve& curve : data.curves)
    for (const auto& [x, y] : curve.loss_at) {
      all.tokens.include(x), all.loss.include(y);
      if (y <= data.unigram_entropy) learnt.tokens.include(x), learnt.loss.include(y);
    }
  return learnt.tokens.low < learnt.tokens.high ? learnt : all;
}

std::string training_figure(const Dataset& data) {
  const TrainingWindow window = training_window(data);
  std::map<std::string, std::vector<const TrainingCurve*>> families;
  for (const TrainingCurve& curve : data.curves) families[curve.family].push_back(&curve);
  if (window.tokens.empty()) return "";
  const std::vector<double> sizes = sizes_of(data);
  // families differ a little in N at one nominal size: the nearest nominal size gives the colour
  const auto rank_of = [&](double n) {
    const auto nearer = [&](double x, double y) { return std::abs(std::log(x / n)) < std::abs(std::log(y / n)); };
    return static_cast<size_t>(std::min_element(sizes.begin(), sizes.end(), nearer) - sizes.begin());
  };
  Legend legend;
  for (size_t i = 0; i < sizes.size(); ++i)
    legend.add(ordered_color(i, sizes.size()), -1, true, "N about " + short_count(sizes[i]));
  std::string panels;
  for (const std::string& family : data.set.families()) {
    if (!families.contains(family)) continue;
    Chart chart{.title = family,
                .description = "training loss against tokens for " + family,
                .x = count_axis("tokens trained on", window.tokens),
                .y = loss_axis("training loss (nats per token)", window.loss.padded_linear(0.04))};
    for (const TrainingCurve* curve : families.at(family))
      chart.series.push_back(
          {.points = curve->loss_at, .color = ordered_color(rank_of(curve->n), sizes.size()), .line = true});
    panels += svg_of(chart);
  }
  std::string caption =
      "Training loss of the longest run of every size, averaged over bins of equal width in log(tokens). Smooth curves "
      "are what to look for; a bump, or a shelf on which a curve rests before it falls on, is a reason to doubt that "
      "run. "
      "A drop at the end is the cool-down of the learning rate.";
  if (std::isfinite(data.unigram_entropy))
    caption += fmt::format(
        " Guessing by token frequency alone would score {:.2f}; the steep way down to there is left "
        "out.",
        data.unigram_entropy);
  return figure("training", legend, panels, caption);
}

}  // namespace hyscale::analysis
