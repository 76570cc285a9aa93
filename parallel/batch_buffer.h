#pragma once

#include "core/model/model.h"
#include "core/tensor/memory.h"

namespace hyscale::parallel {

/// Memory for the micro-batches that a loop fills one after another.
class BatchBuffer {
 public:
  /// `documents_apart`: the batches also say where documents begin.
  BatchBuffer(int64_t sequences, int64_t context, bool documents_apart)
      : inputs_(DType::i32, {sequences, context}), targets_(DType::i32, {sequences, context}) {
    if (documents_apart) document_begins_ = OwnedTensor(DType::i32, {sequences, context});
  }
  /// The first `rows` sequences.
  model::TokenBatch first(int64_t rows) const {
    const auto part = [&](const Tensor& all) { return all.empty() ? all : all.slice(0, 0, rows); };
    return {.inputs = part(inputs_), .targets = part(targets_), .document_begins = part(document_begins_)};
  }

 private:
  OwnedTensor inputs_, targets_, document_begins_;  // i32 [sequences, context]
};

}  // namespace hyscale::parallel
