#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "exchange/foreign_config.h"
#include "exchange/foreign_shapes.h"
#include "exchange/model_config.h"

namespace hyscale::exchange {
namespace {

// Training's and generation's keys, and those that no class here reads.
const std::set<std::string> kHarmless = {"_name_or_path",
                                         "architectures",
                                         "attention_dropout",
                                         "bos_token_id",
                                         "dtype",
                                         "eos_token_id",
                                         "initializer_range",
                                         "init_method",
                                         "max_position_embeddings",
                                         "model_type",
                                         "normalization_function",
                                         "num_experts_per_tok",
                                         "num_logits_to_keep",
                                         "output_router_logits",
                                         "pad_token_id",
                                         "pretraining_tp",
                                         "rescale_prenorm_residual",
                                         "residual_in_fp32",
                                         "router_aux_loss_coef",
                                         "time_step_floor",
                                         "time_step_max",
                                         "time_step_min",
                                         "time_step_rank",
                                         "torch_dtype",
                                         "transformers_version",
                                         "use_cache",
                                         "z_loss_coefficient"};

constexpr const char* kNoMultiplier = "our models have no such multiplier";

class Reader {
 public:
  explicit Reader(const std::string& path) : config_(read_python_json(path), path) {}

  ForeignModel read() {
    const std::string type = config_.text("model_type", "");
    const auto found = std::find_if(all_homes().begin(), all_homes().end(),
                                    [&](const HomeRules& home) { return type == home.model_type; });
    if (found == all_homes().end()) {
      std::vector<std::string> types;
      for (const HomeRules& home : all_homes()) types.emplace_back(home.model_type);
      config_.complain(fmt::format("model_type is '{}'", type), fmt::format("{} can be read", fmt::join(types, ", ")));
      config_.ignore(config_.keys());
      config_.finish();
    }
    result_.home = found->home;
    home_ = &*found;
    read_common();
    build_stack();
    config_.ignore(kHarmless);
    config_.finish();
    return std::move(result_);
  }

 private:
  bool is(Home home) const { return result_.home == home; }

  void read_common() {
    spec::ModelConfig& model = result_.model;
    model.vocabulary = config_.count("vocab_size");
    model.d_model = config_.count("hidden_size");
    layers_ = config_.count("num_hidden_layers");
    model.context = is(Home::mamba2) ? 0 : config_.count("max_position_embeddings", 1);
    model.norm_epsilon = is(Home::mamba2)                       ? config_.number("layer_norm_epsilon", 1e-5)
                         : is(Home::llama) || is(Home::granite) ? config_.number("rms_norm_eps", 1e-6)
                                                                : config_.number("rms_norm_eps", 1e-5);
    config_.must_be("tie_word_embeddings", true, false, "the head is a matrix of its own; ours is the embedding");
    if (const std::string act = config_.text("hidden_act", "silu"); act != "silu")
      config_.complain(fmt::format("hidden_act is {}: ours is silu", act));
  }

  std::optional<spec::SwigluConfig> read_ffn() {
    if (is(Home::mamba2)) return std::nullopt;
    if (!is(Home::granite)) config_.must_be("mlp_bias", false, false, kNoBias);
    if (is(Home::granite)) config_.value("intermediate_size");  // of experts, which must be absent
    return spec::SwigluConfig{.d_ff =
                                  config_.count(is(Home::granite) ? "shared_intermediate_size" : "intermediate_size")};
  }

  // --- what only one class has

  /// Layers that are attention.
  std::vector<bool> attention_layers() {
    std::vector<bool> is_attention(static_cast<size_t>(std::min<int64_t>(layers_, 100000)), is(Home::llama));
    if (is(Home::bamba)) {
      for (const nlohmann::json& index : config_.value("attn_layer_indices"))
        if (index.is_number_unsigned() && index.get<size_t>() < is_attention.size())
          is_attention[index.get<size_t>()] = true;
        else
          config_.complain(fmt::format("attn_layer_indices has {}, no layer of {}", index.dump(), layers_));
      for (const char* key : {"layer_types", "layers_block_type"}) config_.value(key);
    }
    if (is(Home::granite)) {
      const nlohmann::json newer = config_.value("layer_types"), older = config_.value("layers_block_type");
      const nlohmann::json& types = newer.is_null() ? older : newer;
      if (!types.is_null() && (!types.is_array() || types.size() != is_attention.size())) {
        config_.complain(fmt::format("layer_types is no list of {} layers", layers_));
        return is_attention;
      }
      for (size_t n = 0; n < types.size(); ++n) {
        is_attention[n] = types[n] == "full_attention" || types[n] == "attention";
        if (!is_attention[n] && types[n] != "linear_attention" && types[n] != "mamba")
          config_.complain(fmt::format("layer_types has {}", types[n].dump()));
      }
    }
    return is_attention;
  }

