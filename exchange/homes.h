#pragma once

#include <string>
#include <vector>

#include "core/mixers/attention/attention_spec.h"
#include "core/mixers/hybrid/hybrid_spec.h"
#include "core/mixers/mamba2/mamba2_spec.h"
#include "core/spec/run_config.h"

namespace hyscale::exchange {

/// Model classes of Hugging Face's transformers that hold some of our stacks. docs/exchange.md has the table.
enum class Home { llama, mamba2, bamba, granite, falcon };

enum class RopeRule {
  whole,    // every channel of every head turns
  part,     // the first channels turn (partial_rotary_factor)
  without,  // positions are not marked: NoPE
};

/// What a class asks of a stack. All of them have one shape of attention, of Mamba and of feed-forward layer.
struct HomeRules {
  Home home;
  const char* class_name;
  const char* model_type;
  bool attention, mamba2;        // layers of this kind
  bool hybrid;                   // layers of two branches, and no others
  bool ffn;                      // true: in every layer; false: in none
  RopeRule rope;                 // of attention
  bool whole_expansion = false;  // d_ssm is a whole multiple of d_model
  bool heads_divide_width = false;
};
const std::vector<HomeRules>& all_homes();
const HomeRules& rules_of(Home home);

/// One reason why a class cannot hold a stack; `at` leads to the value in run.yaml.
struct Unfit {
  std::string what, remedy;
  std::vector<std::string> at;
};
/// Every reason why `home` cannot hold the model; empty: it can.
std::vector<Unfit> reasons_against(const HomeRules& home, const spec::ModelConfig& model);

/// The first class that holds the model. Throws ConfigError with all reasons against the class or classes that come
/// nearest, each at its place in `run_yaml`, the file that the model was read from.
Home home_of(const spec::ModelConfig& model, const std::string& run_yaml);

/// The attention or Mamba part of a mixer, itself or a branch of it; null when there is none.
const spec::AttentionSpec* attention_of(const spec::MixerSpec& mixer);
const spec::Mamba2Spec* mamba2_of(const spec::MixerSpec& mixer);

/// The shapes of a model that has a home, each that of all its layers; null and 0 where no layer has it.
struct Shapes {
  const spec::AttentionSpec* attention = nullptr;
  const spec::Mamba2Spec* mamba2 = nullptr;
  const spec::HybridSpec* hybrid = nullptr;
  int64_t d_ff = 0;
};
Shapes shapes_of(const spec::ModelConfig& model);

}  // namespace hyscale::exchange
