#pragma once

#include <fmt/format.h>
#include <map>
#include <string>
#include <vector>

#include "core/spec/accounting.h"
#include "core/spec/run_config.h"
#include "storage/files/checkpoint.h"
#include "tests/support/scratch.h"

namespace hyscale::exchange::tests {

inline const std::string kAttention = "{kind: attention, heads: 4, kv_heads: 2, head_dim: 8, rope: {theta: 10000}}";
inline const std::string kNoPositions = "{kind: attention, heads: 4, kv_heads: 2, head_dim: 8, rope: none}";
inline const std::string kMamba2 = "{kind: mamba2, d_ssm: 48, head_dim: 8, d_state: 8, groups: 2, norm_groups: 2}";
inline const std::string kSwiglu = "{kind: swiglu, d_ff: 40}";
inline const std::string kNone = "{kind: none}";

inline std::string hybrid(const std::string& options, const std::string& first = kMamba2,
                          const std::string& second = kAttention) {
  return fmt::format("{{kind: hybrid, branches: [{}, {}], {}}}", first, second, options);
}

/// A run.yaml with d_model 24; `mixers` are lines "A: {…}".
inline std::string run_yaml(const std::vector<std::string>& mixers, const std::string& stack, const std::string& ffn) {
  std::string lines;
  for (const std::string& mixer : mixers) lines += "    " + mixer + "\n";
  return fmt::format(R"(format: hyscale.run/1
model:
  vocabulary: 29
  context: 32
  d_model: 24
  norm_epsilon: 0.0001
  mixers:
{}  stack: {}
  ffn: {}
data: {{corpus: nowhere}}
train:
  tokens: 640
  batch_tokens: 64
  optimizer: {{kind: adamw, lr: 1e-3}}
  schedule: {{kind: constant}}
)",
                     lines, stack, ffn);
}

/// A run directory with one checkpoint whose numbers are all different.
class RunOnDisk {
 public:
  RunOnDisk(const hyscale::tests::ScratchDirectory& scratch, const std::string& name, const std::string& yaml)
      : directory_{scratch / name}, config_(spec::parse_run_config(yaml, "test")) {
    make_writable_directory(directory_.checkpoints());
    write_file_atomically(directory_.run_yaml(), spec::to_yaml(config_));
    float next = 0.25f;
    std::vector<storage::NamedArray> arrays;
    for (const spec::ParameterSpec& parameter : spec::parameter_list(config_.model)) {
      std::vector<float>& values = weights_[parameter.name];
      for (int64_t i = 0; i < parameter.count(); ++i) values.push_back(next += 0.015625f);
      arrays.push_back({"weights/" + parameter.name, parameter.shape, values});
    }
    write_checkpoint(storage::checkpoint_path(directory_, 7),
                     {.run_id = "of-a-test", .run_yaml = spec::to_yaml(config_), .step = 7, .tokens = 448, .notes = {}},
                     arrays);
  }
  const std::string& path() const { return directory_.path; }
  const spec::RunConfig& config() const { return config_; }
  const std::map<std::string, std::vector<float>>& weights() const { return weights_; }

 private:
  storage::RunDirectory directory_;
  spec::RunConfig config_;
  std::map<std::string, std::vector<float>> weights_;
};

/// The weights of a run directory's last checkpoint.
inline std::map<std::string, std::vector<float>> weights_in(const std::string& directory) {
  const storage::RunDirectory run{directory};
  const storage::CheckpointReader checkpoint(storage::checkpoint_path(run, storage::list_checkpoints(run).back()));
  std::map<std::string, std::vector<float>> weights;
  for (const spec::ParameterSpec& parameter :
       spec::parameter_list(spec::parse_run_config(checkpoint.info().run_yaml, "checkpoint").model)) {
    std::vector<float>& values = weights[parameter.name];
    values.resize(static_cast<size_t>(parameter.count()));
    checkpoint.read("weights/" + parameter.name, values);
  }
  return weights;
}

/// The message of what `action` throws; "" when it throws nothing.
template <class Thrown, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Thrown& e) {
    return e.what();
  }
  return "";
}

}  // namespace hyscale::exchange::tests
