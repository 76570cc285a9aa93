#include "exchange/tensor_links.h"

#include <fmt/format.h>
#include <map>

#include "core/base/error.h"
#include "core/spec/accounting.h"

namespace hyscale::exchange {
namespace {

/// What a class calls its parts.
struct Names {
  const char *embedding, *final_norm, *layers;  // whole names; "model.layers"
  const char *mixer_norm, *ffn_norm, *ffn;      // inside a layer; nullptr: there is none
  const char* mamba2;
};

const Names& names_of(Home home) {
  static const std::map<Home, Names> all = {
      {Home::llama,
       {"model.embed_tokens", "model.norm", "model.layers", "input_layernorm", "post_attention_layernorm", "mlp",
        nullptr}},
      {Home::mamba2, {"backbone.embeddings", "backbone.norm_f", "backbone.layers", "norm", nullptr, nullptr, "mixer"}},
      {Home::bamba,
       {"model.embed_tokens", "model.final_layernorm", "model.layers", "input_layernorm", "pre_ff_layernorm",
        "feed_forward", "mamba"}},
      {Home::granite,
       {"model.embed_tokens", "model.norm", "model.layers", "input_layernorm", "post_attention_layernorm", "shared_mlp",
        "mamba"}},
      {Home::falcon,
       {"model.embed_tokens", "model.final_layernorm", "model.layers", "input_layernorm", "pre_ff_layernorm",
        "feed_forward", "mamba"}}};
  return all.at(home);
}

class Links {
 public:
  Links(Home home, const spec::ModelConfig& model) : home_(home), names_(names_of(home)), model_(model) {
    for (spec::ParameterSpec& parameter : spec::parameter_list(model))
      shapes_.emplace(std::move(parameter.name), std::move(parameter.shape));
  }

  std::vector<TensorLink> all() {
    whole(fmt::format("{}.weight", names_.embedding), "embedding.weight");
    for (size_t n = 0; n < model_.stack.size(); ++n) add_layer(n);
    whole(fmt::format("{}.weight", names_.final_norm), "final_norm.weight");
    return std::move(links_);
  }

 private:
  struct Window {
    int64_t row = 0, rows = 0, column = 0, columns = 0;
  };

  void part(const std::string& theirs, const std::string& ours, Window window) {
    links_.push_back({.theirs = theirs,
                      .shape = {window.rows, window.columns},
                      .ours = ours,
                      .row = window.row,
                      .rows = window.rows,
                      .column = window.column,
                      .columns = window.columns,
                      .width = shapes_.at(ours).back()});
  }
  void rows(const std::string& theirs, const std::string& ours, int64_t begin, int64_t count) {
    part(theirs, ours, {.row = begin, .rows = count, .columns = shapes_.at(ours)[1]});
  }
  void columns(const std::string& theirs, const std::string& ours, int64_t begin, int64_t count) {
    part(theirs, ours, {.rows = shapes_.at(ours)[0], .column = begin, .columns = count});
  }
  void whole(const std::string& theirs, const std::string& ours) {
    const std::vector<int64_t>& shape = shapes_.at(ours);
    part(theirs, ours, {.rows = shape.size() == 2 ? shape[0] : 1, .columns = shape.back()});
    links_.back().shape = shape;
  }

  void add_layer(size_t n) {
    const spec::BlockConfig& block = model_.stack[n];
    const std::string theirs = fmt::format("{}.{}.", names_.layers, n), ours = fmt::format("layers.{}.", n);
    whole(theirs + names_.mixer_norm + ".weight", ours + "mixer_norm.weight");
    const auto* hybrid = dynamic_cast<const spec::HybridSpec*>(block.mixer.get());
    if (hybrid)
      add_hybrid(*hybrid, theirs, ours + "mixer.");
    else
      add_mixer(*block.mixer, theirs, ours + "mixer.", {.whole = true, .ours = ours + "mixer.out.weight"});
    if (block.ffn) add_ffn(*block.ffn, theirs, ours);
  }

