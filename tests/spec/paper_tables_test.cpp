// Recomputes what the formulae cover in the tables of arXiv 2510.04800 (studies/reference) with the shipped configs of
// its models (studies/paper), and holds every disagreement at printed precision against a reviewed list.
#include "tests/spec/paper_tables.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <numeric>
#include <set>

#include "tests/spec/paper_variants.h"

namespace hyscale::tests {

constexpr const char* kList = "tests/spec/golden/paper_disagreements.txt";

// Half of the last printed digit, and a little for the decimal point.
constexpr double kParameters = 0.5001e7, kTokens = 0.5001e9, kSteps = 0.5001e3, kFlops = 0.5001e19, kMiB = 0.5001,
                 kPercent = 0.0501;

// Layer counts that the tables' own `suspect` column corrects: (file, what picks the row, column, the right count).
struct Correction {
  const char *file, *size, *mode, *family, *ratio, *column;
  int64_t count;
};
constexpr Correction kCorrections[] = {
    {"main_results.csv", "1B", "same_flops", "intra_hybrid", "1:3", "hybrid_layers", 3},
    {"intra_ratio_position.csv", "1B", "same_flops", "intra_hybrid", "1:3", "hybrid_layers", 3},
    {"model_configs.csv", "100M", "", "inter_hybrid", "1:5", "attn_layers", 1},
    {"model_configs.csv", "100M", "", "inter_hybrid", "1:5", "ssm_layers", 5},
    {"decode_throughput.csv", "1B", "", "intra_hybrid", "1:3", "hybrid_layers", 3},
    {"decode_throughput.csv", "1B", "", "intra_hybrid", "1:1", "hybrid_layers", 7},
    {"decode_throughput.csv", "1B", "", "intra_hybrid", "1:1", "ssm_layers", 6},
};

// Depth and stack of families whose tables do not print them: their plain spellings (Table 15).
static std::map<std::string, int64_t> layers_of(const PaperRow& row, const std::string& family) {
  std::map<std::string, int64_t> layers;
  for (const char* column : {"attn_layers", "swa_layers", "ssm_layers", "hybrid_layers"}) {
    layers[column] = row.count(column);
    for (const Correction& c : kCorrections)
      if (row.file == c.file && column == std::string(c.column) && row.text("size") == c.size && family == c.family &&
          row.text("block_ratio") == c.ratio && (*c.mode == 0 || row.text("mode") == c.mode)) {
        EXPECT_THAT(row.text("suspect"), testing::HasSubstr(column)) << "corrected without a reason in " << row.file;
        layers[column] = c.count;
      }
  }
  return layers;
}

static std::string pattern_of(const std::map<std::string, int64_t>& layers) {
  const auto some = [&](char mixer, const char* column) {
    return std::string(static_cast<size_t>(layers.at(column)), mixer);
  };
  return some('A', "attn_layers") + some('W', "swa_layers") + some('M', "ssm_layers") + some('H', "hybrid_layers");
}

// A hybrid block of other widths: 16 attention heads and 16 SSM heads throughout.
static std::vector<std::string> hybrid_widths(int64_t qk_dim, int64_t d_ssm) {
  return {fmt::format("model.mixers.H.branches.0.d_ssm={}", d_ssm),
          fmt::format("model.mixers.H.branches.0.head_dim={}", d_ssm / 16),
          fmt::format("model.mixers.H.branches.1.head_dim={}", qk_dim / 16)};
}

// The all-hybrid 350M stack has wider blocks than the mixed ones (cost notes of Tables 10 and 20).
static spec::ModelConfig model_of(const PaperRow& row, const std::string& family) {
  const auto layers = layers_of(row, family);
  std::vector<std::string> overrides{"model.stack=" + pattern_of(layers)};
  if (family == "intra_hybrid" && row.text("size") == "350M" && layers.at("ssm_layers") == 0)
    for (const std::string& width : hybrid_widths(896, 1792)) overrides.push_back(width);
  if (row.has("qk_dim") && layers.at("hybrid_layers") > 0)
    for (const std::string& width : hybrid_widths(row.count("qk_dim"), 2 * row.count("ssm_pre_expansion_dim")))
      overrides.push_back(width);
  return shipped_model(family, row.text("size"), overrides);
}

/// Cells that disagree at printed precision: "file | row | column | printed | computed".
class Comparison {
 public:
  void check(const PaperRow& row, const std::string& key, const std::string& column, double computed,
             double half_unit) {
    if (!row.has(column)) return;
    ++compared_;
    if (std::abs(row.number(column) - computed) <= half_unit) return;
    found_.push_back(fmt::format("{} | {} | {} | {} | {:.4g}", row.file, key, column, row.text(column), computed));
  }
  const std::vector<std::string>& found() const { return found_; }
  int compared() const { return compared_; }

