#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/spec/shard.h"

namespace hyscale {
class YamlMap;
}

namespace hyscale::spec {

/// How a parameter starts. `normal`: N(0, a²). `constant`: a. `uniform`: U[a, b]. `log_of_uniform`: log(U[a, b])
/// (Mamba-2's A_log). `inverse_softplus_log_uniform`: softplus⁻¹ of a log-uniform draw in [a, b] (Mamba-2's dt_bias).
enum class InitKind { normal, constant, uniform, log_of_uniform, inverse_softplus_log_uniform };
struct Init {
  InitKind kind = InitKind::constant;
  double a = 0;
  double b = 0;
};

/// Standard deviation of the embedding: with a tied head the first loss is then close to ln(vocabulary).
inline constexpr double kEmbeddingDeviation = 0.02;

/// Matrices start as N(0, 1 / fan-in), so that activations and attention logits have order one at any width; at d_model
/// 2,500 that is the usual 0.02, which at a few dozen leaves attention near uniform for hundreds of steps. A projection
/// that writes to the residual stream is divided by √(writes of the whole model) (GPT-2's rule).
Init matrix_init(int64_t fan_in);

/// One tensor of the model, stated once: parameter counts, the allocation, initialisation, weight decay and checkpoint
/// names all come from this list.
struct ParameterSpec {
  std::string name;            // "layers.3.mixer.q.weight"; inside a mixer without the prefix: "q.weight"
  std::vector<int64_t> shape;  // matrices are [out, in]
  Init init;
  bool decay = true;             // AdamW weight decay: false on norms, biases, A, D, dt
  bool writes_residual = false;  // an out-projection: its deviation shrinks with the model's residual writes
  std::optional<ParameterPart> part =
      {};  // of the tensor of this name, which `shape` is then a part of; none: it is whole
  int64_t count() const {
    int64_t n = 1;
    for (const int64_t extent : shape) n *= extent;
    return n;
  }
  std::vector<int64_t> whole_shape() const;
  int64_t whole_count() const {
    return part ? count() / shape[static_cast<size_t>(part->axis)] * part->whole : count();
  }
  /// Calls visit(entry here, entry of the whole tensor, entries, counted) for each run of entries, both dense
  /// row-major.
  void for_each_run(const std::function<void(int64_t, int64_t, int64_t, bool)>& visit) const;
  /// Where the entry `here` is in the whole tensor.
  int64_t whole_index(int64_t here) const;
};

/// What a rank holds of a tensor that is cut along `axis`. Entries in `summed` are held by several ranks, each of which
/// computes a part of their gradient.
ParameterSpec cut(ParameterSpec whole, int axis, std::vector<Piece> pieces, std::vector<Interval> summed = {});
/// A tensor that every rank holds. `sum`: each computes a part of its gradient; else each computes all of it.
ParameterSpec copied(ParameterSpec whole, Shard shard, bool sum);

/// What a mixer costs besides 6 × its paper_parameters(). Per token of a sequence of `context` tokens, forward +
/// backward.
struct MixerFlops {
  double paper = 0;     // the seed paper's formula (reference cost_formulae.md)
  double executed = 0;  // what our kernels do: causal pairs, chunked SSD, recomputation; not what masks throw away
};

/// Decode-time state of one sequence, in elements: bytes follow from the dtypes.
struct CacheSize {
  int64_t kv_elements = 0;      // attention keys and values at `context` tokens (window + sinks at most)
  int64_t conv_elements = 0;    // Mamba convolution tail
  int64_t state_elements = 0;   // SSM states
  double paper_bytes_bf16 = 0;  // the paper's formula
};

/// Elements that a stored row of `width` takes: rows of activations and weights a multiple of 1 KiB apart (fp32) are
/// laid a cache line further (core/tensor, row_stride).
constexpr int64_t stored_row(int64_t width) { return width % 256 == 0 ? width + 16 : width; }

/// Tokens between the SSM states that the CUDA scan keeps, whatever a mixer's `chunk` says.
inline constexpr int64_t kGpuScanChunk = 128;

/// What one micro-batch of training holds of a mixer beside its input and output, in elements of the compute dtype
/// unless said otherwise.
struct ActivationSize {
  int64_t kept = 0;             // from forward to backward
  int64_t statistics = 0;       // likewise, in fp32: of norms and softmax, time steps
  int64_t scan_states = 0;      // likewise: SSM states between the CPU's chunks, in fp32
  int64_t gpu_scan_states = 0;  // those between a GPU's, in the compute dtype
  int64_t scratch = 0;          // the most that backward takes beyond that and gives back
};

/// What the size of a study decides about a mixer; the rest (rope, window, norm, ranges …) stays as written.
struct MixerScale {
  int64_t d_model = 0;
  int64_t attention_head_dim = 0;
  int64_t heads_per_kv_head = 0;
  int64_t ssm_head_dim = 0;
  int64_t d_state = 0;
  double attention_share = 0.5;  // of a hybrid block; the rest is Mamba's
};

/// A mixer seen from planner and analysis: shape rules, parameters, FLOPs, cache, activations. Immutable; registered in
/// core/mixers/list.def. The part that computes is model::Mixer.
class MixerSpec {
 public:
  virtual ~MixerSpec() = default;
  virtual std::string_view kind() const = 0;  // "attention"
  /// Parameters in forward order, names relative to the mixer.
  virtual std::vector<ParameterSpec> parameters(int64_t d_model) const = 0;
  /// Parameters as the seed paper counts them: norms and biases left out (reference cost_formulae.md).
  virtual int64_t paper_parameters(int64_t d_model) const = 0;
  virtual MixerFlops flops_per_token(int64_t d_model, int64_t context) const = 0;
  virtual CacheSize cache(int64_t context) const = 0;
  /// Of `sequences` of `length` tokens, nothing recomputed.
  virtual ActivationSize activations(int64_t sequences, int64_t length) const = 0;
  /// Every field that differs from its default, plus `kind`; key order does not matter.
  virtual nlohmann::json canonical() const = 0;
  /// The block as run.yaml would have it: "{kind: attention, heads: 4, …}".
  virtual std::string to_yaml() const = 0;
  /// Whether rotary positions turn anything in it: what an extension at test time can act on.
  virtual bool has_rope() const { return false; }
  virtual std::shared_ptr<const MixerSpec> at_scale(const MixerScale& scale) const = 0;
  /// Why `ranks` tensor-parallel ranks cannot share it ("2 heads"); "" when they can.
  virtual std::string split_problem(int ranks) const;
  /// The part that one rank holds, where split_problem is "": a mixer whose output is to be added up over the ranks,
  /// and the gradient of its input likewise. Its parameters say which part of the whole tensors they are. Never written
  /// to a config.
  virtual std::shared_ptr<const MixerSpec> part(Shard shard) const;
};

/// Reads one block of `model.mixers` ("kind:" decides which); problems go to the map's collector, then nullptr is
/// returned. Calls map.finish().
std::shared_ptr<const MixerSpec> parse_mixer(YamlMap map, int64_t d_model);
std::vector<std::string> mixer_kinds();

/// Reads the keys of one kind's blocks: reports to the map's collector and returns nullptr, or returns the block.
using ParseMixer = std::shared_ptr<const MixerSpec>(YamlMap& map, int64_t d_model);

/// Adds a kind beside those of core/mixers/list.def, which are there from the start. Its working part is registered
/// with model::register_mixer. Call it before anything is parsed; throws std::invalid_argument when the kind is taken.
void register_mixer(const std::string& kind, ParseMixer* parse);

}  // namespace hyscale::spec
