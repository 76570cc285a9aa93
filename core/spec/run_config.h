#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/spec/mixer_spec.h"

namespace hyscale::spec {

/// `ffn: {kind: swiglu, d_ff: 704}`: out = (silu(x Wg) ⊙ (x Wu)) Wd, three matrices of d_model × d_ff.
struct SwigluConfig {
  int64_t d_ff = 0;
};

/// One layer of the stack: pre-norm mixer, then pre-norm feed-forward layer or none.
struct BlockConfig {
  std::string name;                        // the mixer's name in the file ("A"); never enters the run id
  std::shared_ptr<const MixerSpec> mixer;  // never null
  std::optional<SwigluConfig> ffn;         // nullopt: `kind: none`
};

struct ModelConfig {
  int64_t vocabulary = 0;  // special tokens included
  int64_t context = 0;     // training length in tokens
  int64_t d_model = 0;
  std::vector<BlockConfig> stack;
  double norm_epsilon = 1e-5;  // of every norm, those inside mixers too
};

/// One corpus of a mixture. Shares are weights over their sum, counted in sequences.
struct CorpusShare {
  std::string corpus;
  double weight = 1;  // > 0
};

struct DataConfig {
  std::string corpus;                // name below STORE/corpora, or a path; its hash, not the name, enters the run id
  std::vector<CorpusShare> mixture;  // two at least; empty: `corpus` alone
  int64_t seed = 0;                  // order of the training sequences
  bool cross_document = true;  // false: attention and states end with a document, and so do the taps of convolutions
  /// `mixture`, or `corpus` with all the weight. Weights add up to 1 and have 12 significant digits, so that equal
  /// shares are equal numbers however they were written.
  std::vector<CorpusShare> shares() const;
};

struct OptimizerConfig {  // AdamW, decoupled decay
  double lr = 0;          // peak learning rate
  std::array<double, 2> betas{0.9, 0.95};
  double epsilon = 1e-8;
  double weight_decay = 0.1;  // not on norms, biases, A, D, dt
  double clip = 1.0;          // global gradient norm; 0: no clipping
};

enum class ScheduleKind { trapezoid, cosine, constant };
struct ScheduleConfig {  // absolute tokens; multiples of batch_tokens where DESIGN says so
  ScheduleKind kind = ScheduleKind::trapezoid;
  int64_t warmup_tokens = 0;
  int64_t cooldown_tokens = 0;  // trapezoid only
};

enum class Precision { fp32, bf16, fp8 };
struct TrainConfig {
  int64_t tokens = 0;        // of the whole run; multiple of batch_tokens
  int64_t batch_tokens = 0;  // global batch; multiple of context
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  Precision precision = Precision::fp32;
  int64_t seed = 0;  // initialisation
  int64_t steps() const { return batch_tokens > 0 ? tokens / batch_tokens : 0; }
};

/// What backward computes again instead of keeping it from forward: memory against time, never a bit of the result. An
/// execution setting, no part of a run.
enum class Recompute { none, swiglu };  // swiglu: the d_ff channels between a feed-forward layer's matrices
inline const std::vector<std::string> kRecomputes{"none", "swiglu"};

/// Everything that changes a run's result, and nothing else.
struct RunConfig {
  ModelConfig model;
  DataConfig data;
  TrainConfig train;
};

/// Reads run.yaml. Throws ConfigError listing every problem with file:line:column.
/// `overrides` are "a.b=c" strings of --set, applied before checking.
RunConfig load_run_config(const std::string& path, const std::vector<std::string>& overrides = {});
RunConfig parse_run_config(const std::string& text, const std::string& name,
                           const std::vector<std::string>& overrides = {});

/// The file with every block of `model.mixers`, also those that the stack leaves out: what a study builds families
/// from.
struct RunFile {
  RunConfig config;
  std::map<std::string, std::shared_ptr<const MixerSpec>> mixers;
};
RunFile load_run_file(const std::string& path, const std::vector<std::string>& overrides = {});

/// The file again: fully expanded, readable by load_run_config, round-trips to an equal run id.
std::string to_yaml(const RunConfig& config);

/// Hashes that stand for corpus and tokenizer in the run id.
struct CorpusIdentity {
  std::string corpus_sha256;  // "" for a mixture
  std::string tokenizer_sha256;
  struct Share {
    std::string corpus_sha256;
    double weight = 0;
  };
  std::vector<Share> mixture{};  // by ascending hash: the order in which corpora are listed changes nothing
};

/// Canonical form: {model, data, train}, stack expanded, names of blocks left out, defaults left out, numbers in one
/// spelling, keys sorted, hashes instead of names, semantics version. JSON text.
std::string canonical_form(const RunConfig& config, const CorpusIdentity& corpus);
/// SHA-256 of the canonical form, 64 hex digits.
std::string run_id(const RunConfig& config, const CorpusIdentity& corpus);

/// Ids of many runs that differ in `train` alone: a planner asks for a hundred thousand, and what they share is written
/// and hashed once.
class RunIds {
 public:
  RunIds(const ModelConfig& model, const DataConfig& data, const CorpusIdentity& corpus);
  std::string of(const TrainConfig& train) const;  // run_id of {model, data, train}

 private:
  Sha256 shared_;
};

/// Raised when numerics change on purpose.
inline constexpr int kSemanticsVersion = 2;

}  // namespace hyscale::spec
