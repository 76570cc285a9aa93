#pragma once

#include <functional>

#include "core/data/mixture.h"
#include "core/model/model.h"
#include "core/tensor/collective.h"
#include "storage/files/run_directory.h"

namespace hyscale::parallel {

struct ValidationPlan {
  int64_t context = 0;      // tokens of a window
  int64_t micro_batch = 1;  // windows of one forward pass on one rank
  bool documents_apart = false;
};

/// Mean loss over every target of the validation split, cut into windows of `context` tokens that share the ranks;
/// bits per byte of the text (NaN when it is not known); the standard error of the loss over windows (a ratio of sums,
/// so that a short last window counts by its tokens). Of a mixture: each corpus for itself, and all by their weights.
/// `ranks` are those that hold the same part of the model. The same bits for any number of them that compute a window
/// alike. step and tokens are left to the caller. `alive` is called after each micro-batch. Collective.
storage::EvalRow validate(model::Model& model, const data::Mixture& data, ValidationPlan plan, Collective& ranks,
                          const std::function<void()>& alive);

}  // namespace hyscale::parallel
