#include "core/spec/accounting.h"

#include <cmath>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <set>

#include "tests/spec/run_text.h"

namespace hyscale::spec {

struct PaperSize {
  const char* name;
  int64_t d_model, d_ff, heads, kv_heads, head_dim, d_state, ssm_head_dim, hybrid_q, hybrid_s;
};
static const PaperSize kSizes[] = {
    {"100M", 1024, 3072, 16, 4, 64, 128, 128, 512, 1024},
    {"350M", 1536, 4096, 24, 8, 64, 128, 128, 768, 1536},
    {"1B", 2048, 8192, 32, 8, 64, 128, 128, 1152, 2304},
    {"3B", 3072, 8192, 32, 8, 96, 256, 192, 1536, 3072},
};

// The paper's models as run files: four query heads share a key/value head inside a hybrid block.
static ModelConfig paper_model(const PaperSize& size, const std::string& stack) {
  const int64_t hybrid_heads = 8, v = size.d_model;
  const std::string text = fmt::format(
      R"(format: hyscale.run/1
model:
  vocabulary: 128256
  context: 8192
  d_model: {d}
  mixers:
    A: {{kind: attention, heads: {h}, kv_heads: {k}, head_dim: {e}, rope: {{theta: 500000}}}}
    M: {{kind: mamba2, d_ssm: {s}, head_dim: {p}, d_state: {n}}}
    H: {{kind: hybrid, branches: [{{kind: mamba2, d_ssm: {hs}, head_dim: {p}, d_state: {n}}},
         {{kind: attention, heads: {hh}, kv_heads: {hk}, head_dim: {he}, value_dim: {v}}}]}}
  stack: {stack}
  ffn: {{kind: swiglu, d_ff: {f}}}
data: {{corpus: c}}
train:
  tokens: 8192
  batch_tokens: 8192
  optimizer: {{lr: 1e-3}}
  schedule: {{kind: constant}}
)",
      fmt::arg("d", size.d_model), fmt::arg("h", size.heads), fmt::arg("k", size.kv_heads),
      fmt::arg("e", size.head_dim), fmt::arg("s", 2 * size.d_model), fmt::arg("p", size.ssm_head_dim),
      fmt::arg("n", size.d_state), fmt::arg("hs", size.hybrid_s), fmt::arg("hh", hybrid_heads),
      fmt::arg("hk", hybrid_heads / 4), fmt::arg("he", size.hybrid_q / hybrid_heads), fmt::arg("v", v),
      fmt::arg("stack", stack), fmt::arg("f", size.d_ff));
  return parse_run_config(text, "paper").model;
}

static std::string layers(int64_t attention, int64_t mamba, int64_t hybrid) {
  return std::string(static_cast<size_t>(attention), 'A') + std::string(static_cast<size_t>(mamba), 'M') +
         std::string(static_cast<size_t>(hybrid), 'H');
}

struct Reference {
  const char *family, *size;
  int64_t attention, mamba, hybrid;
  double n, f, cache_mib;  // 1e9, 1e9, MiB: "Computed reference values at 8K" of the seed paper's formulae
};
static const Reference kReferences[] = {
    {"llama", "100M", 8, 0, 0, 0.0965, 0.9815, 64.0},         {"llama", "350M", 14, 0, 0, 0.3523, 3.1710, 224.0},
    {"llama", "1B", 16, 0, 0, 0.9731, 7.4493, 256.0},         {"llama", "3B", 28, 0, 0, 2.7745, 20.8756, 672.0},
    {"mamba", "100M", 0, 6, 0, 0.0961, 0.6191, 3.1},          {"mamba", "350M", 0, 11, 0, 0.3682, 2.3262, 8.5},
    {"mamba", "1B", 0, 13, 0, 0.9893, 6.1204, 13.4},          {"mamba", "3B", 0, 21, 0, 2.8101, 17.7535, 64.1},
    {"inter_hybrid", "1B", 7, 7, 0, 0.9584, 6.5547, 119.2},   {"inter_hybrid", "1B", 3, 10, 0, 0.9435, 6.1048, 58.3},
    {"inter_hybrid", "1B", 2, 11, 0, 0.9588, 6.1100, 43.4},   {"inter_hybrid", "1B", 1, 12, 0, 0.9741, 6.1152, 28.4},
    {"inter_hybrid", "350M", 6, 6, 0, 0.3518, 2.6278, 100.7}, {"inter_hybrid", "350M", 2, 9, 0, 0.3516, 2.3562, 39.0},
    {"inter_hybrid", "100M", 1, 5, 0, 0.0921, 0.6386, 10.6},  {"inter_hybrid", "3B", 4, 18, 0, 2.8051, 18.1995, 150.9},
    {"intra_hybrid", "1B", 0, 0, 13, 0.9522, 6.8397, 170.1},  {"intra_hybrid", "1B", 0, 6, 7, 0.9694, 6.5077, 97.8},
    {"intra_hybrid", "1B", 0, 11, 2, 0.9836, 6.2311, 37.5},   {"intra_hybrid", "1B", 0, 12, 1, 0.9865, 6.1758, 25.5},
    {"intra_hybrid", "350M", 0, 9, 2, 0.3628, 2.3967, 25.8},  {"intra_hybrid", "100M", 0, 5, 1, 0.0949, 0.6462, 8.8},
    {"intra_hybrid", "3B", 0, 18, 4, 2.9012, 18.7106, 133.0},
};