 private:
  std::vector<std::string> found_;
  int compared_ = 0;
};

static std::string key_of(const PaperRow& row, std::set<std::string>& taken) {
  std::string key;
  for (const char* column :
       {"label", "family", "size", "mode", "block_ratio", "dimension_ratio", "module", "norm", "scalar", "fusion",
        "value", "out_proj", "budget_flops", "context_tokens", "pattern", "attn_indices_1based", "total_length_tokens"})
    if (row.has(column) && !(row.text(column) == "8192" && std::string(column) == "context_tokens"))
      key += (key.empty() ? "" : ", ") + row.text(column);
  std::string unique = key;
  for (int k = 2; !taken.insert(row.file + unique).second; ++k) unique = fmt::format("{} #{}", key, k);
  return unique;
}

static std::string family_of(const PaperRow& row) {
  if (row.has("family")) return row.text("family");
  if (row.count("hybrid_layers") > 0 || row.file == "intra_ratio_position.csv") return "intra_hybrid";
  if (row.count("ssm_layers") == 0) return "llama";
  return row.count("attn_layers") > 0 ? "inter_hybrid" : "mamba";
}

// 60 billion tokens of the Transformer at 8K: what "same FLOPs" means in Tables 9, 10 and 12.
static double same_flops_budget(const std::string& size) {
  return 60e9 * spec::account(shipped_model("llama", size, {}), 8192).train_flops_per_token.paper;
}

static void check_costs(Comparison& comparison, const PaperRow& row, const std::string& key) {
  const spec::ModelConfig model = model_of(row, family_of(row));
  const spec::Account account = spec::account(model, row.has("context_tokens") ? row.count("context_tokens") : 8192);
  const double flops = account.train_flops_per_token.paper;
  comparison.check(row, key, "n_nonembedding", static_cast<double>(account.params.non_embedding), kParameters);
  comparison.check(row, key, "cache_mib", account.cache_bytes_per_sequence.paper_bf16 / (1 << 20), kMiB);
  const bool same_flops = (row.has("mode") && row.text("mode") == "same_flops") || row.file == "long_pretraining.csv";
  const double budget = row.has("budget_flops") ? row.number("budget_flops") : same_flops_budget(row.text("size"));
  const bool matched = same_flops || row.has("budget_flops");
  comparison.check(row, key, "train_flops", matched ? budget : row.number("tokens") * flops, kFlops);
  if (matched) comparison.check(row, key, "tokens", budget / flops, kTokens);
  if (row.has("budget_flops")) comparison.check(row, key, "steps", budget / flops / (1 << 19), kSteps);
}

static void check_average(Comparison& comparison, const PaperRow& row, const std::string& key) {
  double sum = 0;
  for (const char* task : {"lambada", "hellaswag", "piqa", "arc", "openbookqa"}) {
    if (!row.has(task + std::string("_acc_pct"))) return;
    sum += row.number(task + std::string("_acc_pct"));
  }
  comparison.check(row, key, "avg_acc_pct", sum / 5, kPercent);
}

static void check_shape(Comparison& comparison, const PaperRow& row, const std::string& key) {
  const spec::ModelConfig shipped = shipped_model(row.text("family"), row.text("size"), {});
  const bool all_hybrid = row.text("block_ratio") == "1:0" && row.text("family") == "intra_hybrid";
  if (!all_hybrid) comparison.check(row, key, "layers", static_cast<double>(shipped.stack.size()), 0);
  comparison.check(row, key, "d_model", static_cast<double>(shipped.d_model), 0);
  comparison.check(row, key, "d_ff", static_cast<double>(shipped.stack[0].ffn->d_ff), 0);
  comparison.check(row, key, "n_embedding", static_cast<double>(shipped.vocabulary * shipped.d_model), kParameters);
  std::map<std::string, int64_t> layers;
  for (const spec::BlockConfig& block : shipped.stack) ++layers[block.name];
  const auto corrected = layers_of(row, row.text("family"));
  if (all_hybrid) return;
  for (const auto& [column, name] : std::map<std::string, std::string>{
           {"attn_layers", "A"}, {"swa_layers", "W"}, {"ssm_layers", "M"}, {"hybrid_layers", "H"}})
    EXPECT_EQ(layers[name], corrected.at(column)) << key << " " << name;
}

// Lines without reasons, in file order; every one must have a reason.
static std::vector<std::string> reviewed_list() {
  std::ifstream in(source_path(kList));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t end = line.rfind(" | ");
    EXPECT_GT(line.size(), end + 8) << "no reason: " << line;
    lines.push_back(line.substr(0, end));
  }
  return lines;
}

