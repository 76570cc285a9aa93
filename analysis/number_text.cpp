#include "analysis/number_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

namespace hyscale::analysis {
namespace {

// Terminal cells, not bytes: continuation bytes of UTF-8 take no room.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string short_count(double value) {
  if (std::isnan(value)) return "–";
  if (std::isinf(value)) return "∞";
  constexpr std::array<std::pair<double, const char*>, 4> kUnits = {{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "K"}}};
  for (const auto& [unit, letter] : kUnits)
    if (value >= 0.9995 * unit) return fmt::format("{:.3g}{}", value / unit, letter);
  return fmt::format("{:.3g}", value);
}

std::string short_flops(double value) {
  if (std::isnan(value)) return "–";
  if (value == 0) return "0";
  double power = std::floor(std::log10(value) + 1e-12);
  double mantissa = std::round(value / std::pow(10, power) * 100) / 100;
  if (mantissa >= 10) mantissa /= 10, ++power;
  return fmt::format("{:.3g}e{:.0f}", mantissa, power);
}

std::string fixed(double value, int digits) {
  return std::isnan(value) ? "–" : std::isinf(value) ? "∞" : fmt::format("{:.{}f}", value, digits);
}

std::string number_text(double value, Quantity quantity) {
  switch (quantity) {
    case Quantity::count:
      return short_count(value);
    case Quantity::loss:
      return fixed(value, 4);
    case Quantity::exponent:
      return fixed(value, 2);
    case Quantity::general:
      break;
  }
  return std::isnan(value) ? "–" : fmt::format("{:.4g}", value);
}

std::string interval_text(const Interval& interval, Quantity quantity) {
  if (!interval.known()) return "not available";
  const bool open_below = std::isinf(interval.low) || (quantity == Quantity::count && interval.low == 0);
  const bool open_above = std::isinf(interval.high);
  if (open_below && open_above) return "open on both sides";
  if (open_above) return "above " + number_text(interval.low, quantity);
  if (open_below) return "below " + number_text(interval.high, quantity);
  return number_text(interval.low, quantity) + " to " + number_text(interval.high, quantity);
}

std::string text_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows[r].size(); ++i) {
      line += (i == 0 ? "" : "  ") + rows[r][i];
      if (i + 1 < rows[r].size()) line.append(widths[i] - width_of(rows[r][i]), ' ');
    }
    text += line + "\n";
    if (r > 0) continue;
    size_t rule = widths.empty() ? 0 : 2 * (widths.size() - 1);
    for (const size_t w : widths) rule += w;
    text += std::string(rule, '-') + "\n";
  }
  return text;
}

}  // namespace hyscale::analysis
