#pragma once

#include <memory>
#include <string>

#include "core/mixers/attention/rope_spec.h"
#include "core/mixers/parameters.h"
#include "core/mixers/past.h"
#include "core/spec/mixer_spec.h"
#include "core/tensor/exec.h"
#include "core/tensor/tensor_group.h"

namespace hyscale::model {

/// Tokens of one micro-batch: rows of every activation are sequence-major, row = sequence * length + position.
struct BatchShape {
  int64_t sequences = 0;
  int64_t length = 0;
  Tensor document_begins{};  // i32 [sequences, length] (kernels/documents.h); empty: every sequence is one document
  Past* past = nullptr;      // what went before, and takes what is kept of these tokens; null: nothing did
  int64_t past_first = 0;    // its sequence that is the first here
  int64_t tokens() const { return sequences * length; }
  /// The sequences at hand of something that Past keeps.
  Tensor of_past(const Tensor& kept) const { return kept.slice(0, past_first, sequences); }
};

/// A sequence mixer at work, or one rank's part of it (MixerSpec::part), whose outputs are added up over the ranks:
/// `out` of forward and `dx` of backward, by the model. Created once per layer, used for every micro-batch: forward,
/// then backward of that same micro-batch. What backward needs is kept in exec.arena (the caller releases it after
/// backward) and remembered here.
class Mixer {
 public:
  virtual ~Mixer() = default;
  /// x [tokens, d_model] (already normalised) → out [tokens, d_model], overwritten.
  virtual void forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) = 0;
  /// Whether forward heeds shape.past; no backward follows then.
  virtual bool goes_on() const { return false; }
  /// dout [tokens, d_model] → dx [tokens, d_model], overwritten; parameter gradients accumulated. `x` is the tensor
  /// that forward saw, still intact. Scratch goes back to the arena before it returns.
  virtual void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) = 0;
};

/// What a mixer is told of the model around it.
struct MixerContext {
  int64_t d_model = 0;
  double norm_epsilon = 1e-5;  // of every norm of the model
  spec::RopeExtension rope_extension{};
  TensorGroup* ranks = nullptr;  // those that hold the other parts of a part of a mixer; null otherwise
};

/// Creates the working part of `spec`; `prefix` ("layers.3.mixer.") leads to its parameters, which must outlive it.
using MakeMixer = std::unique_ptr<Mixer>(const spec::MixerSpec& spec, const MixerContext& context,
                                         const ParameterTable& parameters, const std::string& prefix);
MakeMixer make_mixer;

/// Adds the working part of a kind beside those of core/mixers/list.def (spec::register_mixer adds the other half).
/// Call it before a model is made; throws std::invalid_argument when the kind is taken.
void register_mixer(const std::string& kind, MakeMixer* make);

// The same for one kind, each defined in its folder: make_attention …
#define HYSCALE_MIXER(kind) MakeMixer make_##kind;
#include "core/mixers/list.def"
#undef HYSCALE_MIXER

}  // namespace hyscale::model
