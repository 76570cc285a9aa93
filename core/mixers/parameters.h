#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/spec/mixer_spec.h"
#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace hyscale::model {

/// One parameter in use. `gradient` is accumulated into (+=) by every backward pass until somebody clears it.
struct Parameter {
  spec::ParameterSpec spec;
  Tensor weight;       // [shape]; the rows of a matrix are row_stride apart
  Tensor gradient;     // laid out alike
  int64_t offset = 0;  // of its first element in the flat arrays
  int64_t size = 0;    // elements there, those between rows included: they stay 0
};

/// The window, of the parameter's shape, on an array laid out like the flat ones.
Tensor window(const Tensor& flat, const Parameter& parameter);

/// All weights and gradients of a model: two flat arrays, each parameter a window on them, in forward order (so that
/// gradient buckets complete from the back). The optimizer and the collectives see only the flat arrays.
/// The flat length is padded with zeros to a multiple of `pad` elements. Checkpoints know nothing of this layout.
class ParameterTable {
 public:
  ParameterTable(std::vector<spec::ParameterSpec> list, DType dtype, int64_t pad = 64);
  ParameterTable(ParameterTable&&) = default;

  const std::vector<Parameter>& all() const { return parameters_; }
  const Parameter& at(const std::string& name) const;  // throws ShapeError for an unknown name
  Tensor weights() const { return weights_; }          // [flat]
  Tensor gradients() const { return gradients_; }      // [flat]
  void clear_gradients();

  /// Draws every parameter by its Init from a generator keyed by (seed, name): the same values in whatever order and
  /// on whatever mesh. Values are drawn in double and rounded.
  void initialise(uint64_t seed);

 private:
  OwnedTensor weight_memory_, gradient_memory_;
  Tensor weights_, gradients_;
  std::vector<Parameter> parameters_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace hyscale::model
