#include "exchange/foreign_shapes.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace hyscale::exchange {
namespace {

const std::set<std::string> kRopeKeys = {"rope_type",
                                         "type",
                                         "rope_theta",
                                         "factor",
                                         "low_freq_factor",
                                         "high_freq_factor",
                                         "original_max_position_embeddings",
                                         "partial_rotary_factor"};

spec::Rope read_rope(ForeignConfig& config, const HomeRules& home, int64_t head_dim) {
  spec::Rope rope;
  nlohmann::json parameters = config.value("rope_parameters");
  const nlohmann::json& older = config.value("rope_scaling");
  for (const nlohmann::json* one : {&std::as_const(parameters), &older})
    if (!one->is_null() && !one->is_object())
      config.complain(fmt::format("the rope parameters are {}, no object", one->dump()));
  if (!parameters.is_object()) parameters = older.is_object() ? older : nlohmann::json::object();
  for (const auto& [key, ignored] : parameters.items())
    if (!kRopeKeys.contains(key))
      config.complain(fmt::format("rope_parameters.{} is a key that is not known here", key));
  const double older_theta = config.number("rope_theta", 10000);
  const double older_fraction = config.number("partial_rotary_factor", home.home == Home::bamba ? 0.5 : 1);
  const auto number = [&](const char* key, double otherwise) {
    const nlohmann::json found = parameters.value(key, nlohmann::json());
    if (!found.is_null() && !found.is_number())
      config.complain(fmt::format("rope_parameters.{} is {}, no number", key, found.dump()));
    return found.is_number() ? found.get<double>() : otherwise;
  };
  const nlohmann::json type = parameters.value("rope_type", parameters.value("type", nlohmann::json("default")));
  rope.theta = number("rope_theta", older_theta);
  const double fraction = number("partial_rotary_factor", older_fraction);
  if (home.home == Home::bamba) {
    rope.fraction = fraction;
  } else if (fraction != 1) {
    config.complain(fmt::format("partial_rotary_factor is {}: {} turns whole heads", fraction, home.class_name));
  }
  if (static_cast<int64_t>(static_cast<double>(head_dim) * rope.fraction) % 2 != 0)
    config.complain(fmt::format("head_dim × partial_rotary_factor = {} × {} is odd", head_dim, rope.fraction));
  if (type == "llama3") {
    const spec::Llama3Scaling usual;
    rope.scaling = {.factor = number("factor", usual.factor),
                    .low_freq_factor = number("low_freq_factor", usual.low_freq_factor),
                    .high_freq_factor = number("high_freq_factor", usual.high_freq_factor),
                    .original_context = static_cast<int64_t>(
                        number("original_max_position_embeddings", static_cast<double>(usual.original_context)))};
  } else if (type != "default") {
    config.complain(fmt::format("rope_type is {}: default and llama3 are known here", type.dump()));
  }
  return rope;
}

// [0, infinity], written as Infinity, as {"__float__": "Infinity"}, or as a number that no time step reaches
void check_time_steps(ForeignConfig& config) {
  const nlohmann::json& limit = config.value("time_step_limit");
  if (limit.is_null()) return;
  constexpr double kEndless = 1e30;
  const auto endless = [](nlohmann::json value) {
    if (value.is_object()) value = value.value("__float__", nlohmann::json());
    return value == "Infinity" || (value.is_number() && value.get<double>() >= kEndless);
  };
  if (!limit.is_array() || limit.size() != 2 || !limit[0].is_number() || limit[0].get<double>() > 0 ||
      !endless(limit[1]))
    config.complain(fmt::format("time_step_limit is {}: ours are not cut off", limit.dump()));
}

}  // namespace

std::shared_ptr<spec::AttentionSpec> read_attention(ForeignConfig& config, const HomeRules& home, int64_t d_model,
                                                    bool used) {
  auto attention = std::make_shared<spec::AttentionSpec>();
  attention->heads = config.count("num_attention_heads");
  attention->kv_heads = config.count("num_key_value_heads", attention->heads);
  attention->head_dim = config.count("head_dim", std::max<int64_t>(1, d_model / attention->heads));
  attention->value_dim = attention->q_width();
  config.must_be("attention_bias", false, false, kNoBias);
  if (attention->heads % attention->kv_heads != 0)
    config.complain(fmt::format("num_attention_heads = {} is not a multiple of num_key_value_heads = {}",
                                attention->heads, attention->kv_heads));
  const spec::Rope rope = read_rope(config, home, used ? attention->head_dim : 0);
  if (home.home != Home::granite || config.text("position_embedding_type", "") == "rope") attention->rope = rope;
  return attention;
}

std::shared_ptr<spec::Mamba2Spec> read_mamba2(ForeignConfig& config, const HomeRules& home, int64_t d_model) {
  auto mamba2 = std::make_shared<spec::Mamba2Spec>();
  const bool alone = home.home == Home::mamba2;
  const auto key = [&](const char* here, const char* there) { return alone ? here : there; };
  const int64_t heads = config.count(key("num_heads", "mamba_n_heads"));
  const int64_t expansion = config.count(key("expand", "mamba_expand"), 2);
  mamba2->d_ssm = expansion * d_model;
  if (home.home == Home::falcon) mamba2->d_ssm = config.count("mamba_d_ssm", mamba2->d_ssm);
  const std::string width = key("head_dim", "mamba_d_head");
  mamba2->head_dim = config.value(width) == "auto" ? std::max<int64_t>(1, mamba2->d_ssm / heads)
                                                   : config.count(width, std::max<int64_t>(1, mamba2->d_ssm / heads));
  if (mamba2->head_dim * heads != mamba2->d_ssm)
    config.complain(fmt::format("{} heads of {} channels do not make up {}", heads, mamba2->head_dim, mamba2->d_ssm));
  mamba2->d_state = config.count(key("state_size", "mamba_d_state"));
  mamba2->groups = mamba2->norm_groups = config.count(key("n_groups", "mamba_n_groups"), alone ? 8 : 1);
  if (heads % mamba2->groups != 0)
    config.complain(fmt::format("{} groups of B and C do not divide {} heads", mamba2->groups, heads));
  mamba2->conv = config.count(key("conv_kernel", "mamba_d_conv"), 4);
  mamba2->chunk = config.count(key("chunk_size", "mamba_chunk_size"), 256);
  config.must_be(key("use_conv_bias", "mamba_conv_bias"), true, true, "our convolution has one");
  config.must_be(key("use_bias", "mamba_proj_bias"), false, false, kNoBias);
  check_time_steps(config);
  return mamba2;
}

}  // namespace hyscale::exchange
