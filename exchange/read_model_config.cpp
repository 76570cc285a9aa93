#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "exchange/foreign_config.h"
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

constexpr const char* kNoBias = "our projections have no biases";
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

  // --- shapes

  std::shared_ptr<spec::AttentionSpec> read_attention(bool any_layer) {
    auto attention = std::make_shared<spec::AttentionSpec>();
    attention->heads = config_.count("num_attention_heads");
    attention->kv_heads = config_.count("num_key_value_heads", attention->heads);
    attention->head_dim = config_.count("head_dim", std::max<int64_t>(1, result_.model.d_model / attention->heads));
    attention->value_dim = attention->q_width();
    config_.must_be("attention_bias", false, false, kNoBias);
    if (attention->heads % attention->kv_heads != 0)
      config_.complain(fmt::format("num_attention_heads = {} is not a multiple of num_key_value_heads = {}",
                                   attention->heads, attention->kv_heads));
    const std::optional<spec::Rope> rope = read_rope(any_layer ? attention->head_dim : 0);
    if (!is(Home::granite) || config_.text("position_embedding_type", "") == "rope") attention->rope = rope;
    return attention;
  }

  std::optional<spec::Rope> read_rope(int64_t head_dim) {
    spec::Rope rope;
    nlohmann::json parameters = config_.value("rope_parameters");
    const nlohmann::json& older = config_.value("rope_scaling");
    if (!parameters.is_object()) parameters = older.is_object() ? older : nlohmann::json::object();
    const double older_theta = config_.number("rope_theta", 10000);
    const double older_fraction = config_.number("partial_rotary_factor", is(Home::bamba) ? 0.5 : 1);
    const auto number = [&](const char* key, double otherwise) {
      const nlohmann::json found = parameters.value(key, nlohmann::json());
      if (!found.is_null() && !found.is_number())
        config_.complain(fmt::format("rope_parameters.{} is {}, no number", key, found.dump()));
      return found.is_number() ? found.get<double>() : otherwise;
    };
    const std::string type = parameters.value("rope_type", parameters.value("type", std::string("default")));
    rope.theta = number("rope_theta", older_theta);
    const double fraction = number("partial_rotary_factor", older_fraction);
    if (is(Home::bamba)) {
      rope.fraction = fraction;
    } else if (fraction != 1) {
      config_.complain(fmt::format("partial_rotary_factor is {}: {} turns whole heads", fraction, home_->class_name));
    }
    if (static_cast<int64_t>(static_cast<double>(head_dim) * rope.fraction) % 2 != 0)
      config_.complain(fmt::format("head_dim × partial_rotary_factor = {} × {} is odd", head_dim, rope.fraction));
    if (type == "llama3") {
      const spec::Llama3Scaling usual;
      rope.scaling = {.factor = number("factor", usual.factor),
                      .low_freq_factor = number("low_freq_factor", usual.low_freq_factor),
                      .high_freq_factor = number("high_freq_factor", usual.high_freq_factor),
                      .original_context = static_cast<int64_t>(
                          number("original_max_position_embeddings", static_cast<double>(usual.original_context)))};
    } else if (type != "default") {
      config_.complain(fmt::format("rope_type is {}: default and llama3 are known here", type));
    }
    return rope;
  }

  std::shared_ptr<spec::Mamba2Spec> read_mamba2() {
    auto mamba2 = std::make_shared<spec::Mamba2Spec>();
    const bool alone = is(Home::mamba2);
    const auto key = [&](const char* here, const char* there) { return alone ? here : there; };
    const int64_t heads = config_.count(key("num_heads", "mamba_n_heads"));
    const int64_t expansion = config_.count(key("expand", "mamba_expand"), 2);
    mamba2->d_ssm = expansion * result_.model.d_model;
    if (is(Home::falcon)) mamba2->d_ssm = config_.count("mamba_d_ssm", mamba2->d_ssm);
    const std::string width = key("head_dim", "mamba_d_head");
    mamba2->head_dim = config_.value(width) == "auto"
                           ? std::max<int64_t>(1, mamba2->d_ssm / heads)
                           : config_.count(width, std::max<int64_t>(1, mamba2->d_ssm / heads));
    if (mamba2->head_dim * heads != mamba2->d_ssm)
      config_.complain(
          fmt::format("{} heads of {} channels do not make up {}", heads, mamba2->head_dim, mamba2->d_ssm));
    mamba2->d_state = config_.count(key("state_size", "mamba_d_state"));
    mamba2->groups = mamba2->norm_groups = config_.count(key("n_groups", "mamba_n_groups"), alone ? 8 : 1);
    if (heads % mamba2->groups != 0)
      config_.complain(fmt::format("{} groups of B and C do not divide {} heads", mamba2->groups, heads));
    mamba2->conv = config_.count(key("conv_kernel", "mamba_d_conv"), 4);
    mamba2->chunk = config_.count(key("chunk_size", "mamba_chunk_size"), 256);
    config_.must_be(key("use_conv_bias", "mamba_conv_bias"), true, true, "our convolution has one");
    config_.must_be(key("use_bias", "mamba_proj_bias"), false, false, kNoBias);
    read_time_steps();
    return mamba2;
  }

  // [0, infinity], written as Infinity, as {"__float__": "Infinity"}, or as a number that no time step reaches
  void read_time_steps() {
    const nlohmann::json& limit = config_.value("time_step_limit");
    if (limit.is_null()) return;
    constexpr double kEndless = 1e30;
    const auto endless = [](nlohmann::json value) {
      if (value.is_object()) value = value.value("__float__", nlohmann::json());
      return value == "Infinity" || (value.is_number() && value.get<double>() >= kEndless);
    };
    if (!limit.is_array() || limit.size() != 2 || !limit[0].is_number() || limit[0].get<double>() > 0 ||
        !endless(limit[1]))
      config_.complain(fmt::format("time_step_limit is {}: ours are not cut off", limit.dump()));
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
      const nlohmann::json& types = newer.is_array() ? newer : older;
      if (!types.is_null() && types.size() != is_attention.size())
        config_.complain(fmt::format("layer_types names {} of {} layers", types.size(), layers_));
      for (size_t n = 0; n < std::min(types.size(), is_attention.size()); ++n) {
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
    for (const char* key : {"mlp_multipliers", "ssm_multipliers"})
      for (const nlohmann::json& factor : config_.value(key))
        if (factor != 1.0) config_.complain(fmt::format("{} has {}: {}", key, factor.dump(), kNoMultiplier));
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
    const auto attention = is(Home::mamba2) ? nullptr : read_attention(any);
    const auto mamba2 = is(Home::llama) ? nullptr : read_mamba2();
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
