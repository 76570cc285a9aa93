#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/data/corpus.h"
#include "core/spec/mixture.h"

namespace hyscale::data {

/// The corpora that a run reads, opened, in the order of spec::DataManifest.
class Mixture {
 public:
  /// Throws what spec::load_data_manifest and Corpus throw.
  Mixture(const spec::DataConfig& data, const std::string& store);

  const spec::DataManifest& manifest() const { return manifest_; }
  std::span<const Corpus> corpora() const { return corpora_; }
  /// Throws ConfigError naming the corpus that has not even one window.
  BatchPlan plan(int64_t context, int64_t batch_sequences, int64_t seed) const;
  /// For each corpus one line on how it is read: windows, order, what is never seen.
  std::vector<std::string> describe(const BatchPlan& plan) const;
  /// "1.20 epochs of books, 0.40 of code".
  std::string epochs_text(const std::vector<double>& epochs) const;

 private:
  spec::DataManifest manifest_;
  std::vector<Corpus> corpora_;
};

}  // namespace hyscale::data
