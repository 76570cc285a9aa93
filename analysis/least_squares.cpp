#include "analysis/least_squares.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace hyscale::analysis {
namespace {

double determinant(const std::array<std::array<double, 3>, 3>& m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

Quadratic weighted(const std::vector<double>& x, const std::vector<double>& y, const std::vector<double>& weight) {
  std::array<double, 5> moment{};
  std::array<double, 3> right{};
  for (size_t i = 0; i < x.size(); ++i) {
    double power = weight[i];
    for (size_t k = 0; k < 5; ++k, power *= x[i]) {
      moment[k] += power;
      if (k < 3) right[k] += power * y[i];
    }
  }
  std::array<std::array<double, 3>, 3> matrix{};
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) matrix[i][j] = moment[i + j];
  const double whole = determinant(matrix);
  std::array<double, 3> solution{};
  for (size_t k = 0; k < 3; ++k) {
    auto replaced = matrix;
    for (size_t i = 0; i < 3; ++i) replaced[i][k] = right[i];
    solution[k] = determinant(replaced) / whole;
  }
  return {solution[0], solution[1], solution[2]};
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Line fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  const auto count = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) mean_x += x[i] / count, mean_y += y[i] / count;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return {mean_y - xy / xx * mean_x, xy / xx};
}

Quadratic fit_quadratic(const std::vector<double>& x, const std::vector<double>& y) {
  constexpr size_t kFewestForWeights = 5;
  constexpr int kRounds = 50;
  constexpr double kThreshold = 1.345, kMadToDeviation = 1.4826;
  std::vector<double> weight(x.size(), 1.0);
  Quadratic fit = weighted(x, y, weight);
  if (x.size() < kFewestForWeights) return fit;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> residual(x.size());
    for (size_t i = 0; i < x.size(); ++i) residual[i] = std::abs(y[i] - (fit.c0 + x[i] * (fit.c1 + x[i] * fit.c2)));
    const double limit = kThreshold * kMadToDeviation * median(residual);
    if (limit < 1e-12) return fit;  // the points lie on the parabola
    for (size_t i = 0; i < x.size(); ++i) weight[i] = residual[i] <= limit ? 1 : limit / residual[i];
    const Quadratic next = weighted(x, y, weight);
    const double change = std::abs(next.c0 - fit.c0) + std::abs(next.c1 - fit.c1) + std::abs(next.c2 - fit.c2);
    fit = next;
    if (change < 1e-12) break;
  }
  return fit;
}

}  // namespace hyscale::analysis
