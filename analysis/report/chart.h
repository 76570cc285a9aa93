#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hyscale::analysis {

/// One axis. `low` < `high`; a logarithmic axis needs low > 0.
struct Axis {
  std::string label = {};
  double low = 0, high = 1;
  bool logarithmic = false;
  std::function<std::string(double)> text = {};  // of a tick
  std::vector<double> ticks = {};                // where to put them; round numbers when empty
};

/// Points joined by a line, marked, or both. `color` is a CSS colour, `marker` picks the shape.
struct Series {
  std::vector<std::pair<double, double>> points = {};
  std::string color = {};
  bool line = false;
  bool dashed = false;
  int marker = -1;                      // -1: none; 0 circle, 1 square, 2 triangle, 3 diamond, again from 0
  bool emphasis = false;                // a large ring around each point: an optimum
  std::vector<std::string> hints = {};  // shown on hover, one a point
};

/// An interval about a point, drawn along one axis; ends outside the axis become arrows.
struct ErrorBar {
  double x = 0, y = 0;
  double low = 0, high = 0;
  bool horizontal = true;
  std::string color = {};
};

struct Chart {
  std::string title = {};
  std::string description = {};  // for readers who hear the page
  Axis x = {}, y = {};
  std::vector<Series> series = {};
  std::vector<ErrorBar> bars = {};
  double width = 460, height = 330;  // user units; the page scales it to its column
};

/// One inline <svg> with frame, grid, ticks and labels. Every text is escaped.
std::string svg_of(const Chart& chart);

/// The marker alone, for a legend.
std::string legend_swatch(const std::string& color, int marker, bool line);

}  // namespace hyscale::analysis
