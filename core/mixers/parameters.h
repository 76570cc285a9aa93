#pragma once

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/spec/mixer_spec.h"
#include "core/tensor/device_context.h"
#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace hyscale::model {

/// One parameter in use. `gradient` is accumulated into (+=) by every backward pass until somebody clears it.
struct Parameter {
  spec::ParameterSpec spec;
  Tensor weight;    // [shape], what kernels read; the rows of a matrix are row_stride apart
  Tensor gradient;  // laid out alike, in the wide dtype
  /// Those of a matrix with its spare rows, which are 0: on a GPU the rows in memory are a multiple of 8, the sizes at
  /// which products are fastest.
  Tensor all_weight_rows, all_gradient_rows;
  int64_t offset = 0;  // of its first element in the flat arrays
  int64_t size = 0;    // elements there, those between and behind rows included: they stay 0
  int64_t stride = 0;  // elements between the rows of a matrix, or of a vector its own
};

/// The window, of the parameter's shape, on an array laid out like the flat ones.
Tensor window(const Tensor& flat, const Parameter& parameter);

/// All weights and gradients of a model: two flat arrays, each parameter a window on them, in forward order (so that
/// gradient buckets complete from the back). The optimizer and the collectives see only the flat arrays.
/// The flat length is padded with zeros to a multiple of `pad` elements. Checkpoints know nothing of this layout.
/// A model that computes in bf16 keeps its weights in f32 and, beside them, rounded: its matrices are read rounded,
/// its vectors (norms, biases, A, D, dt) as they are.
class ParameterTable {
 public:
  ParameterTable(std::vector<spec::ParameterSpec> list, DType compute, DeviceContext& context = host_context(),
                 int64_t pad = 64);
  ParameterTable(ParameterTable&&) = default;

  const std::vector<Parameter>& all() const { return parameters_; }
  const Parameter& at(const std::string& name) const;  // throws ShapeError for an unknown name
  Tensor weights() const { return weights_; }          // [flat], in the wide dtype of the compute dtype
  Tensor gradients() const { return gradients_; }      // [flat], likewise
  Tensor rounded() const { return rounded_; }          // [flat] bf16, laid out alike; empty unless computing in bf16
  void clear_gradients();

  /// Flat f32 weights from and to the host; `set_weights` also rounds them.
  std::vector<float> host_weights() const;
  void set_weights(std::span<const float> flat);

  /// Draws every parameter by its Init from a generator keyed by (seed, name): the same values in whatever order and
  /// on whatever mesh; of a part, those that the whole tensor has there. Values are drawn in double and rounded.
  void initialise(uint64_t seed);

 private:
  template <class T>
  void draw(uint64_t seed, T* flat) const;
  void round();

  DeviceContext* context_;
  OwnedTensor weight_memory_, gradient_memory_, rounded_memory_;
  Tensor weights_, gradients_, rounded_;
  std::vector<Parameter> parameters_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace hyscale::model
