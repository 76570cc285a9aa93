#include "tests/spec/paper_variants.h"

#include <fmt/format.h>

namespace hyscale::tests {

static const std::string& word(const PaperRow& row, const std::string& column,
                               const std::map<std::string, std::string>& words) {
  return words.at(row.has(column) ? row.text(column) : "");
}

static std::string attention(int64_t qk_dim, int64_t d_model) {
  return fmt::format("{{kind: attention, heads: 16, kv_heads: 4, head_dim: {}, value_dim: {}}}", qk_dim / 16, d_model);
}

static std::string mamba(int64_t d_ssm) {
  return fmt::format("{{kind: mamba2, d_ssm: {}, head_dim: {}, d_state: 128}}", d_ssm, d_ssm / 16);
}

static std::string branches(const PaperRow& row, int64_t d_model) {
  const std::string& module = row.text("module");
  const bool wide = row.text("out_proj") == "sep" || row.text("fusion") == "concat";
  const int64_t qk_dim = !wide ? d_model / 2 : d_model == 2048 ? 1152 : 896;
  if (module == "T/T") return attention(d_model / 2, d_model) + ", " + attention(d_model / 2, d_model);
  if (module == "M/M") return mamba(d_model) + ", " + mamba(d_model);
  return mamba(wide ? 2 * qk_dim : d_model) + ", " + attention(qk_dim, d_model);
}

spec::ModelConfig variant_model(const PaperRow& row) {
  const std::string &label = row.text("label"), &size = row.text("size");
  if (label == "llama" || label == "mamba") return shipped_model(label, size, {});
  const int64_t d_model = size == "1B" ? 2048 : 1536, layers = row.has("layers") ? row.count("layers") : 13;
  const std::string block = fmt::format(
      "{{kind: hybrid, branches: [{}], norm: {}, scale: {}, fusion: {}, value: {}, output: {}}}",
      branches(row, d_model), word(row, "norm", {{"none", "none"}, {"group", "group"}}),
      word(row, "scalar",
           {{"none", "none"}, {"scale", "per_channel"}, {"gate", "gate"}, {"diff_t", "diff"}, {"diff_m", "diff"}}),
      word(row, "fusion", {{"add", "add"}, {"diff", "subtract"}, {"concat", "concat"}}),
      word(row, "value", {{"", "separate"}, {"sep", "separate"}, {"joint", "joint"}}),
      word(row, "out_proj", {{"sep", "separate"}, {"joint", "joint"}}));
  return shipped_model("intra_hybrid", size,
                       {"model.mixers.H=" + block, "model.stack=" + std::string(static_cast<size_t>(layers), 'H')});
}

}  // namespace hyscale::tests
