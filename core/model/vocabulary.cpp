#include "core/model/vocabulary.h"

#include "core/kernels/cross_entropy.h"
#include "core/kernels/embedding.h"
#include "core/kernels/split_cross_entropy.h"
#include "core/kernels/split_embedding.h"

namespace hyscale::model {

Vocabulary::Vocabulary(const Parameter& table, int64_t vocabulary, TensorGroup* ranks)
    : table_(&table), vocabulary_(vocabulary), ranks_(ranks) {
  if (ranks_ != nullptr) first_ = table.spec.part->pieces.front().begin;
}

void Vocabulary::embed(const Tensor& tokens, const Tensor& rows, const Exec& exec) const {
  if (ranks_ == nullptr) return kernels::embedding({.out = rows, .tokens = tokens, .weight = table_->weight}, exec);
  kernels::split_embedding(
      {.out = rows, .tokens = tokens, .weight = table_->weight, .first = first_, .vocabulary = vocabulary_}, exec);
  ranks_->sum(rows);
}

void Vocabulary::embed_backward(const Tensor& tokens, const Tensor& drows, const Exec& exec) const {
  if (ranks_ == nullptr)
    return kernels::embedding_backward({.dweight = table_->gradient, .tokens = tokens, .dout = drows}, exec);
  kernels::split_embedding_backward({.dweight = table_->gradient, .tokens = tokens, .dout = drows, .first = first_},
                                    exec);
}

void Vocabulary::loss(const Tensor& x, const LossTensors& t, const Exec& exec) const {
  const Tensor dweight = t.dx.empty() ? Tensor() : table_->gradient;
  if (ranks_ == nullptr)
    return kernels::cross_entropy({.x = x,
                                   .weight = table_->weight,
                                   .targets = t.targets,
                                   .loss = t.loss,
                                   .nll = t.nll,
                                   .dx = t.dx,
                                   .dweight = dweight,
                                   .scale = t.scale},
                                  exec);
  kernels::split_cross_entropy({.x = x,
                                .weight = table_->weight,
                                .targets = t.targets,
                                .loss = t.loss,
                                .nll = t.nll,
                                .dx = t.dx,
                                .dweight = dweight,
                                .scale = t.scale,
                                .first = first_,
                                .vocabulary = vocabulary_},
                               *ranks_, exec);
  if (!t.dx.empty()) ranks_->sum(t.dx);
}

}  // namespace hyscale::model
