#pragma once

#include <string>
#include <vector>

#include "core/model/model.h"
#include "core/spec/run_config.h"
#include "core/tensor/memory.h"

namespace hyscale::model::tests {

/// A model small enough to differentiate numerically, together with its name in test output.
struct Stack {
  std::string name;
  spec::ModelConfig config;
};

/// Every mixer, option and combination that the whole-model tests run over; a new mixer adds its stacks here.
std::vector<Stack> stacks();

/// The model section of a run.yaml with vocabulary 17, context 16.
spec::ModelConfig model_config(const std::string& mixers, const std::string& stack, const std::string& ffn,
                               int64_t d_model = 12);

/// A few whose extents are all multiples of 16: what eight-bit products want.
std::vector<Stack> stacks_of_sixteens();

/// Random tokens; the last target of every sequence does not count.
struct Batch {
  Batch(int64_t sequences, int64_t length, int64_t vocabulary, uint64_t seed);
  TokenBatch tokens() const { return {.inputs = inputs, .targets = targets, .document_begins = documents}; }
  OwnedTensor inputs, targets;
  OwnedTensor documents;  // begins; empty: every sequence is one
};

}  // namespace hyscale::model::tests
