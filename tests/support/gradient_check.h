#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace hyscale::tests {

/// A dense tensor of uniform draws in [low, high], the same for the same seed.
OwnedTensor random_tensor(DType dtype, const Shape& shape, uint64_t seed, double low = -1, double high = 1);

/// A dense f32 or f64 tensor filled with `value`.
OwnedTensor filled_tensor(DType dtype, const Shape& shape, double value);

/// Entries in row-major order as doubles, whatever the strides; f32, f64 or i32.
std::vector<double> values_of(const Tensor& tensor);

/// Writes `from` into `to` entry by entry, converting the dtype; shapes must agree.
void copy_values(const Tensor& from, const Tensor& to);

/// Σ a ⊙ b: with `b` random, a scalar that depends on every entry of `a`, whose gradient by `a` is `b`.
double dot(const Tensor& a, const Tensor& b);

/// max |a - b| / (max |b| + 1e-30) over all entries; NaN counts as infinite.
double relative_difference(const Tensor& a, const Tensor& b);

struct GradientCheckOptions {
  double step = 1e-5;       // of the central difference, in units of the input
  double tolerance = 1e-6;  // on |analytic - numeric|, relative to the largest numeric entry or 1e-3, whichever is more
  int64_t most = 400;       // entries tried; a larger input is sampled evenly
};

/// Moves each entry of `input` (f64) up and down, calls `loss`, and compares the central difference with the entry of
/// `gradient` (f64, same shape; computed by the caller's backward before this call and left alone by `loss`).
/// `loss` runs on one OpenMP thread. Adds a GoogleTest failure that names `what`, the worst entry and both values.
void expect_gradient_matches(const std::string& what, const Tensor& input, const Tensor& gradient,
                             const std::function<double()>& loss, const GradientCheckOptions& options = {});

}  // namespace hyscale::tests
