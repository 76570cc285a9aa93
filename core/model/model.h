#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/mixers/mixer.h"
#include "core/mixers/parameters.h"
#include "core/mixers/past.h"
#include "core/spec/run_config.h"
#include "core/tensor/device_context.h"
#include "core/tensor/exec.h"
#include "core/tensor/tensor_group.h"

namespace hyscale::model {

/// One micro-batch, in host memory. `targets` is the next token of each input; a target < 0 does not count.
struct TokenBatch {
  Tensor inputs;             // i32 [sequences, length]
  Tensor targets;            // i32 [sequences, length]
  Tensor document_begins{};  // i32 [sequences, length]: no layer looks across them (kernels/documents.h); empty: none
};

/// Elements begin … end - 1 of the flat gradients will not change any more.
using GradientsDone = std::function<void(int64_t begin, int64_t end)>;

/// Decoder-only language model: embedding, stack of (RMSNorm, mixer, residual, RMSNorm, SwiGLU, residual), final
/// RMSNorm, head tied to the embedding. Activations have `compute` dtype: f32 or bf16 to train, f64 for gradient
/// checks on the CPU. One instance works on one micro-batch at a time.
///
/// On a GPU the first micro-batch of a shape is enqueued kernel by kernel, the second is recorded, and those after it
/// are replayed. Nothing waits but where a result is handed out.
class Model {
 public:
  /// `extension` stretches rotary positions for an evaluation; its trained context, where left at 0, is the config's.
  /// `ranks`: the group whose ranks hold a part of the model each (spec::check_split says whether they can); every
  /// member function that computes is then collective over it. Null: the model is whole.
  /// `context` and `ranks` must outlive the model.
  Model(const spec::ModelConfig& config, DType compute, spec::RopeExtension extension = {},
        DeviceContext& context = host_context(), TensorGroup* ranks = nullptr);
  ~Model();
  Model(Model&&) noexcept;

  /// Before the first micro-batch; nothing unless it is called.
  void recompute(spec::Recompute what);
  /// Projections in eight bits (mixers/projection.h), on a GPU in bf16. As above.
  void multiply_in_float8(bool yes);

  /// A hybrid layer's branches on two queues of a GPU, but where one gives the other its values; else one behind the
  /// other. Side by side their gradients of the layer's input are rounded before they are added. As above.
  void run_branches_side_by_side(bool yes);

  const spec::ModelConfig& config() const;
  ParameterTable& parameters();
  const ParameterTable& parameters() const;

  /// Forward and backward: adds scale × d(Σ nll)/dw to the gradients, and Σ nll over the counted targets to the loss.
  /// Never holds all logits at once. Allocates only while the arena still grows.
  /// `done`, for a step's last micro-batch on the CPU, is told what of the flat gradients is complete as soon as it is:
  /// from the last layer's to the embedding's. complete_gradients then has nothing left to do.
  void accumulate(const TokenBatch& batch, double scale, const GradientsDone& done = {});
  /// Once behind a step's micro-batches: makes the gradients complete where several ranks hold copies of an entry. On a
  /// GPU it only enqueues.
  void complete_gradients();
  /// The loss accumulated since the last call, in nats; waits for it.
  double take_loss();
  /// Both.
  double forward_backward(const TokenBatch& batch, double scale);

  /// Where the first value appears that is not finite: in a weight, in what a layer hands on, or, behind those, in a
  /// parameter's gradient ("layers.3.mixer.out.weight's gradient"); "" when everything is finite. Clears the gradients.
  /// For people: slow.
  std::string find_nonfinite(const TokenBatch& batch, double scale);

  /// Forward only: nll f32 [sequences, length] in nats, in host memory, 0 where the target does not count.
  void token_nll(const TokenBatch& batch, const Tensor& nll);

  /// Forward only: logits [tokens, this rank's rows of the vocabulary] in compute dtype, where the model computes
  /// (tests, small models).
  void logits(const TokenBatch& batch, const Tensor& out);

  /// Sequences [first, first + count) of `past` go on with `tokens`, i32 [count, length]: logits as above, of all of
  /// them [count · length, vocabulary], or of each one's last [count, vocabulary]. On the CPU, not split. Throws
  /// ConfigError when the past has no room left or a mixer cannot do it.
  void go_on(const Tensor& tokens, Past& past, int64_t first, const Tensor& logits);

  size_t activation_bytes() const;  // reserved by the arena so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hyscale::model