TEST(PaperTables, DisagreeWithTheFormulaeExactlyWhereTheReviewedListSays) {
  Comparison comparison;
  for (const char* file : {"main_results.csv", "inter_ratio.csv", "inter_position.csv", "intra_ratio_position.csv",
                           "intra_dimension_ratio.csv", "intra_variants.csv", "isoflop_points.csv",
                           "long_pretraining.csv", "model_configs.csv", "decode_throughput.csv"}) {
    std::set<std::string> taken;
    for (PaperRow row : read_paper_table(file)) {
      const std::string key = key_of(row, taken);
      check_average(comparison, row, key);
      if (row.file == "intra_variants.csv") {
        const spec::ModelConfig model = variant_model(row);  // every row builds
        comparison.check(row, key, "layers", static_cast<double>(model.stack.size()), 0);
        comparison.check(row, key, "n_nonembedding", static_cast<double>(spec::account(model).params.non_embedding),
                         kParameters);
        continue;
      }
      if (row.file == "isoflop_points.csv") {
        // as many layers as the shipped config of its size
        const spec::ModelConfig model = shipped_model(row.text("family"), row.text("size"), {});
        for (const spec::BlockConfig& block : model.stack) {
          std::string& count = row.cells[block.name == "A"   ? "attn_layers"
                                         : block.name == "M" ? "ssm_layers"
                                                             : "hybrid_layers"];
          count = std::to_string(count.empty() ? 1 : std::stoi(count) + 1);
        }
        row.cells["block_ratio"] = "1:5";
      }
      if (row.file == "intra_dimension_ratio.csv") row.cells["block_ratio"] = row.cells["dimension_ratio"];
      check_costs(comparison, row, key);
      if (row.file == "model_configs.csv") check_shape(comparison, row, key);
    }
  }
  EXPECT_GT(comparison.compared(), 700);
  const std::vector<std::string> reviewed = reviewed_list();
  for (const std::string& line : comparison.found())
    EXPECT_THAT(reviewed, testing::Contains(line)) << "a new disagreement; judge it, then add it to " << kList;
  for (const std::string& line : reviewed)
    EXPECT_THAT(comparison.found(), testing::Contains(line)) << "a disagreement has vanished: why?";
  if (const char* out = std::getenv("HYSCALE_WRITE_DISAGREEMENTS")) {
    std::ofstream to(out);
    for (const std::string& line : comparison.found()) to << line << '\n';
  }
}

TEST(PaperModels, HaveTheParametersOfTheirListsAndHardlyMoreThanThePaperCounts) {
  for (const char* family : {"llama", "swa", "mamba", "inter_hybrid", "intra_hybrid"})
    for (const char* size : {"100M", "350M", "1B", "3B"}) {
      const spec::ModelConfig model = shipped_model(family, size, {});
      int64_t listed = 0, paper = 0;
      for (const spec::ParameterSpec& parameter : spec::parameter_list(model)) listed += parameter.count();
      for (const spec::BlockConfig& block : model.stack)
        paper += block.mixer->paper_parameters(model.d_model) + 3 * model.d_model * block.ffn->d_ff;
      const spec::ParameterCounts counts = spec::account(model).params;
      EXPECT_EQ(counts.total, listed) << family << size;
      EXPECT_EQ(counts.non_embedding, listed - model.vocabulary * model.d_model) << family << size;
      EXPECT_GT(counts.non_embedding, paper) << "norms and biases";
      EXPECT_NEAR(static_cast<double>(counts.non_embedding) / static_cast<double>(paper), 1, 5e-4) << family << size;
    }
}

}  // namespace hyscale::tests
