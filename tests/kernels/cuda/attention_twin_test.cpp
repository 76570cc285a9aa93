#include <cmath>
#include <fmt/format.h>
#include <stdexcept>

#include "core/kernels/attention.h"
#include "core/kernels/cuda/attention_paths.h"
#include "tests/kernels/cuda/twin.h"
#include "tests/support/documents.h"

namespace hyscale::tests {
namespace {

enum class Path { tiled, cudnn, chosen };

struct AttentionCase {
  int64_t sequences, length, heads, kv_heads, dim, value_dim;
  kernels::CausalMask mask = {};
  std::vector<int64_t> documents = {};  // where some begin, see documents_at
  int64_t first = 0;                    // column of q in rows of q, k and v
  Path path = Path::tiled;
  DType dtype = DType::bf16;

  std::string name() const {
    static constexpr const char* kPaths[] = {"tiled", "cudnn", "chosen"};
    return fmt::format("{}_{}x{}_heads_{}_{}_dim_{}_{}_window_{}_sinks_{}_documents_{}_from_{}_{}",
                       kPaths[static_cast<int>(path)], sequences, length, heads, kv_heads, dim, value_dim, mask.window,
                       mask.sinks, documents.size() + 1, first, name_of(dtype));
  }
  int64_t tokens() const { return sequences * length; }
  int64_t q_width() const { return heads * dim; }
  int64_t k_width() const { return kv_heads * dim; }
  int64_t v_width() const { return kv_heads * value_dim; }
  int64_t width() const { return q_width() + k_width() + v_width(); }
  bool sees_only_itself() const { return length == 1 || (mask.window == 1 && mask.sinks == 0); }
  // A later column and rows wider than what they hold.
  TwinOptions rows() const { return {.window = {.first = first, .row = first + width() + 8}, .low = -2, .high = 2}; }
  Tensor heads_of(const Tensor& rows, int64_t columns) const {
    return rows.reshape({sequences, length, rows.extent(1) / columns, columns});
  }
};

// q, k and v are windows on one row.
struct Parts {
  Parts(const AttentionCase& c, const Tensor& rows) {
    q = c.heads_of(rows.slice(1, 0, c.q_width()), c.dim);
    k = c.heads_of(rows.slice(1, c.q_width(), c.k_width()), c.dim);
    v = c.heads_of(rows.slice(1, c.q_width() + c.k_width(), c.v_width()), c.value_dim);
  }
  Tensor q, k, v;
};

void forward(Path path, const kernels::AttentionArgs& args, const Exec& exec) {
  if (exec.device == Device::cpu || path == Path::chosen) return kernels::attention(args, exec);
  if (path == Path::tiled) return kernels::cuda::tiled_attention(args, exec);
  if (!kernels::cuda::cudnn_attention(args, exec)) throw std::runtime_error("cuDNN refused the forward pass");
}

void backward(Path path, const kernels::AttentionBackwardArgs& args, const Exec& exec) {
  if (exec.device == Device::cpu || path == Path::chosen) return kernels::attention_backward(args, exec);
  if (path == Path::tiled) return kernels::cuda::tiled_attention_backward(args, exec);
  if (!kernels::cuda::cudnn_attention_backward(args, exec)) throw std::runtime_error("cuDNN refused the backward pass");
}

void compare(const AttentionCase& c, Path path_of_forward, Path path_of_backward) {
  Twin twin(c.dtype);
  const auto qkv = twin.input("qkv", {c.tokens(), c.width()}, c.rows());
  const auto dout = twin.input("dout", {c.sequences, c.length, c.heads, c.value_dim});
  TwinTensor documents;
  if (!c.documents.empty()) {
    const OwnedTensor begins = documents_at(c.sequences, c.length, c.documents);
    const int32_t* const first = begins.tensor().as<int32_t>();
    documents = twin.integers("documents", {c.sequences, c.length}, std::vector<int32_t>(first, first + c.tokens()));
  }
  const auto out = twin.output("out", {c.sequences, c.length, c.heads, c.value_dim});
  const auto lse = twin.output("lse", {c.sequences, c.heads, c.length}, {.holds = Holds::wide});
  const auto dq = twin.output("dq", {c.tokens(), c.q_width()}, c.rows());
  const auto dk = twin.output("dk", {c.tokens(), c.k_width()}, c.rows());
  const auto dv = twin.output("dv", {c.tokens(), c.v_width()}, c.rows());
  twin.run([&](const Side& s) {
    const Parts in(c, s(qkv));
    const kernels::AttentionArgs args{.out = s(out),
                                      .lse = s(lse),
                                      .q = in.q,
                                      .k = in.k,
                                      .v = in.v,
                                      .scale = 1.3 / std::sqrt(static_cast<double>(c.dim)),
                                      .mask = c.mask,
                                      .document_begins = s(documents)};
    forward(path_of_forward, args, s.exec());
    backward(path_of_backward,
             {.dq = c.heads_of(s(dq), c.dim),
              .dk = c.heads_of(s(dk), c.dim),
              .dv = c.heads_of(s(dv), c.value_dim),
              .dout = s(dout),
              .saved = args},
             s.exec());
  });
  twin.expect_close(out, {.f32 = 2e-6, .bf16 = 6e-3});
  twin.expect_close(lse, {.f32 = 2e-6, .bf16 = 3e-5});
  twin.expect_close(dv, {.f32 = 5e-6, .bf16 = 8e-3});
  if (c.sees_only_itself()) return;  // dq and dk are zero but for rounding
  twin.expect_close(dq, {.f32 = 1e-5, .bf16 = 1.2e-2});
  twin.expect_close(dk, {.f32 = 1e-5, .bf16 = 1.2e-2});
}

using AttentionTwin = TwinTestOver<AttentionCase>;

TEST_P(AttentionTwin, GivesTheSameOutAndGradients) { compare(GetParam(), GetParam().path, GetParam().path); }

class CudnnAttentionTwin : public TwinTestOver<AttentionCase> {
 protected:
  void SetUp() override {
    TwinTest::SetUp();
    if (!IsSkipped() && kernels::cuda::cudnn_version() == 0) GTEST_SKIP() << "this build has no cuDNN, or one too old";
  }
};

TEST_P(CudnnAttentionTwin, GivesTheSameOutAndGradients) { compare(GetParam(), Path::cudnn, Path::cudnn); }
TEST_P(CudnnAttentionTwin, IsFollowedByOurBackwardPass) { compare(GetParam(), Path::cudnn, Path::tiled); }
TEST_P(CudnnAttentionTwin, FollowsOurForwardPass) { compare(GetParam(), Path::tiled, Path::cudnn); }

TEST_F(TwinTest, AttentionOverNothingDoesNothing) {
  Twin twin(DType::bf16);
  const auto q = twin.input("q", {0, 7, 2, 16}), kv = twin.input("kv", {0, 7, 1, 16});
  const auto out = twin.output("out", {0, 7, 2, 16}), lse = twin.output("lse", {0, 2, 7}, {.holds = Holds::wide});
  twin.run([&](const Side& s) {
    kernels::attention({.out = s(out), .lse = s(lse), .q = s(q), .k = s(kv), .v = s(kv), .mask = {}}, s.exec());
  });
}

// Lengths around the tiles, windows that begin inside one and skip whole ones, sinks inside and across tiles,
// documents in the middle of tiles, dimensions that are no whole vectors, and wide ones in several slices.
std::vector<AttentionCase> tiled_cases() {
  return in_f32_and_bf16<AttentionCase>({
      {2, 1, 1, 1, 16, 16},
      {1, 7, 3, 1, 5, 9},
      {2, 64, 2, 2, 16, 16},
      {2, 129, 3, 1, 64, 64},
      {1, 129, 8, 1, 33, 33},
      {1, 200, 2, 1, 72, 40},
      {1, 150, 2, 1, 40, 136},
      {1, 150, 2, 2, 256, 256},
      {1, 150, 2, 1, 200, 24},
      {1, 1000, 3, 1, 64, 64},
      {1, 1000, 2, 1, 128, 128},
      {1, 129, 2, 1, 16, 16, {.window = 1, .sinks = 0}},
      {1, 300, 8, 1, 64, 64, {.window = 16, .sinks = 0}},
      {1, 300, 2, 2, 64, 64, {.window = 64, .sinks = 0}},
      {1, 300, 2, 1, 33, 33, {.window = 1, .sinks = 1}},
      {2, 300, 2, 1, 64, 64, {.window = 16, .sinks = 4}},
      {1, 1000, 3, 1, 64, 64, {.window = 64, .sinks = 70}},
      {1, 129, 2, 1, 16, 16, {.window = 500, .sinks = 10}},
      {2, 7, 1, 1, 16, 16, {}, {1, 3}},
      {2, 300, 2, 1, 64, 64, {}, {2, 3, 4, 151}},
      {2, 300, 2, 1, 33, 33, {.window = 16, .sinks = 0}, {100, 200}},
      {2, 300, 2, 1, 64, 64, {.window = 16, .sinks = 4}, {1, 100, 200, 299}},
      {1, 1000, 2, 1, 16, 16, {.window = 64, .sinks = 70}, {130, 500, 550}},
      {1, 200, 2, 1, 64, 64, {}, {}, 3},
      {1, 200, 2, 1, 64, 64, {}, {}, 8},
  });
}

std::vector<AttentionCase> cudnn_cases() {
  std::vector<AttentionCase> all{
      {1, 7, 3, 1, 64, 64},
      {2, 129, 1, 1, 16, 16},
      {2, 129, 8, 1, 64, 64},
      {1, 1000, 3, 1, 128, 128},
      {2, 200, 4, 2, 72, 72},
      {1, 256, 4, 2, 128, 64},
      {2, 1024, 8, 2, 64, 64, {}, {}, 8},
      {1, 129, 2, 1, 64, 64, {.window = 1, .sinks = 0}},
      {2, 300, 8, 2, 64, 64, {.window = 16, .sinks = 0}},
      {1, 1000, 3, 1, 128, 128, {.window = 64, .sinks = 0}},
  };
  for (AttentionCase& c : all) c.path = Path::cudnn;
  return all;
}

// What cuDNN does not do, through the front door.
std::vector<AttentionCase> chosen_cases() {
  std::vector<AttentionCase> all = in_f32_and_bf16<AttentionCase>({
      {2, 1, 2, 1, 64, 64},
      {1, 129, 2, 1, 64, 64},
      {1, 129, 2, 1, 36, 36},
      {1, 129, 2, 1, 64, 64, {.window = 16, .sinks = 4}},
      {1, 129, 2, 1, 192, 192, {.window = 16, .sinks = 0}},
      {2, 129, 2, 1, 64, 64, {}, {50}},
      {1, 129, 2, 1, 64, 64, {}, {}, 1},
  });
  for (AttentionCase& c : all) c.path = Path::chosen;
  return all;
}

INSTANTIATE_TEST_SUITE_P(Tiled, AttentionTwin, testing::ValuesIn(tiled_cases()), named);
INSTANTIATE_TEST_SUITE_P(Cudnn, CudnnAttentionTwin, testing::ValuesIn(cudnn_cases()), named);
INSTANTIATE_TEST_SUITE_P(Chosen, AttentionTwin, testing::ValuesIn(chosen_cases()), named);

}  // namespace
}  // namespace hyscale::tests
