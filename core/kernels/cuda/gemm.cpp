#include <algorithm>
#include <array>
#include <cublasLt.h>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/cuda/cuda_context.h"
#include "core/tensor/memory.h"

namespace hyscale::kernels::cuda {
namespace {

constexpr size_t kWorkspaceBytes = size_t{64} << 20;
// What the start of an aligned buffer promises. More is not asked for, so that a layer's place in a buffer does not
// change how it is multiplied.
constexpr int64_t kBestAlignment = 128;
constexpr int kCandidates = 10;
constexpr float kBetter = 0.98f;            // a later candidate must take less than this share of the best time
constexpr float kMillisecondsPerTrial = 4;  // spent on timing one candidate
constexpr int kMostRuns = 16;
// Sums cut along k are made of partial sums kept in f32 and added in one order.
constexpr uint32_t kReductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;

void check_cublas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(ExitCode::failed,
                {{.what = fmt::format("{}: cuBLASLt says {}", what, cublasLtGetStatusString(status))}});
}

// A matrix as cuBLASLt lays it out: column by column. A row-major one is its own transpose there, so that
// out = a·b becomes outᵀ = bᵀ·aᵀ and nothing is copied.
struct Matrix {
  int64_t rows = 0, columns = 0;
  int64_t stride = 0;  // elements between columns
  int64_t batch_stride = 0;
  bool turned = false;  // lies the other way round: the product takes its transpose
  int64_t alignment = 0;
};

// Everything an algorithm depends on.
struct Product {
  Matrix a, b, out;
  int64_t batch = 1;
  DType from = DType::bf16, to = DType::bf16;
  bool accumulate = false;

  auto key() const {
    const auto flag = [](bool value) { return int64_t{value}; };
    std::array<int64_t, 22> key{batch, flag(accumulate), static_cast<int64_t>(from), static_cast<int64_t>(to)};
    size_t at = 4;
    for (const Matrix& m : {a, b, out})
      for (const int64_t part : {m.rows, m.columns, m.stride, m.batch_stride, 2 * m.alignment + flag(m.turned)})
        key[at++] = part;
    return key;
  }
};

struct Pointers {
  const void* a;
  const void* b;
  void* out;
};

int64_t alignment_of(const Tensor& t) {
  auto bits = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(t.data())) | static_cast<uint64_t>(kBestAlignment);
  if (t.rank() == 3 && t.extent(0) > 1) bits |= static_cast<uint64_t>(t.stride(0)) * size_of(t.dtype());
  return static_cast<int64_t>(bits & (~bits + 1));
}

