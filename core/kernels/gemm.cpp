#include "core/kernels/gemm.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/kernels/cpu_only.h"
#include "core/kernels/gemm_library.h"
#include "core/kernels/matrix_view.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

// Libraries refuse a leading stride shorter than a row, which a matrix of one row or column may well have.
static MatrixF32 library_matrix(View<const float, 2> v) {
  const int64_t rows = v.extent(0), cols = v.extent(1);
  if (v.stride(1) == 1 || cols == 1) return {v.data, rows == 1 || v.stride(0) < cols ? cols : v.stride(0), 1};
  return {v.data, 1, cols == 1 || v.stride(1) < rows ? rows : v.stride(1)};
}

static bool library_can(View<const float, 2> v) {
  if (v.stride(1) == 1) return v.extent(0) == 1 || v.stride(0) >= v.extent(1);
  return (v.stride(0) == 1 || v.extent(0) == 1) || v.extent(1) == 1;
}

static void clear(View<float, 2> out) {
  for (int64_t i = 0; i < out.extent(0); ++i) std::fill_n(&out(i, 0), out.extent(1), 0.0f);
}

template <>
void multiply<float>(View<const float, 2> a, View<const float, 2> b, View<float, 2> out, bool accumulate, float alpha) {
  if (out.extent(0) == 0 || out.extent(1) == 0) return;
  if (a.extent(1) == 0) {
    if (!accumulate) clear(out);
    return;
  }
  multiply_by_library({.m = out.extent(0),
                       .n = out.extent(1),
                       .k = a.extent(1),
                       .a = library_matrix(a),
                       .b = library_matrix(b),
                       .out = out.data,
                       .out_row = std::max(out.stride(0), out.extent(1)),
                       .accumulate = accumulate,
                       .alpha = alpha});
}

// f64 serves gradient checks only: plain loops, the innermost one along whatever is contiguous in b.
template <>
void multiply<double>(View<const double, 2> a, View<const double, 2> b, View<double, 2> out, bool accumulate,
                      double alpha) {
  const int64_t n = out.extent(1), k = a.extent(1);
  for (int64_t i = 0; i < out.extent(0); ++i) {
    double* row = out.data + i * out.stride(0);
    if (!accumulate) std::fill_n(row, n, 0.0);
    if (b.stride(1) == 1) {
      for (int64_t p = 0; p < k; ++p) {
        const double* source = b.data + p * b.stride(0);
        const double factor = alpha * a(i, p);
        for (int64_t j = 0; j < n; ++j) row[j] += factor * source[j];
      }
    } else {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t p = 0; p < k; ++p) sum += a(i, p) * b(p, j);
        row[j] += alpha * sum;
      }
    }
  }
}

// Rows a task takes. A task must be worth a thread's waking (4 MFLOP is about 50 µs) and must not pack the other
// matrix too often (128 rows keep that below a tenth). Shapes alone decide.
static int64_t grain_of(int64_t cut, int64_t other, int64_t k) {
  const int64_t worth = 2'000'000 / std::max<int64_t>(1, other * k);
  return std::min(std::max<int64_t>(1, cut), (std::max<int64_t>(128, worth) + 15) / 16 * 16);
}

template <class T>
static void parallel_multiply(View<const T, 2> a, View<const T, 2> b, View<T, 2> out, bool accumulate, T alpha) {
  const int cut_axis = out.extent(0) >= out.extent(1) ? 0 : 1;
  const int64_t cut = out.extent(cut_axis);
  parallel_for(cut, grain_of(cut, out.extent(1 - cut_axis), a.extent(1)), [&](int64_t begin, int64_t end) {
    const auto out_part = part(out, cut_axis, begin, end - begin);
    if (cut_axis == 0)
      multiply<T>(part(a, 0, begin, end - begin), b, out_part, accumulate, alpha);
    else
      multiply<T>(a, part(b, 1, begin, end - begin), out_part, accumulate, alpha);
  });
}

