#include <cmath>

#include <nlohmann/json.hpp>

#include "exchange/model_config.h"

namespace hyscale::exchange {
namespace {

using Json = nlohmann::ordered_json;

Json id_or_null(int64_t id) { return id < 0 ? Json() : Json(id); }

/// The fraction that transformers turns into the same number of channels: int(head_dim × fraction).
double rotary_fraction(const spec::AttentionSpec& attention) {
  const int64_t channels = attention.rope->channels(attention.head_dim);
  const auto seen = [&](double fraction) {
    return static_cast<int64_t>(static_cast<double>(attention.head_dim) * fraction);
  };
  if (seen(attention.rope->fraction) == channels) return attention.rope->fraction;
  const double exact = static_cast<double>(channels) / static_cast<double>(attention.head_dim);
  return seen(exact) == channels ? exact : std::nextafter(exact, 1.0);
}

Json rope_json(const spec::AttentionSpec& attention, RopeRule rule) {
  const spec::Rope& rope = *attention.rope;
  Json json{{"rope_type", rope.scaling ? "llama3" : "default"}, {"rope_theta", rope.theta}};
  if (rope.scaling) {
    json["factor"] = rope.scaling->factor;
    json["low_freq_factor"] = rope.scaling->low_freq_factor;
    json["high_freq_factor"] = rope.scaling->high_freq_factor;
    json["original_max_position_embeddings"] = rope.scaling->original_context;
  }
  if (rule == RopeRule::part) json["partial_rotary_factor"] = rotary_fraction(attention);
  return json;
}

// A class that knows attention wants its shape even where no layer has any.
void add_attention(Json& json, const spec::AttentionSpec* attention, const HomeRules& home) {
  json["num_attention_heads"] = attention ? attention->heads : 1;
  json["num_key_value_heads"] = attention ? attention->kv_heads : 1;
  if (attention) json["head_dim"] = attention->head_dim;
  json["attention_bias"] = false;
  json["attention_dropout"] = 0.0;
  if (!attention || home.rope == RopeRule::without) return;
  json["rope_parameters"] = rope_json(*attention, home.rope);
  json["rope_theta"] = attention->rope->theta;
  if (attention->rope->scaling) json["rope_scaling"] = json["rope_parameters"];
}

void add_mamba2(Json& json, const spec::Mamba2Spec* mamba2, int64_t d_model) {
  const spec::Mamba2Spec shape = mamba2 ? *mamba2 : [&] {
    spec::Mamba2Spec none;  // no layer has it; the class still checks that it fits d_model
    none.d_ssm = none.head_dim = d_model;
    none.d_state = 16;
    return none;
  }();
  json["mamba_expand"] = std::max<int64_t>(1, shape.d_ssm / d_model);
  json["mamba_n_heads"] = shape.heads();
  json["mamba_d_head"] = shape.head_dim;
  json["mamba_d_state"] = shape.d_state;
  json["mamba_n_groups"] = shape.groups;
  json["mamba_d_conv"] = shape.conv;
  json["mamba_chunk_size"] = shape.chunk;
  json["mamba_conv_bias"] = true;
  json["mamba_proj_bias"] = false;
}

void add_mamba2_alone(Json& json, const spec::Mamba2Spec& mamba2, int64_t d_model) {
  json["expand"] = mamba2.d_ssm / d_model;
  json["num_heads"] = mamba2.heads();
  json["head_dim"] = mamba2.head_dim;
  json["state_size"] = mamba2.d_state;
  json["n_groups"] = mamba2.groups;
  json["conv_kernel"] = mamba2.conv;
  json["chunk_size"] = mamba2.chunk;
  json["use_bias"] = false;
  json["use_conv_bias"] = true;
}

Json layers_of(const spec::ModelConfig& model, const char* kind) {
  Json list = Json::array();
  for (size_t n = 0; n < model.stack.size(); ++n)
    if (model.stack[n].mixer->kind() == kind) list.push_back(n);
  return list;
}

void add_granite(Json& json, const spec::ModelConfig& model, const spec::AttentionSpec* attention) {
  json["layer_types"] = Json::array();
  for (const spec::BlockConfig& block : model.stack)
    json["layer_types"].push_back(block.mixer->kind() == "attention" ? "full_attention" : "linear_attention");
  json["position_embedding_type"] = "nope";
  json["num_local_experts"] = 0;
  json["num_experts_per_tok"] = 0;
  json["attention_multiplier"] = attention ? 1 / std::sqrt(static_cast<double>(attention->head_dim)) : 1.0;
  for (const char* key : {"embedding_multiplier", "logits_scaling", "residual_multiplier"}) json[key] = 1.0;
}

void add_falcon(Json& json, const Shapes& shapes) {
  json["mamba_d_ssm"] = shapes.mamba2->d_ssm;
  json["mamba_rms_norm"] = false;
  json["mamba_norm_before_gate"] = false;
  json["projectors_bias"] = false;
  for (const char* key : {"attention_in_multiplier", "attention_out_multiplier", "embedding_multiplier",
                          "key_multiplier", "lm_head_multiplier", "ssm_in_multiplier", "ssm_out_multiplier"})
    json[key] = 1.0;
  json["mlp_multipliers"] = std::vector<double>(2, 1.0);
  json["ssm_multipliers"] = std::vector<double>(5, 1.0);
  if (shapes.hybrid->fusion != spec::HybridFusion::subtract) return;
  const bool attention_is_second = shapes.hybrid->branches[1]->kind() == "attention";
  json[attention_is_second ? "attention_out_multiplier" : "ssm_out_multiplier"] = -1.0;
}

}  // namespace

// transformers 5 makes its caches ask an attention layer for their length, also where these classes have none.
static bool uses_cache(Home home, const spec::ModelConfig& model) {
  return home == Home::mamba2 || shapes_of(model).attention != nullptr;
}

Json generation_config_json(Home home, const spec::ModelConfig& model, FrameIds ids) {
  return {{"bos_token_id", id_or_null(ids.bos)},
          {"eos_token_id", id_or_null(ids.eos)},
          {"use_cache", uses_cache(home, model)}};
}

Json config_json(Home home, const spec::ModelConfig& model, FrameIds ids, const char* dtype) {
  const HomeRules& rules = rules_of(home);
  const Shapes shapes = shapes_of(model);
  Json json{{"architectures", {rules.class_name}},
            {"model_type", rules.model_type},
            {"vocab_size", model.vocabulary},
            {"hidden_size", model.d_model},
            {"num_hidden_layers", model.stack.size()}};
  json["tie_word_embeddings"] = true;
  json["hidden_act"] = "silu";
  json[home == Home::mamba2 ? "layer_norm_epsilon" : "rms_norm_eps"] = model.norm_epsilon;
  if (home == Home::mamba2) {
    add_mamba2_alone(json, *shapes.mamba2, model.d_model);
  } else {
    json["max_position_embeddings"] = model.context;
    json[home == Home::granite ? "shared_intermediate_size" : "intermediate_size"] = shapes.d_ff;
    if (home != Home::granite) json["mlp_bias"] = false;
    add_attention(json, shapes.attention, rules);
  }
  if (home == Home::bamba || home == Home::granite || home == Home::falcon)
    add_mamba2(json, shapes.mamba2, model.d_model);
  if (home == Home::bamba) json["attn_layer_indices"] = layers_of(model, "attention");
  if (home == Home::granite) add_granite(json, model, shapes.attention);
  if (home == Home::falcon) add_falcon(json, shapes);
  json["bos_token_id"] = id_or_null(ids.bos);
  json["eos_token_id"] = id_or_null(ids.eos);
  json["pad_token_id"] = nullptr;
  json["dtype"] = dtype;
  json["use_cache"] = uses_cache(home, model);
  return json;
}

}  // namespace hyscale::exchange