Matrix matrix_of(const char* name, const Tensor& t, bool transpose) {
  int r = t.rank() - 2, c = t.rank() - 1;
  if (transpose) std::swap(r, c);
  const bool by_rows = t.stride(c) == 1 || t.extent(c) == 1;
  if (!by_rows) std::swap(r, c);
  Matrix m{.rows = t.extent(c),
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

Product product_of(const GemmArgs& args) {
  const DType from = args.a.dtype(), to = args.out.dtype();
  const bool f32 = from == DType::f32 && to == DType::f32;
  if (args.b.dtype() != from || !(f32 || (from == DType::bf16 && (to == DType::bf16 || to == DType::f32))))
    throw ShapeError(
        fmt::format("gemm: a GPU multiplies bf16 by bf16, giving bf16 or f32, or f32 by f32, giving f32: "
                    "a is {}, b is {}, out is {}",
                    args.a.describe(), args.b.describe(), args.out.describe()));
  return {.a = matrix_of("a", args.a, args.transpose_a),
          .b = matrix_of("b", args.b, args.transpose_b),
          .out = matrix_of("out", args.out, false),
          .batch = args.out.rank() == 3 ? args.out.extent(0) : 1,
          .from = from,
          .to = to,
          .accumulate = args.accumulate};
}

cudaDataType type_of(DType dtype) { return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

// How one product is computed.
struct Plan {
  cublasLtMatmulDescOpaque_t operation{};
  cublasLtMatrixLayoutOpaque_t left{}, right{}, out{};  // bᵀ, aᵀ and outᵀ
  cublasLtMatmulAlgo_t algorithm{};
  float beta = 0;
};

cublasLtMatrixLayoutOpaque_t layout_of(const Matrix& m, DType dtype, int64_t batch) {
  cublasLtMatrixLayoutOpaque_t layout{};
  check_cublas(cublasLtMatrixLayoutInit(&layout, type_of(dtype), static_cast<uint64_t>(m.rows),
                                        static_cast<uint64_t>(m.columns), m.stride),
               "gemm: describing a matrix");
  const auto count = static_cast<int32_t>(batch);
  const auto set = [&](cublasLtMatrixLayoutAttribute_t what, const auto& value) {
    check_cublas(cublasLtMatrixLayoutSetAttribute(&layout, what, &value, sizeof(value)), "gemm: describing a batch");
  };
  set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count);
  set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, m.batch_stride);
  return layout;
}

Plan plan_of(const Product& product) {
  Plan plan{.beta = product.accumulate ? 1.0f : 0.0f};
  check_cublas(cublasLtMatmulDescInit(&plan.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "gemm: describing a product");
  const auto transpose = [&](cublasLtMatmulDescAttributes_t what, bool turned) {
    const cublasOperation_t value = turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    check_cublas(cublasLtMatmulDescSetAttribute(&plan.operation, what, &value, sizeof(value)),
                 "gemm: describing a product");
  };
  transpose(CUBLASLT_MATMUL_DESC_TRANSA, product.b.turned);
  transpose(CUBLASLT_MATMUL_DESC_TRANSB, product.a.turned);
  plan.left = layout_of(product.b, product.from, product.batch);
  plan.right = layout_of(product.a, product.from, product.batch);
  plan.out = layout_of(product.out, product.to, product.batch);
  return plan;
}

cublasLtMatmulPreferenceOpaque_t preference_of(const Product& product) {
  cublasLtMatmulPreferenceOpaque_t preference{};
  check_cublas(cublasLtMatmulPreferenceInit(&preference), "gemm: preferring algorithms");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t what, const auto& value) {
    check_cublas(cublasLtMatmulPreferenceSetAttribute(&preference, what, &value, sizeof(value)),
                 "gemm: preferring algorithms");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kWorkspaceBytes});
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, kReductions);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(product.b.alignment));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(product.a.alignment));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(product.out.alignment));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(product.out.alignment));
  return preference;
}

