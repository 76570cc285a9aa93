#pragma once

#include <string>
#include <utility>
#include <vector>

#include "studies/study_spec.h"

namespace hyscale::studies {

/// One setting of everything that a study varies beside families, sizes, budgets, seeds and learning rates.
struct Variant {
  int64_t context = 0;                                         // 0: the base file's
  std::vector<std::pair<std::string, std::string>> axes = {};  // path, value as written; in the spec's order
  /// "train.optimizer.weight_decay=0.1 data.cross_document=false"; "": the study has no axes.
  std::string axes_text() const;
  std::string model_axes_text() const;  // of those that change the model
  /// What `--set` would be given.
  std::vector<std::string> overrides() const;
  /// Those of them that change the model; two variants that agree in them share it.
  std::string model_overrides() const;
};

/// Contexts × axes, the last axis fastest; one empty variant when the study has none.
std::vector<Variant> variants_of(const StudySpec& spec);

}  // namespace hyscale::studies
