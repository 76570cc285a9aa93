#include "core/kernels/ssd.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/kernels/documents.h"
#include "core/kernels/ssm_chunks.h"
#include "core/kernels/vector_math.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

void check(const SsdShape& s, const SsdInputs& in, const Tensor& y) {
  if (s.groups < 1 || s.heads < 1 || s.heads % s.groups != 0 || s.chunk < 1 || s.head_dim < 1 || s.d_state < 1)
    throw ShapeError(fmt::format(
        "SSD: heads {}, groups {}, head_dim {}, d_state {}, chunk {}: all at least 1 and groups must divide heads",
        s.heads, s.groups, s.head_dim, s.d_state, s.chunk));
  expect_shape("SSD x", in.x, {s.tokens(), s.heads * s.head_dim});
  expect_shape("SSD b", in.b, {s.tokens(), s.groups * s.d_state});
  expect_shape("SSD c", in.c, {s.tokens(), s.groups * s.d_state});
  expect_shape("SSD dt_raw", in.dt_raw, {s.tokens(), s.heads});
  expect_shape("SSD y", y, {s.tokens(), s.heads * s.head_dim});
  for (const Tensor* one : {&in.dt_bias, &in.a_log, &in.d}) expect_shape("SSD parameter", *one, {s.heads});
  for (const Tensor* one : {&in.x, &in.b, &in.c, &y})
    if (one->stride(1) != 1) throw ShapeError("SSD: entries of a row must be contiguous");
  check_documents(in.document_begins, s.sequences, s.length);
  if (in.initial_state.data() != nullptr)
    expect_shape("SSD initial_state", in.initial_state, {s.sequences, s.heads, s.d_state, s.head_dim});
}

template <class T>
void run_recurrence(const SsdShape& s, const SsdInputs& in, const View<T, 2>& y, T* final_state) {
  const auto x = in.x.view<const T, 2>(), b = in.b.view<const T, 2>(), c = in.c.view<const T, 2>(),
             dt_raw = in.dt_raw.view<const T, 2>();
  const T *dt_bias = in.dt_bias.as<const T>(), *a_log = in.a_log.as<const T>(), *d = in.d.as<const T>();
  const T* initial = in.initial_state.data() != nullptr ? in.initial_state.as<const T>() : nullptr;
  const int64_t size = s.d_state * s.head_dim, heads_of_group = s.heads / s.groups;
  parallel_for(s.sequences * s.heads, 1, [&](int64_t task, int64_t) {
    const int64_t sequence = task / s.heads, h = task % s.heads, g = h / heads_of_group;
    std::vector<T> state(static_cast<size_t>(size), T(0));
    if (initial != nullptr) std::copy_n(initial + task * size, size, state.begin());
    const DocumentBegins documents(in.document_begins, sequence);
    for (int64_t t = 0; t < s.length; ++t) {
      const int64_t row = sequence * s.length + t;
      const T raw = dt_raw(row, h) + dt_bias[h];
      const T dt = raw > 20 ? raw : std::log1p(std::exp(raw));
      const T decay = documents.starts(t) ? T(0) : std::exp(-dt * std::exp(a_log[h]));
      const T *in_row = &x(row, h * s.head_dim), *b_row = &b(row, g * s.d_state), *c_row = &c(row, g * s.d_state);
      T* out = &y(row, h * s.head_dim);
      for (int64_t p = 0; p < s.head_dim; ++p) out[p] = d[h] * in_row[p];
      for (int64_t n = 0; n < s.d_state; ++n) {
        T* const of_n = state.data() + n * s.head_dim;
        for (int64_t p = 0; p < s.head_dim; ++p) {
          of_n[p] = decay * of_n[p] + dt * b_row[n] * in_row[p];
          out[p] += c_row[n] * of_n[p];
        }
      }
    }
    if (final_state != nullptr) std::copy(state.begin(), state.end(), final_state + task * size);
  });
}

}  // namespace

SsdSaved ssd_forward(const SsdShape& shape, const SsdInputs& in, const Tensor& y, const Tensor& final_state,
                     const Exec& exec) {
  check(shape, in, y);
  if (exec.device == Device::cuda) return cuda::ssd_forward(shape, in, y, final_state, exec);
  SsdSaved saved;
  with_real(in.x.dtype(), [&](auto real) {
    using T = decltype(real);
    const DType dtype = in.x.dtype();
    const int64_t padded = round_up(shape.head_dim, kLanes<T>);
    saved.dt = exec.arena->tensor(dtype, {shape.sequences, shape.heads, shape.length});
    saved.states = exec.arena->tensor(dtype, {shape.sequences, shape.heads, shape.chunks(), shape.d_state, padded});
    scan_forward<T>(shape, in, saved, y, final_state);
  });
  return saved;
}

void ssd_backward(const SsdShape& shape, const SsdInputs& in, const SsdSaved& saved, const Tensor& dy,
                  const SsdGradients& gradients, const Exec& exec) {
  check(shape, in, dy);
  expect_shape("SSD dx", gradients.x, in.x.shape());
  expect_shape("SSD db", gradients.b, in.b.shape());
  expect_shape("SSD dc", gradients.c, in.c.shape());
  const int64_t spare = gradients.dt_raw.extent(1) - shape.heads;  // a narrower one is refused below
  expect_shape("SSD ddt_raw", gradients.dt_raw, {shape.tokens(), shape.heads + std::max<int64_t>(spare, 0)});
  if (exec.device == Device::cuda) return cuda::ssd_backward(shape, in, saved, dy, gradients, exec);
  with_real(in.x.dtype(), [&](auto real) {
    using T = decltype(real);
    scan_backward<T>(shape, in, saved, dy, gradients, *exec.arena);
    const auto behind = gradients.dt_raw.slice(1, shape.heads, spare).view<T, 2>();
    for (int64_t t = 0; spare > 0 && t < shape.tokens(); ++t)
      for (int64_t i = 0; i < spare; ++i) behind(t, i) = 0;
  });
}

void ssd_recurrence(const SsdShape& shape, const SsdInputs& in, const Tensor& y, const Tensor& final_state) {
  check(shape, in, y);
  with_real(in.x.dtype(), [&](auto real) {
    using T = decltype(real);
    run_recurrence<T>(shape, in, y.view<T, 2>(), final_state.data() != nullptr ? final_state.as<T>() : nullptr);
  });
}

}  // namespace hyscale::kernels