static void check_contract(const GemmArgs& args) {
  const auto complain = [&](const char* what) {
    throw ShapeError(fmt::format("gemm: {}: a is {}{}, b is {}{}, out is {}", what, args.a.describe(),
                                 args.transpose_a ? " transposed" : "", args.b.describe(),
                                 args.transpose_b ? " transposed" : "", args.out.describe()));
  };
  const int rank = args.out.rank();
  if (rank < 2 || rank > 3 || args.a.rank() != rank || args.b.rank() != rank) complain("ranks must agree, 2 or 3");
  if (args.a.dtype() != args.out.dtype() || args.b.dtype() != args.out.dtype()) complain("dtypes must agree");
  if (args.out.dtype() != DType::f32 && args.out.dtype() != DType::f64) complain("only f32 and f64 are multiplied");
  const int r = rank - 2, c = rank - 1;
  const int64_t m = args.a.extent(args.transpose_a ? c : r), k = args.a.extent(args.transpose_a ? r : c);
  const int64_t k_b = args.b.extent(args.transpose_b ? c : r), n = args.b.extent(args.transpose_b ? r : c);
  if (k != k_b || args.out.extent(r) != m || args.out.extent(c) != n) complain("extents must agree");
  if (rank == 3 && (args.a.extent(0) != args.out.extent(0) || args.b.extent(0) != args.out.extent(0)))
    complain("batches must agree");
  if (args.out.stride(c) != 1 && args.out.extent(c) != 1) complain("rows of out must have unit stride");
}

// One product per batch entry, handed to fn as views.
template <class T, class F>
static void for_each_product(const GemmArgs& args, F&& fn) {
  const bool batched = args.out.rank() == 3;
  const auto matrix = [&](const Tensor& t, int64_t i) -> View<T, 2> {
    const Tensor entry = batched ? t.select(0, i) : t;
    return entry.view<T, 2>();
  };
  const auto operand = [&](const Tensor& t, int64_t i, bool transpose) {
    const View<const T, 2> v = read_only(matrix(t, i));
    return transpose ? turned(v) : v;
  };
  const int64_t batch = batched ? args.out.extent(0) : 1;
  parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      fn(operand(args.a, i, args.transpose_a), operand(args.b, i, args.transpose_b), matrix(args.out, i));
  });
}

void gemm(const GemmArgs& args, const Exec& exec) {
  check_contract(args);
  cpu_only("gemm", exec);
  if (args.out.numel() == 0) return;
  if (args.out.dtype() == DType::f32) {
    const auto strides_fit = [&](const Tensor& t, bool transpose) {
      if (t.numel() == 0) return true;
      const auto matrix = (t.rank() == 3 ? t.select(0, 0) : t).view<const float, 2>();
      return library_can(transpose ? turned(matrix) : matrix);
    };
    if (!strides_fit(args.a, args.transpose_a) || !strides_fit(args.b, args.transpose_b))
      throw ShapeError(fmt::format("gemm: one stride of each matrix must be 1: a is {}, b is {}", args.a.describe(),
                                   args.b.describe()));
  }
  with_real(args.out.dtype(), [&]<class T>(T) {
    for_each_product<T>(args, [&](auto a, auto b, auto out) {
      parallel_multiply<T>(a, b, out, args.accumulate, static_cast<T>(args.alpha));
    });
  });
}

void reference_gemm(const GemmArgs& args) {
  with_real(args.out.dtype(), [&]<class T>(T) {
    for_each_product<T>(args, [&](auto a, auto b, auto out) {
      for (int64_t i = 0; i < out.extent(0); ++i)
        for (int64_t j = 0; j < out.extent(1); ++j) {
          double sum = 0;
          for (int64_t p = 0; p < a.extent(1); ++p) sum += static_cast<double>(a(i, p)) * static_cast<double>(b(p, j));
          const double before = args.accumulate ? static_cast<double>(out(i, j)) : 0.0;
          out(i, j) = static_cast<T>(before + args.alpha * sum);
        }
    });
  });
}

}  // namespace hyscale::kernels
