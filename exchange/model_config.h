#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "exchange/homes.h"

namespace hyscale::exchange {

/// Ids of the tokens that begin and end documents; -1: there is none.
struct FrameIds {
  int64_t bos = -1, eos = -1;
};

/// config.json of a model that `home` can hold, as transformers 5 writes it, with rope_theta and rope_scaling for older
/// readers.
nlohmann::ordered_json config_json(Home home, const spec::ModelConfig& model, FrameIds ids, const char* dtype);

/// generation_config.json.
nlohmann::ordered_json generation_config_json(Home home, const spec::ModelConfig& model, FrameIds ids);

/// A model as config.json tells it.
struct ForeignModel {
  Home home = Home::llama;
  spec::ModelConfig model;  // blocks A, M, H; context is max_position_embeddings, 0 where that is not said
};
/// Reads it. Throws ConfigError with everything that our models cannot be: another class, biases, an untied head, other
/// rope types, multipliers other than 1, and keys that nobody here knows.
ForeignModel read_model_config(const std::string& path);

/// What config.json at `path` says of the model otherwise than `wanted`: "num_attention_heads is 4, not 8".
std::vector<std::string> differences(const std::string& path, const nlohmann::ordered_json& wanted);

/// The file as JSON, where NaN and Infinity may be written in Python's way. Throws ConfigError.
nlohmann::json read_python_json(const std::string& path);

}  // namespace hyscale::exchange
