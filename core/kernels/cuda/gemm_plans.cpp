#include "core/kernels/cuda/gemm_plans.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/error.h"

namespace hyscale::kernels::cuda {

void check_cublas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(ExitCode::failed,
                {{.what = fmt::format("{}: cuBLASLt says {}", what, cublasLtGetStatusString(status))}});
}

namespace {

constexpr size_t kWorkspaceBytes = size_t{64} << 20;
constexpr int kCandidates = 10;
constexpr float kBetter = 0.98f;            // a later candidate must take less than this share of the best time
constexpr float kMillisecondsPerTrial = 4;  // spent on timing one candidate
constexpr int kMostRuns = 16;
// Sums cut along k are made of partial sums kept in f32 and added in one order.
constexpr uint32_t kReductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;

cudaDataType type_of(DType dtype) {
  switch (dtype) {
    case DType::bf16:
      return CUDA_R_16BF;
    case DType::e4m3:
      return CUDA_R_8F_E4M3;
    case DType::e5m2:
      return CUDA_R_8F_E5M2;
    default:
      return CUDA_R_32F;
  }
}

cublasLtMatrixLayoutOpaque_t layout_of(const GemmMatrix& m, DType dtype, int64_t batch) {
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

GemmPlan plan_of(const GemmProduct& product) {
  GemmPlan plan{.beta = product.accumulate ? 1.0f : 0.0f};
  check_cublas(cublasLtMatmulDescInit(&plan.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "gemm: describing a product");
  const auto transpose = [&](cublasLtMatmulDescAttributes_t what, bool turned) {
    const cublasOperation_t value = turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    check_cublas(cublasLtMatmulDescSetAttribute(&plan.operation, what, &value, sizeof(value)),
                 "gemm: describing a product");
  };
  transpose(CUBLASLT_MATMUL_DESC_TRANSA, product.b.turned);
  transpose(CUBLASLT_MATMUL_DESC_TRANSB, product.a.turned);
  if (size_of(product.a_type) == 1) {
    // Tensor cores keep 14 bits of a sum of eight-bit products: enough for outputs; gradients, which sum over as many
    // terms as there are tokens, are taken over into f32 on the way.
    const int8_t fast = product.a_type == DType::e4m3 && product.b_type == DType::e4m3 ? 1 : 0;
    check_cublas(cublasLtMatmulDescSetAttribute(&plan.operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof(fast)),
                 "gemm: describing a product");
  }
  plan.left = layout_of(product.b, product.b_type, product.batch);
  plan.right = layout_of(product.a, product.a_type, product.batch);
  plan.out = layout_of(product.out, product.to, product.batch);
  return plan;
}

cublasLtMatmulPreferenceOpaque_t preference_of(const GemmProduct& product) {
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

int64_t inner(const GemmProduct& product) { return product.b.turned ? product.b.rows : product.b.columns; }

}  // namespace

GemmPlans::GemmPlans(CudaContext& context)
    : context_(context), workspace_(Buffer::uninitialised(kWorkspaceBytes, context.memory())) {
  check_cublas(cublasLtCreate(&library_), "opening cuBLASLt");
  check_cuda(cudaEventCreate(&begin_), "making an event");
  check_cuda(cudaEventCreate(&end_), "making an event");
}

GemmPlans::~GemmPlans() {
  cudaEventDestroy(begin_);
  cudaEventDestroy(end_);
  cublasLtDestroy(library_);
}

const GemmPlan& GemmPlans::plan(const GemmProduct& product, const GemmPointers& at) {
  const auto key = product.key();
  if (const auto known = plans_.find(key); known != plans_.end()) return known->second;
  GemmPlan plan = plan_of(product);
  const Candidates found = candidates(product, plan);
  plan.algorithm = found.front().algo;
  if (found.size() > 1 && !context_.deterministic() && !context_.recording()) plan = fastest(product, plan, found, at);
  return plans_.emplace(key, plan).first->second;
}

cublasStatus_t GemmPlans::run(const GemmPlan& plan, float alpha, const GemmPointers& at) {
  cublasLtMatmulDescOpaque_t operation = plan.operation;
  const auto unscale = [&](cublasLtMatmulDescAttributes_t what, const void* factor) {
    if (factor != nullptr)
      check_cublas(cublasLtMatmulDescSetAttribute(&operation, what, &factor, sizeof(factor)), "gemm: unscaling");
  };
  unscale(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, at.unscale_b);
  unscale(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, at.unscale_a);
  return cublasLtMatmul(library_, &operation, &alpha, at.b, const_cast<cublasLtMatrixLayoutOpaque_t*>(&plan.left), at.a,
                        const_cast<cublasLtMatrixLayoutOpaque_t*>(&plan.right), &plan.beta, at.out,
                        const_cast<cublasLtMatrixLayoutOpaque_t*>(&plan.out), at.out,
                        const_cast<cublasLtMatrixLayoutOpaque_t*>(&plan.out), &plan.algorithm, workspace_.data(),
                        kWorkspaceBytes, context_.stream());
}

GemmPlans::Candidates GemmPlans::candidates(const GemmProduct& product, GemmPlan& plan) {
  cublasLtMatmulPreferenceOpaque_t preference = preference_of(product);
  Candidates found(kCandidates);
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
                                      name_of(product.a_type), cublasLtGetStatusString(status))}});
  return found;
}

GemmPlan GemmPlans::fastest(const GemmProduct& product, GemmPlan plan, const Candidates& found, GemmPointers at) {
  Buffer copy;
  if (product.accumulate) {
    const GemmMatrix& m = product.out;
    const int64_t count = (product.batch - 1) * m.batch_stride + (m.columns - 1) * m.stride + m.rows;
    try {
      copy = Buffer::uninitialised(static_cast<size_t>(count) * size_of(product.to), context_.memory());
    } catch (const OutOfMemory&) {
      return plan;
    }
    at.out = copy.data();
  }
  std::optional<float> best;
  GemmPlan chosen = plan;
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
std::optional<float> GemmPlans::milliseconds(const GemmPlan& plan, const GemmPointers& at, std::optional<float> best) {
  if (run(plan, 1, at) != CUBLAS_STATUS_SUCCESS) return {};  // loads the kernel too
  const float once = milliseconds(plan, at, 1);
  if (best && once > 1.5f * *best) return {};
  return milliseconds(plan, at, std::clamp(static_cast<int>(kMillisecondsPerTrial / once), 2, kMostRuns));
}

float GemmPlans::milliseconds(const GemmPlan& plan, const GemmPointers& at, int runs) {
  check_cuda(cudaEventRecord(begin_, context_.stream()), "timing a product");
  for (int i = 0; i < runs; ++i) check_cublas(run(plan, 1, at), "timing a product");
  check_cuda(cudaEventRecord(end_, context_.stream()), "timing a product");
  check_cuda(cudaEventSynchronize(end_), "timing a product");
  float milliseconds = 0;
  check_cuda(cudaEventElapsedTime(&milliseconds, begin_, end_), "timing a product");
  return milliseconds / static_cast<float>(runs);
}

}  // namespace hyscale::kernels::cuda
