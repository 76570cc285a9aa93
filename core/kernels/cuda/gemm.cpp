#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "core/base/error.h"
#include "core/kernels/cuda/gemm_plans.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

// What the start of an aligned buffer promises. More is not asked for, so that a layer's place in a buffer does not
// change how it is multiplied.
constexpr int64_t kBestAlignment = 128;

int64_t alignment_of(const Tensor& t) {
  auto bits = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(t.data())) | static_cast<uint64_t>(kBestAlignment);
  if (t.rank() == 3 && t.extent(0) > 1) bits |= static_cast<uint64_t>(t.stride(0)) * size_of(t.dtype());
  return static_cast<int64_t>(bits & (~bits + 1));
}

GemmMatrix matrix_of(const char* name, const Tensor& t, bool transpose) {
  int r = t.rank() - 2, c = t.rank() - 1;
  if (transpose) std::swap(r, c);
  const bool by_rows = t.stride(c) == 1 || t.extent(c) == 1;
  if (!by_rows) std::swap(r, c);
  GemmMatrix m{.rows = t.extent(c),
               .columns = t.extent(r),
               .stride = t.stride(r),
               .batch_stride = t.rank() == 3 && t.extent(0) > 1 ? t.stride(0) : 0,
               .turned = !by_rows,
               .alignment = alignment_of(t)};
  if (m.columns == 1) m.stride = std::max(m.stride, m.rows);
  if ((t.stride(c) != 1 && m.rows != 1) || m.stride < m.rows)
    throw ShapeError(
        fmt::format("gemm: {} is {} with strides {} and {}: a GPU multiplies matrices of which one axis "
                    "has unit stride and whose rows lie apart",
                    name, t.describe(), t.stride(t.rank() - 2), t.stride(t.rank() - 1)));
  return m;
}

bool eight_bits(const Tensor& t) { return t.dtype() == DType::e4m3 || t.dtype() == DType::e5m2; }

void check_dtypes(const GemmArgs& args) {
  const DType a = args.a.dtype(), b = args.b.dtype(), to = args.out.dtype();
  const bool f32 = a == DType::f32 && b == DType::f32 && to == DType::f32;
  const bool bf16 = a == DType::bf16 && b == DType::bf16, rounded = to == DType::bf16 || to == DType::f32;
  const bool float8 = eight_bits(args.a) && eight_bits(args.b) && (a == DType::e4m3 || b == DType::e4m3) &&
                      args.unscale_a.data() != nullptr && args.unscale_b.data() != nullptr;
  if (f32 || ((bf16 || float8) && rounded)) return;
  throw ShapeError(
      fmt::format("gemm: a GPU multiplies bf16 by bf16, or eight bits that can be unscaled, giving bf16 or f32, or f32 "
                  "by f32, giving f32: a is {}, b is {}, out is {}",
                  args.a.describe(), args.b.describe(), args.out.describe()));
}

GemmProduct product_of(const GemmArgs& args) {
  check_dtypes(args);
  return {.a = matrix_of("a", args.a, args.transpose_a),
          .b = matrix_of("b", args.b, args.transpose_b),
          .out = matrix_of("out", args.out, false),
          .batch = args.out.rank() == 3 ? args.out.extent(0) : 1,
          .a_type = args.a.dtype(),
          .b_type = args.b.dtype(),
          .to = args.out.dtype(),
          .accumulate = args.accumulate};
}

// A sum without terms.
void clear(const Tensor& out, const CudaContext& context) {
  const bool batched = out.rank() == 3;
  for (int64_t i = 0; i < (batched ? out.extent(0) : 1); ++i) {
    const Tensor m = batched ? out.select(0, i) : out;
    const size_t size = size_of(m.dtype()), width = static_cast<size_t>(m.extent(1)) * size;
    const size_t pitch = m.extent(0) > 1 ? static_cast<size_t>(m.stride(0)) * size : width;
    check_cuda(cudaMemset2DAsync(m.data(), pitch, 0, width, static_cast<size_t>(m.extent(0)), context.stream()),
               "gemm");
  }
}

// "32768x8192x2048 nt": rows, columns and terms of a sum, and which of both factors is transposed.
std::string shape_text(const GemmArgs& args) {
  const int rank = args.out.rank();
  const int64_t terms = args.a.extent(args.transpose_a ? rank - 2 : rank - 1);
  return fmt::format("{}x{}x{} {}{}{}", args.out.extent(rank - 2), args.out.extent(rank - 1), terms,
                     args.transpose_a ? 't' : 'n', args.transpose_b ? 't' : 'n',
                     rank > 2 ? fmt::format(" batch {}", args.out.extent(0)) : "");
}

}  // namespace

void gemm(const GemmArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "gemm", [&] { return shape_text(args); });
  CudaContext& context = cuda_context(exec);
  const int rank = args.out.rank();
  if (args.out.numel() == 0) return;
  if (args.a.extent(args.transpose_a ? rank - 2 : rank - 1) == 0) {
    if (!args.accumulate) clear(args.out, context);
    return;
  }
  const GemmProduct product = product_of(args);
  auto& plans = context.part<GemmPlans>();
  const GemmPointers at{.a = args.a.data(),
                        .b = args.b.data(),
                        .out = args.out.data(),
                        .unscale_a = args.unscale_a.data(),
                        .unscale_b = args.unscale_b.data()};
  check_cublas(plans.run(plans.plan(product, at), static_cast<float>(args.alpha), at), "gemm");
}

}  // namespace hyscale::kernels::cuda