static const PaperSize& size_named(const std::string& name) {
  for (const PaperSize& size : kSizes)
    if (size.name == name) return size;
  throw std::out_of_range(name);
}

TEST(Accounting, ReproducesThePapersFormulae) {
  for (const Reference& r : kReferences) {
    const ModelConfig model = paper_model(size_named(r.size), layers(r.attention, r.mamba, r.hybrid));
    const Account a = account(model);
    const std::string label = fmt::format("{} {} {}:{}", r.family, r.size, r.attention + r.hybrid, r.mamba);
    EXPECT_NEAR(a.train_flops_per_token.paper / 1e9, r.f, 0.5001e-4) << label;
    EXPECT_NEAR(a.cache_bytes_per_sequence.paper_bf16 / (1 << 20), r.cache_mib, 0.05001) << label;
    // Our count adds norms, biases and the convolution over B and C: at most 0.1 %.
    EXPECT_NEAR(static_cast<double>(a.params.non_embedding) / 1e9, r.n, 0.5e-4 + 1e-3 * r.n) << label;
    int64_t paper = 0;
    for (const BlockConfig& block : model.stack)
      paper += block.mixer->paper_parameters(model.d_model) + 3 * model.d_model * block.ffn->d_ff;
    EXPECT_NEAR(static_cast<double>(paper) / 1e9, r.n, 0.5001e-4) << label;
  }
}

TEST(Accounting, LongerContextsCostWhatTheReferenceSays) {
  const ModelConfig model = paper_model(size_named("1B"), layers(16, 0, 0));
  EXPECT_NEAR(account(model, 16384).train_flops_per_token.paper / 1e9, 9.0599, 0.5001e-4);
  EXPECT_NEAR(account(model, 32768).train_flops_per_token.paper / 1e9, 12.2811, 0.5001e-4);
}

TEST(Accounting, TheHeadIsAllThatSeparatesWithHeadFromPaper) {
  const ModelConfig model = parse_run_config(kRunText, "run.yaml").model;
  const FlopsPerToken flops = account(model).train_flops_per_token;
  EXPECT_DOUBLE_EQ(flops.with_head - flops.paper, 6.0 * 258 * 64);
  EXPECT_GT(flops.executed, flops.with_head);
  EXPECT_DOUBLE_EQ(flops.six_n, 6.0 * static_cast<double>(account(model).params.non_embedding));
}

TEST(Accounting, ParameterCountsAreThoseOfTheAllocation) {
  const ModelConfig model = parse_run_config(kRunText, "run.yaml").model;
  int64_t total = 0;
  std::set<std::string> names;
  for (const ParameterSpec& parameter : parameter_list(model)) {
    total += parameter.count();
    EXPECT_TRUE(names.insert(parameter.name).second) << parameter.name;
  }
  EXPECT_EQ(account(model).params.total, total);
  EXPECT_EQ(account(model).params.non_embedding, total - 258 * 64);
}

