#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/data/array_file.h"
#include "core/data/interleave.h"
#include "core/data/token_ranges.h"
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

/// A prepared corpus, memory-mapped. Its tokens are its own (uint16 for a vocabulary ≤ 65,536, else uint32) or numbers
/// in files of the user's.
class Corpus {
 public:
  /// Throws ConfigError when there is none, DamagedFile when sizes or hashes of the headers disagree with the manifest.
  /// Reads no tokens (see verify()), unless they lie in a file that was written to since the corpus was made.
  explicit Corpus(const std::string& directory);
  const spec::CorpusManifest& manifest() const { return manifest_; }
  /// Tokens of a split.
  int64_t size(bool validation) const { return split(validation).tokens.size(); }
  /// Copies tokens [begin, begin + out.size()) of a split. Throws ShapeError when they reach beyond it.
  void read(bool validation, int64_t begin, std::span<int32_t> out) const;
  int64_t documents(bool validation) const { return split(validation).documents.size() - 1; }
  /// First token (its BOS) of a document; of `documents(validation)`, the split's size.
  int64_t document_begin(bool validation, int64_t document) const;
  /// For each of the tokens [begin, begin + out.size()) of a split the index, among these, of the first token of its
  /// document: 0 for a document that began before them.
  void document_begins(bool validation, int64_t begin, std::span<int32_t> out) const;
  /// Reads every byte: throws DamagedFile when tokens or offsets are not the ones that were written.
  void verify() const;

 private:
  struct Split {
    TokenRanges tokens;
    ArrayFile documents;
  };
  static Split open_split(const spec::CorpusManifest& manifest, bool validation);
  void check_identity() const;
  const Split& split(bool validation) const { return validation ? validation_ : train_; }

  spec::CorpusManifest manifest_;
  Split train_, validation_;
};

/// The hash that stands for a corpus in run ids: of both splits' tokens (hexadecimal SHA-256 of each).
std::string corpus_sha256(const std::string& train, const std::string& validation);

/// Which sequences make step k: a function of (seed, k) alone. The training split of each corpus is cut into windows of
/// context + 1 tokens (targets are inputs shifted by one; neighbouring windows share one token), documents end to end;
/// epoch e of a corpus visits all its windows once in the order of a pseudo-random permutation keyed by (seed, e).
/// Tokens after the last full window are never seen. Several corpora take turns (interleave.h), each in its own order.
class BatchPlan {
 public:
  struct Part {
    int64_t tokens = 0;  // of the training split
    double weight = 1;
  };
  /// Throws ConfigError when a split has not even one window.
  BatchPlan(const std::vector<Part>& parts, int64_t context, int64_t batch_sequences, int64_t seed);
  int64_t windows(size_t corpus = 0) const { return windows_[corpus]; }
  int64_t context() const { return context_; }
  int64_t seed() const { return seed_; }

  struct Place {
    size_t corpus = 0;
    int64_t begin = 0;  // first token
    int64_t epoch = 0;  // of the corpus
  };
  /// Of sequence `row` (0 … batch_sequences - 1) of step `step` (0-based).
  Place place(int64_t step, int64_t row) const;
  /// Passes over a corpus in the first `steps` steps.
  std::vector<double> epochs(int64_t steps) const;

 private:
  std::vector<int64_t> windows_;
  int64_t context_, batch_sequences_, seed_;
  Interleave turns_;
};

/// Fills inputs and targets (i32 [rows, context], on the CPU) with sequences row_begin … of a step. `corpora` in the
/// order of the plan. `document_begins`, alike, is filled where it is not empty.
void fill_batch(std::span<const Corpus> corpora, const BatchPlan& plan, int64_t step, int64_t row_begin,
                const Tensor& inputs, const Tensor& targets, const Tensor& document_begins = {});

/// Validation windows are the split cut front to back into windows of context tokens; the last may be short (its
/// missing inputs are 0 and missing targets -1), so that every token but the first is a target exactly once.
int64_t validation_windows(const Corpus& corpus, int64_t context);
/// Fills inputs and targets (i32 [rows, context], on the CPU) with windows window_begin …; rows beyond the last window
/// are all missing. `document_begins`, alike, is filled where it is not empty.
void fill_validation(const Corpus& corpus, int64_t window_begin, const Tensor& inputs, const Tensor& targets,
                     const Tensor& document_begins = {});

}  // namespace hyscale::data
