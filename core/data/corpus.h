#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/data/array_file.h"
#include "core/spec/corpus_manifest.h"
#include "core/tensor/tensor.h"

namespace hyscale::data {

/// Names inside a prepared corpus (docs/formats.md).
struct CorpusFiles {
  std::string directory;
  std::string tokens(bool validation) const {
    return directory + (validation ? "/validation.tokens" : "/train.tokens");
  }
  std::string documents(bool validation) const {
    return directory + (validation ? "/validation.documents" : "/train.documents");
  }
};

/// A prepared corpus, memory-mapped. Tokens are stored as uint16 (vocabulary ≤ 65,536) or uint32, little-endian.
class Corpus {
 public:
  /// Throws ConfigError when there is none, DamagedFile when sizes or hashes of the headers disagree with the manifest.
  /// Reads no tokens: see verify().
  explicit Corpus(const std::string& directory);
  const spec::CorpusManifest& manifest() const { return manifest_; }
  /// Tokens of a split.
  int64_t size(bool validation) const { return split(validation).tokens.size(); }
  /// Copies tokens [begin, begin + out.size()) of a split. Throws ShapeError when they reach beyond it.
  void read(bool validation, int64_t begin, std::span<int32_t> out) const;
  int64_t documents(bool validation) const { return split(validation).documents.size() - 1; }
  /// First token (its BOS) of a document; of `documents(validation)`, the split's size.
  int64_t document_begin(bool validation, int64_t document) const;
  /// Reads every byte: throws DamagedFile when tokens or offsets are not the ones that were written.
  void verify() const;

 private:
  struct Split {
    ArrayFile tokens, documents;
  };
  const Split& split(bool validation) const { return validation ? validation_ : train_; }

  spec::CorpusManifest manifest_;
  Split train_, validation_;
};

/// The hash that stands for a corpus in run ids: of both splits' tokens.
std::string corpus_sha256(const ArrayHeader& train, const ArrayHeader& validation);

/// Which sequences make step k: a function of (seed, k) alone. The training split is cut into windows of context + 1
/// tokens (targets are inputs shifted by one; neighbouring windows share one token); epoch e visits all windows once in
/// the order of a pseudo-random permutation keyed by (seed, e). Tokens after the last full window are never seen.
class BatchPlan {
 public:
  /// Throws ConfigError when the split has not even one window.
  BatchPlan(int64_t split_tokens, int64_t context, int64_t batch_sequences, int64_t seed);
  int64_t windows() const { return windows_; }
  int64_t context() const { return context_; }
  /// First token of sequence `row` (0 … batch_sequences - 1) of step `step` (0-based).
  int64_t begin(int64_t step, int64_t row) const;
  int64_t epoch(int64_t step, int64_t row) const { return (step * batch_sequences_ + row) / windows_; }

 private:
  int64_t windows_, context_, batch_sequences_, seed_;
};

/// Fills inputs and targets (i32 [rows, context], on the CPU) with sequences row_begin … of a step.
void fill_batch(const Corpus& corpus, const BatchPlan& plan, int64_t step, int64_t row_begin, const Tensor& inputs,
                const Tensor& targets);

/// Validation windows are the split cut front to back into windows of context tokens; the last may be short (its
/// missing inputs are 0 and missing targets -1), so that every token but the first is a target exactly once.
int64_t validation_windows(const Corpus& corpus, int64_t context);
/// Fills inputs and targets (i32 [rows, context], on the CPU) with windows window_begin …; rows beyond the last window
/// are all missing.
void fill_validation(const Corpus& corpus, int64_t window_begin, const Tensor& inputs, const Tensor& targets);

}  // namespace hyscale::data