// Executed work of one attention block and one Mamba block, counted by hand from their loops.
TEST(Accounting, ExecutedCountsWhatTheLoopsDo) {
  const std::string text = with(with(kRunText, "MMAWMH", "A"), "{kind: swiglu, d_ff: 176}", "{kind: none}");
  const double d = 64, head = 6.0 * 258 * d, context = 256;
  const double attention = 6 * d * (64 + 32 + 32 + 64) + (8 * 64 + 6 * 64) * (context + 1) / 2;
  EXPECT_DOUBLE_EQ(account(parse_run_config(text, "").model).train_flops_per_token.executed, attention + head);
  const double s = 128, n = 16, pairs = (128.0 + 1) / 2;  // two chunks of 128
  const double matrices = 6 * (d * (2 * s + 2 * n + 8) + s * d + 2 * 8) + 8 * 4 * (s + 2 * n);
  const double scan = pairs * (8 * n + 6 * s) + 12 * n * s / 2;  // half the tokens feed a state, half read one
  EXPECT_DOUBLE_EQ(
      account(parse_run_config(with(text, "stack: A", "stack: M"), "").model).train_flops_per_token.executed,
      matrices + scan + head);
}

TEST(Accounting, AWindowCountsOnlyTheKeysItShows) {
  const ModelConfig model = parse_run_config(with(kRunText, "MMAWMH", "W"), "run.yaml").model;
  double pairs = 0;
  for (int64_t position = 0; position < 256; ++position)
    for (int64_t key = 0; key <= position; ++key) pairs += key > position - 32 || key < 4;
  EXPECT_DOUBLE_EQ(model.stack[0].mixer->flops_per_token(64, 256).paper, 12 * 64 * pairs / 256);
  EXPECT_EQ(model.stack[0].mixer->cache(256).kv_elements, 2 * 2 * 16 * 36);
}

TEST(ParameterList, NamesShapesAndStartsAreTheContract) {
  const auto list = parameter_list(parse_run_config(with(kRunText, "MMAWMH", "MH"), "run.yaml").model);
  std::vector<std::string> lines;
  for (const ParameterSpec& p : list) {
    std::string shape;
    for (const int64_t extent : p.shape) shape += fmt::format(" {}", extent);
    lines.push_back(fmt::format("{}{}{}", p.name, shape, p.decay ? "" : " -"));
  }
  EXPECT_THAT(
      lines,
      testing::ElementsAre(
          "embedding.weight 258 64", "layers.0.mixer_norm.weight 64 -", "layers.0.mixer.in.weight 296 64",
          "layers.0.mixer.conv.weight 160 4", "layers.0.mixer.conv.bias 160 -", "layers.0.mixer.dt_bias 8 -",
          "layers.0.mixer.a_log 8 -", "layers.0.mixer.d 8 -", "layers.0.mixer.norm.weight 128 -",
          "layers.0.mixer.out.weight 64 128", "layers.0.ffn_norm.weight 64 -", "layers.0.ffn.gate_up.weight 352 64",
          "layers.0.ffn.down.weight 64 176", "layers.1.mixer_norm.weight 64 -",
          "layers.1.mixer.branches.0.in.weight 164 64", "layers.1.mixer.branches.0.conv.weight 96 4",
          "layers.1.mixer.branches.0.conv.bias 96 -", "layers.1.mixer.branches.0.dt_bias 4 -",
          "layers.1.mixer.branches.0.a_log 4 -", "layers.1.mixer.branches.0.d 4 -",
          "layers.1.mixer.branches.0.norm.weight 64 -", "layers.1.mixer.branches.0.out.weight 64 64",
          "layers.1.mixer.branches.1.qkv.weight 80 64", "layers.1.mixer.branches.1.norm.weight 64 -",
          "layers.1.mixer.branches.1.out.weight 64 64", "layers.1.ffn_norm.weight 64 -",
          "layers.1.ffn.gate_up.weight 352 64", "layers.1.ffn.down.weight 64 176", "final_norm.weight 64 -"));
  EXPECT_DOUBLE_EQ(list[2].init.a, 1 / std::sqrt(64.0));
  EXPECT_DOUBLE_EQ(list[9].init.a, 1 / std::sqrt(128.0) / 2);  // four writes to the residual stream
}

TEST(ParameterList, WithoutNormsAHybridHasNoNormWeights) {
  const std::string text = with(with(kRunText, "MMAWMH", "H"), "value_dim: 64}]}", "value_dim: 64}], norm: none}");
  for (const ParameterSpec& p : parameter_list(parse_run_config(text, "run.yaml").model))
    EXPECT_EQ(p.name.find("branches.0.norm"), std::string::npos) << p.name;
}

}  // namespace hyscale::spec
