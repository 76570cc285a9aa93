#include "tests/support/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

#include "core/base/error.h"
#include "tests/support/threads.h"

namespace hyscale::tests {

// Calls fn(element) for every entry in row-major order.
template <class T, class F>
static void for_each_entry(const Tensor& tensor, F&& fn) {
  const int64_t n = tensor.numel();
  for (int64_t i = 0; i < n; ++i) {
    int64_t rest = i, offset = 0;
    for (int axis = tensor.rank() - 1; axis >= 0; --axis) {
      offset += rest % tensor.extent(axis) * tensor.stride(axis);
      rest /= tensor.extent(axis);
    }
    fn(static_cast<T*>(tensor.data())[offset]);
  }
}

template <class F>
static void with_element_type(DType dtype, F&& fn) {
  if (dtype == DType::i32)
    fn(int32_t{});
  else
    with_real(dtype, fn);
}

OwnedTensor random_tensor(DType dtype, const Shape& shape, uint64_t seed, double low, double high) {
  OwnedTensor result(dtype, shape);
  std::mt19937_64 generator(seed);
  with_real(dtype, [&]<class T>(T) {
    for_each_entry<T>(result, [&](T& entry) {
      entry = static_cast<T>(low + (high - low) * static_cast<double>(generator() >> 11) * 0x1p-53);
    });
  });
  return result;
}

OwnedTensor filled_tensor(DType dtype, const Shape& shape, double value) {
  OwnedTensor result(dtype, shape);
  with_real(dtype, [&]<class T>(T) { for_each_entry<T>(result, [&](T& entry) { entry = static_cast<T>(value); }); });
  return result;
}

std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(tensor.numel()));
  with_element_type(tensor.dtype(), [&]<class T>(T) {
    for_each_entry<T>(tensor, [&](T& entry) { values.push_back(static_cast<double>(entry)); });
  });
  return values;
}

void copy_values(const Tensor& from, const Tensor& to) {
  expect_shape("to", to, from.shape());
  const std::vector<double> values = values_of(from);
  size_t i = 0;
  with_element_type(to.dtype(),
                    [&]<class T>(T) { for_each_entry<T>(to, [&](T& entry) { entry = static_cast<T>(values[i++]); }); });
}

double dot(const Tensor& a, const Tensor& b) {
  expect_shape("b", b, a.shape());
  const std::vector<double> x = values_of(a), y = values_of(b);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

double relative_difference(const Tensor& a, const Tensor& b) {
  expect_shape("b", b, a.shape());
  const std::vector<double> x = values_of(a), y = values_of(b);
  double worst = 0, scale = 1e-30;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) || std::isnan(y[i])) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(x[i] - y[i]));
    scale = std::max(scale, std::abs(y[i]));
  }
  return worst / scale;
}

static double central_difference(double& entry, double step, const std::function<double()>& loss) {
  const double kept = entry;
  entry = kept + step;
  const double above = loss();
  entry = kept - step;
  const double below = loss();
  entry = kept;
  return (above - below) / (2 * step);
}

void expect_gradient_matches(const std::string& what, const Tensor& input, const Tensor& gradient,
                             const std::function<double()>& loss, const GradientCheckOptions& options) {
  expect_shape(what.c_str(), gradient, input.shape());
  if (input.dtype() != DType::f64) throw ShapeError(what + ": gradients are checked in f64");
  const ThreadCount one(1);  // thousands of tiny passes: threads waiting for each other would take most of the time
  std::vector<double*> entries;
  for_each_entry<double>(input, [&](double& entry) { entries.push_back(&entry); });
  const std::vector<double> analytic = values_of(gradient);
  const auto count = static_cast<int64_t>(entries.size());
  const int64_t stride = std::max<int64_t>(1, (count + options.most - 1) / options.most);

  double worst = -1, scale = 1e-3, worst_analytic = 0, worst_numeric = 0;
  int64_t worst_at = 0;
  for (int64_t i = 0; i < count; i += stride) {
    const auto at = static_cast<size_t>(i);
    const double numeric = central_difference(*entries[at], options.step, loss);
    const double difference = std::abs(numeric - analytic[at]);
    scale = std::max(scale, std::abs(numeric));
    if (!(difference <= worst))
      worst = difference, worst_at = i, worst_analytic = analytic[at], worst_numeric = numeric;
    if (std::isnan(difference)) break;
  }
  EXPECT_TRUE(worst <= options.tolerance * scale)
      << what << ": entry " << worst_at << " of " << input.describe() << ": backward gives " << worst_analytic
      << ", central differences give " << worst_numeric << " (largest entry " << scale << ")";
}

}  // namespace hyscale::tests