  void check_granite(const spec::AttentionSpec* attention) {
    if (const nlohmann::json& experts = config_.value("num_local_experts"); experts != 0)
      config_.complain(fmt::format("num_local_experts is {}: a mixture of experts cannot be read",
                                   experts.is_null() ? "8 by default" : experts.dump()));
    const std::string positions = config_.text("position_embedding_type", "nope");
    if (positions != "nope" && positions != "rope")
      config_.complain(fmt::format("position_embedding_type is {}: nope and rope are known here", positions));
    const double usual = attention ? 1 / std::sqrt(static_cast<double>(attention->head_dim)) : 1;
    if (attention)
      config_.must_be("attention_multiplier", usual, 1, "our scores are scaled by 1/√head_dim");
    else
      config_.value("attention_multiplier");
    for (const char* key : {"embedding_multiplier", "logits_scaling", "residual_multiplier"})
      config_.must_be(key, 1.0, 1.0, kNoMultiplier);
  }

  std::shared_ptr<spec::HybridSpec> read_hybrid(std::shared_ptr<spec::AttentionSpec> attention,
                                                std::shared_ptr<spec::Mamba2Spec> mamba2) {
    config_.must_be("mamba_rms_norm", false, false, "the Mamba branch has a norm, attention has none");
    config_.value("mamba_norm_before_gate");  // of that norm
    config_.must_be("projectors_bias", false, false, kNoBias);
    for (const char* key : {"attention_in_multiplier", "embedding_multiplier", "key_multiplier", "lm_head_multiplier",
                            "ssm_in_multiplier"})
      config_.must_be(key, 1.0, 1.0, kNoMultiplier);
    for (const auto& [key, count] : {std::pair("mlp_multipliers", 2), std::pair("ssm_multipliers", 5)}) {
      const nlohmann::json& factors = config_.value(key);
      if (!factors.is_null() && factors != nlohmann::json(std::vector<double>(static_cast<size_t>(count), 1.0)))
        config_.complain(fmt::format("{} is {}, not {} ones: {}", key, factors.dump(), count, kNoMultiplier));
    }
    const double of_attention = config_.number("attention_out_multiplier", 1),
                 of_ssm = config_.number("ssm_out_multiplier", 1);
    auto hybrid = std::make_shared<spec::HybridSpec>();
    hybrid->norm = spec::HybridNorm::none;
    hybrid->fusion = of_attention == 1 && of_ssm == 1 ? spec::HybridFusion::add : spec::HybridFusion::subtract;
    mamba2->gated_norm = false;
    mamba2->norm_groups = 1;
    hybrid->branches = {mamba2, attention};
    if (of_ssm == -1 && of_attention == 1) hybrid->branches = {attention, mamba2};
    if (std::abs(of_attention) != 1 || std::abs(of_ssm) != 1 || of_attention + of_ssm < 0)
      config_.complain(
          fmt::format("attention_out_multiplier is {} and ssm_out_multiplier {}: branches are added (1 and 1) "
                      "or subtracted (one of them −1)",
                      of_attention, of_ssm));
    return hybrid;
  }

  void build_stack() {
    const std::vector<bool> is_attention = attention_layers();
    const bool any =
        is(Home::falcon) || std::find(is_attention.begin(), is_attention.end(), true) != is_attention.end();
    const auto attention = is(Home::mamba2) ? nullptr : read_attention(config_, *home_, result_.model.d_model, any);
    const auto mamba2 = is(Home::llama) ? nullptr : read_mamba2(config_, *home_, result_.model.d_model);
    const auto ffn = read_ffn();
    if (is(Home::granite)) check_granite(any ? attention.get() : nullptr);
    const auto hybrid = is(Home::falcon) ? read_hybrid(attention, mamba2) : nullptr;
    for (const bool of_attention : is_attention)
      result_.model.stack.push_back(hybrid         ? spec::BlockConfig{.name = "H", .mixer = hybrid, .ffn = ffn}
                                    : of_attention ? spec::BlockConfig{.name = "A", .mixer = attention, .ffn = ffn}
                                                   : spec::BlockConfig{.name = "M", .mixer = mamba2, .ffn = ffn});
  }

  ForeignConfig config_;
  const HomeRules* home_ = nullptr;
  ForeignModel result_;
  int64_t layers_ = 0;
};

}  // namespace

ForeignModel read_model_config(const std::string& path) { return Reader(path).read(); }

}  // namespace hyscale::exchange
