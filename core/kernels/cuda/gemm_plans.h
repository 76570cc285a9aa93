#pragma once

#include <array>
#include <cstdint>
#include <cublasLt.h>
#include <map>
#include <optional>
#include <vector>

#include "core/tensor/cuda/cuda_context.h"
#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels::cuda {

/// Throws Error (exit 1) naming `what` for anything that is no success.
void check_cublas(cublasStatus_t status, const char* what);

/// A matrix as cuBLASLt lays it out: column by column. A row-major one is its own transpose there, so that
/// out = a·b becomes outᵀ = bᵀ·aᵀ and nothing is copied.
struct GemmMatrix {
  int64_t rows = 0, columns = 0;
  int64_t stride = 0;  // elements between columns
  int64_t batch_stride = 0;
  bool turned = false;  // lies the other way round: the product takes its transpose
  int64_t alignment = 0;
};

/// Everything an algorithm depends on.
struct GemmProduct {
  GemmMatrix a, b, out;
  int64_t batch = 1;
  DType a_type = DType::bf16, b_type = DType::bf16, to = DType::bf16;
  bool accumulate = false;

  using Key = std::array<int64_t, 23>;
  Key key() const {
    const auto flag = [](bool value) { return int64_t{value}; };
    Key key{batch, flag(accumulate), static_cast<int64_t>(a_type), static_cast<int64_t>(b_type),
            static_cast<int64_t>(to)};
    size_t at = 5;
    for (const GemmMatrix& m : {a, b, out})
      for (const int64_t part : {m.rows, m.columns, m.stride, m.batch_stride, 2 * m.alignment + flag(m.turned)})
        key[at++] = part;
    return key;
  }
};

struct GemmPointers {
  const void* a;
  const void* b;
  void* out;
  const void *unscale_a = nullptr, *unscale_b = nullptr;  // of eight bits
};

/// How one product is computed.
struct GemmPlan {
  cublasLtMatmulDescOpaque_t operation{};
  cublasLtMatrixLayoutOpaque_t left{}, right{}, out{};  // bᵀ, aᵀ and outᵀ
  cublasLtMatmulAlgo_t algorithm{};
  float beta = 0;
};

/// cuBLASLt, and how each product seen so far is computed.
class GemmPlans {
 public:
  explicit GemmPlans(CudaContext& context);
  ~GemmPlans();
  GemmPlans(const GemmPlans&) = delete;
  GemmPlans& operator=(const GemmPlans&) = delete;

  /// The library's first choice where the same bits are asked for, or during a recording; else the fastest of what it
  /// proposes, timed at the product's first use, which leaves `out` as it was when it is added to.
  const GemmPlan& plan(const GemmProduct& product, const GemmPointers& at);
  /// Enqueues out = alpha · a·b, or out +=.
  cublasStatus_t run(const GemmPlan& plan, float alpha, const GemmPointers& at);

 private:
  using Candidates = std::vector<cublasLtMatmulHeuristicResult_t>;

  Candidates candidates(const GemmProduct& product, GemmPlan& plan);
  GemmPlan fastest(const GemmProduct& product, GemmPlan plan, const Candidates& found, GemmPointers at);
  std::optional<float> milliseconds(const GemmPlan& plan, const GemmPointers& at, std::optional<float> best);
  float milliseconds(const GemmPlan& plan, const GemmPointers& at, int runs);

  CudaContext& context_;
  Buffer workspace_;
  cublasLtHandle_t library_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  std::map<GemmProduct::Key, GemmPlan> plans_;
};

}  // namespace hyscale::kernels::cuda
