#pragma once

#include "core/mixers/parameters.h"
#include "core/tensor/exec.h"
#include "core/tensor/tensor_group.h"

namespace hyscale::model {

/// What the two ends of a model are given.
struct LossTensors {
  Tensor targets;  // i32 [tokens]
  Tensor loss;     // f64 [1] added to, or empty
  Tensor nll;      // f32 [tokens] written, or empty
  Tensor dx;       // [tokens, d_model] written, or empty: no gradients
  double scale = 1;
};

/// The tied embedding and head: the whole table, or one rank's rows of it.
class Vocabulary {
 public:
  /// `ranks` null: whole.
  Vocabulary(const Parameter& table, int64_t vocabulary, TensorGroup* ranks);

  /// rows [tokens, d_model] written, the same on every rank.
  void embed(const Tensor& tokens, const Tensor& rows, const Exec& exec) const;
  void embed_backward(const Tensor& tokens, const Tensor& drows, const Exec& exec) const;
  /// The loss of the final rows x [tokens, d_model], and its gradients, complete on every rank.
  void loss(const Tensor& x, const LossTensors& tensors, const Exec& exec) const;

 private:
  const Parameter* table_;
  int64_t vocabulary_, first_ = 0;  // tokens; the token of the first row
  TensorGroup* ranks_;
};

}  // namespace hyscale::model
