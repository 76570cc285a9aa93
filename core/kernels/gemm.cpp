#include "core/kernels/gemm.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/kernels/few_rows_product.h"
#include "core/kernels/matrix_view.h"
#include "core/kernels/packed_product.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

template <class T>
static void multiply(View<const T, 2> a, View<const T, 2> b, View<T, 2> out, bool accumulate, T alpha) {
  if (a.extent(1) > 0 && has_few_rows(a, b)) return few_rows_product<T>(a, b, out, accumulate, alpha);
  if (a.extent(1) > 0) return packed_product<T>(a, b, out, accumulate, alpha);
  if (accumulate) return;
  for (int64_t i = 0; i < out.extent(0); ++i) std::fill_n(&out(i, 0), out.extent(1), T(0));
}

[[noreturn]] static void refuse(const GemmArgs& args, const char* why) {
  throw ShapeError(fmt::format("gemm: {}: a is {}{}, b is {}{}, out is {}", why, args.a.describe(),
                               args.transpose_a ? " transposed" : "", args.b.describe(),
                               args.transpose_b ? " transposed" : "", args.out.describe()));
}

static void check_contract(const GemmArgs& args) {
  const auto complain = [&](const char* what) { refuse(args, what); };
  const int rank = args.out.rank();
  if (rank < 2 || rank > 3 || args.a.rank() != rank || args.b.rank() != rank) complain("ranks must agree, 2 or 3");
  const int r = rank - 2, c = rank - 1;
  const int64_t m = args.a.extent(args.transpose_a ? c : r), k = args.a.extent(args.transpose_a ? r : c);
  const int64_t k_b = args.b.extent(args.transpose_b ? c : r), n = args.b.extent(args.transpose_b ? r : c);
  if (k != k_b || args.out.extent(r) != m || args.out.extent(c) != n) complain("extents must agree");
  if (rank == 3 && (args.a.extent(0) != args.out.extent(0) || args.b.extent(0) != args.out.extent(0)))
    complain("batches must agree");
  if (args.out.stride(c) != 1 && args.out.extent(c) != 1) complain("rows of out must have unit stride");
}

static void check_dtypes(const GemmArgs& args) {
  if (args.a.dtype() != args.out.dtype() || args.b.dtype() != args.out.dtype()) refuse(args, "dtypes must agree");
  if (args.out.dtype() != DType::f32 && args.out.dtype() != DType::f64) refuse(args, "only f32 and f64 are multiplied");
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
  if (exec.device == Device::cuda) return cuda::gemm(args, exec);
  check_dtypes(args);
  if (args.out.numel() == 0) return;
  with_real(args.out.dtype(), [&]<class T>(T) {
    for_each_product<T>(
        args, [&](auto a, auto b, auto out) { multiply<T>(a, b, out, args.accumulate, static_cast<T>(args.alpha)); });
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