  /// What a mixer's out-projection is here: a whole parameter, or some columns of it.
  struct Out {
    bool whole = true;
    std::string ours;
    int64_t begin = 0, count = 0;  // columns
  };
  void add_out(const std::string& theirs, const Out& out) {
    if (out.whole)
      whole(theirs, out.ours);
    else
      columns(theirs, out.ours, out.begin, out.count);
  }

  // W (a ± b) = W a ± W b: the one joint projection stands for both. W [a ; b] is the sum of two, side by side in W.
  void add_hybrid(const spec::HybridSpec& hybrid, const std::string& theirs, const std::string& ours) {
    int64_t column = 0;
    for (size_t b = 0; b < hybrid.branches.size(); ++b) {
      const std::string branch = fmt::format("{}branches.{}.", ours, b);
      const int64_t width = hybrid.value_width(b);
      Out out{.whole = hybrid.fusion != spec::HybridFusion::concat,
              .ours = (hybrid.output == spec::HybridOutput::joint ? ours : branch) + "out.weight",
              .begin = column,
              .count = width};
      add_mixer(*hybrid.branches[b], theirs, branch, out);
      column += width;
    }
  }

  void add_mixer(const spec::MixerSpec& mixer, const std::string& theirs, const std::string& ours, const Out& out) {
    if (const auto* attention = dynamic_cast<const spec::AttentionSpec*>(&mixer)) {
      const std::string name = theirs + "self_attn.", qkv = ours + "qkv.weight";
      const int64_t q = attention->q_width(), k = attention->k_width();
      rows(name + "q_proj.weight", qkv, 0, q);
      rows(name + "k_proj.weight", qkv, q, k);
      rows(name + "v_proj.weight", qkv, q + k, attention->v_width());
      add_out(name + "o_proj.weight", out);
    } else {
      const std::string name = theirs + names_.mamba2 + ".";
      add_mamba2(dynamic_cast<const spec::Mamba2Spec&>(mixer), name, ours);
      add_out(name + "out_proj.weight", out);
    }
  }

  void add_mamba2(const spec::Mamba2Spec& mamba2, const std::string& theirs, const std::string& ours) {
    whole(theirs + "in_proj.weight", ours + "in.weight");
    whole(theirs + "conv1d.weight", ours + "conv.weight");
    links_.back().shape = {mamba2.conv_width(), 1, mamba2.conv};
    whole(theirs + "conv1d.bias", ours + "conv.bias");
    whole(theirs + "dt_bias", ours + "dt_bias");
    whole(theirs + "A_log", ours + "a_log");
    whole(theirs + "D", ours + "d");
    if (mamba2.gated_norm) whole(theirs + "norm.weight", ours + "norm.weight");
  }

  void add_ffn(const spec::SwigluConfig& ffn, const std::string& theirs, const std::string& ours) {
    whole(theirs + names_.ffn_norm + ".weight", ours + "ffn_norm.weight");
    const std::string name = theirs + names_.ffn + ".", gate_up = ours + "ffn.gate_up.weight";
    if (home_ == Home::granite) {
      whole(name + "input_linear.weight", gate_up);
      whole(name + "output_linear.weight", ours + "ffn.down.weight");
    } else {
      rows(name + "gate_proj.weight", gate_up, 0, ffn.d_ff);
      rows(name + "up_proj.weight", gate_up, ffn.d_ff, ffn.d_ff);
      whole(name + "down_proj.weight", ours + "ffn.down.weight");
    }
  }

  Home home_;
  const Names& names_;
  const spec::ModelConfig& model_;
  std::map<std::string, std::vector<int64_t>> shapes_;
  std::vector<TensorLink> links_;
};

}  // namespace

std::vector<TensorLink> tensor_links(Home home, const spec::ModelConfig& model) { return Links(home, model).all(); }

}  // namespace hyscale::exchange