// cuBLASLt, and how each product seen so far is computed.
class GemmPlans {
 public:
  explicit GemmPlans(CudaContext& context)
      : context_(context), workspace_(Buffer::uninitialised(kWorkspaceBytes, context.memory())) {
    check_cublas(cublasLtCreate(&library_), "opening cuBLASLt");
    check_cuda(cudaEventCreate(&begin_), "making an event");
    check_cuda(cudaEventCreate(&end_), "making an event");
  }
  ~GemmPlans() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
    cublasLtDestroy(library_);
  }
  GemmPlans(const GemmPlans&) = delete;
  GemmPlans& operator=(const GemmPlans&) = delete;

  /// The library's first choice where the same bits are asked for, or during a recording; else the fastest of what it
  /// proposes, timed at the product's first use, which leaves `out` as it was when it is added to.
  const Plan& plan(const Product& product, const Pointers& at) {
    const auto key = product.key();
    if (const auto known = plans_.find(key); known != plans_.end()) return known->second;
    Plan plan = plan_of(product);
    const std::vector<cublasLtMatmulHeuristicResult_t> found = candidates(product, plan);
    plan.algorithm = found.front().algo;
    if (found.size() > 1 && !context_.deterministic() && !context_.recording())
      plan = fastest(product, plan, found, at);
    return plans_.emplace(key, plan).first->second;
  }

  cublasStatus_t run(const Plan& plan, float alpha, const Pointers& at) {
    return cublasLtMatmul(library_, const_cast<cublasLtMatmulDescOpaque_t*>(&plan.operation), &alpha, at.b,
                          const_cast<cublasLtMatrixLayoutOpaque_t*>(&plan.left), at.a,
                          const_cast<cublasLtMatrixLayoutOpaque_t*>(&plan.right), &plan.beta, at.out,
                          const_cast<cublasLtMatrixLayoutOpaque_t*>(&plan.out), at.out,
                          const_cast<cublasLtMatrixLayoutOpaque_t*>(&plan.out), &plan.algorithm, workspace_.data(),
                          kWorkspaceBytes, context_.stream());
  }

 private:
  std::vector<cublasLtMatmulHeuristicResult_t> candidates(const Product& product, Plan& plan) {
    cublasLtMatmulPreferenceOpaque_t preference = preference_of(product);
    std::vector<cublasLtMatmulHeuristicResult_t> found(kCandidates);
    int count = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(library_, &plan.operation, &plan.left, &plan.right, &plan.out, &plan.out,
                                       &preference, kCandidates, found.data(), &count);
    found.resize(static_cast<size_t>(status == CUBLAS_STATUS_SUCCESS ? count : 0));
    std::erase_if(found, [](const auto& result) { return result.state != CUBLAS_STATUS_SUCCESS; });
    if (found.empty())
      throw Error(ExitCode::failed,
                  {{.what = fmt::format("gemm: cuBLASLt has no way to multiply [{}, {}] by [{}, {}] in {}: {}",
                                        product.out.columns, inner(product), inner(product), product.out.rows,
                                        name_of(product.from), cublasLtGetStatusString(status))}});
    return found;
  }

  static int64_t inner(const Product& product) { return product.b.turned ? product.b.rows : product.b.columns; }

  Plan fastest(const Product& product, Plan plan, const std::vector<cublasLtMatmulHeuristicResult_t>& found,
               Pointers at) {
    Buffer copy;
    if (product.accumulate) {
      const Matrix& m = product.out;
      const int64_t count = (product.batch - 1) * m.batch_stride + (m.columns - 1) * m.stride + m.rows;
      try {
        copy = Buffer::uninitialised(static_cast<size_t>(count) * size_of(product.to), context_.memory());
      } catch (const OutOfMemory&) {
        return plan;
      }
      at.out = copy.data();
    }
    std::optional<float> best;
    Plan chosen = plan;
    for (const auto& candidate : found) {
      plan.algorithm = candidate.algo;
      const std::optional<float> time = milliseconds(plan, at, best);
      if (!time || (best && *time > kBetter * *best)) continue;
      best = time;
      chosen = plan;
    }
    return chosen;
  }

  // Of one run; nothing when the plan does not work, or a first run shows that it is slow.
  std::optional<float> milliseconds(const Plan& plan, const Pointers& at, std::optional<float> best) {
    if (run(plan, 1, at) != CUBLAS_STATUS_SUCCESS) return {};  // loads the kernel too
    const float once = milliseconds(plan, at, 1);
    if (best && once > 1.5f * *best) return {};
    return milliseconds(plan, at, std::clamp(static_cast<int>(kMillisecondsPerTrial / once), 2, kMostRuns));
  }

  float milliseconds(const Plan& plan, const Pointers& at, int runs) {
    check_cuda(cudaEventRecord(begin_, context_.stream()), "timing a product");
    for (int i = 0; i < runs; ++i) check_cublas(run(plan, 1, at), "timing a product");
    check_cuda(cudaEventRecord(end_, context_.stream()), "timing a product");
    check_cuda(cudaEventSynchronize(end_), "timing a product");
    float milliseconds = 0;
    check_cuda(cudaEventElapsedTime(&milliseconds, begin_, end_), "timing a product");
    return milliseconds / static_cast<float>(runs);
  }

  CudaContext& context_;
  Buffer workspace_;
  cublasLtHandle_t library_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  std::map<std::array<int64_t, 22>, Plan> plans_;
};

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
  const Product product = product_of(args);
  auto& plans = context.part<GemmPlans>();
  const Pointers at{.a = args.a.data(), .b = args.b.data(), .out = args.out.data()};
  check_cublas(plans.run(plans.plan(product, at), static_cast<float>(args.alpha), at), "gemm");
}

}  // namespace hyscale::kernels::cuda
