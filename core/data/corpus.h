#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/base/files.h"
#include "core/spec/corpus_manifest.h"
#include "core/tensor/tensor.h"

namespace hyscale::data {

/// A prepared corpus, memory-mapped. Tokens are stored as uint16 (vocabulary ≤ 65,536) or uint32, little-endian.
class Corpus {
 public:
  /// Throws ConfigError when there is none, DamagedFile when sizes or hashes of the header disagree with the manifest.
  explicit Corpus(const std::string& directory);
  const spec::CorpusManifest& manifest() const { return manifest_; }
  int64_t size(bool validation) const;
  /// Copies tokens [begin, begin + out.size()) of a split.
  void read(bool validation, int64_t begin, std::span<int32_t> out) const;

 private:
  spec::CorpusManifest manifest_;
  MappedFile train_, validation_;
};

/// Which sequences make step k: a function of (seed, k) alone. The training split is cut into windows of context + 1
/// tokens (targets are inputs shifted by one; neighbouring windows share one token); epoch e visits all windows once in
/// the order of a pseudo-random permutation keyed by (seed, e).
class BatchPlan {
 public:
  BatchPlan(int64_t split_tokens, int64_t context, int64_t batch_sequences, int64_t seed);
  int64_t windows() const { return windows_; }
  /// First token of sequence `row` (0 … batch_sequences - 1) of step `step` (0-based).
  int64_t begin(int64_t step, int64_t row) const;
  int64_t epoch(int64_t step, int64_t row) const;

 private:
  int64_t windows_, context_, batch_sequences_, seed_;
};

/// Fills inputs and targets (i32 [rows, context]) with sequences row_begin … of a step.
void fill_batch(const Corpus& corpus, const BatchPlan& plan, int64_t step, int64_t row_begin, const Tensor& inputs,
                const Tensor& targets);

/// Validation windows are the split cut front to back into windows of context tokens; the last may be short (its
/// missing targets are -1), so that every token but the first is a target exactly once.
int64_t validation_windows(const Corpus& corpus, int64_t context);
void fill_validation(const Corpus& corpus, int64_t window_begin, const Tensor& inputs, const Tensor& targets);

}  // namespace hyscale::data
