#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/spec/corpus_manifest.h"
#include "core/spec/run_config.h"

namespace hyscale::spec {

/// What a run reads: its corpora in the order of their hashes, which is that of the interleaving, too.
struct DataManifest {
  struct Part {
    std::string name;   // as the run config calls it
    double weight = 1;  // of all sequences; they add up to 1
    CorpusManifest corpus;
  };
  std::vector<Part> parts;  // at least one
  CorpusIdentity identity;  // of all of it

  /// Passes of `tokens` training tokens over the corpus that they pass over most often, and its name.
  struct Epochs {
    double count = 0;
    std::string corpus;
  };
  Epochs epochs(double tokens) const;
};

/// Reads the manifests below `store`. Throws ConfigError naming every corpus that is missing, that has another
/// tokenizer than the first, that is the same as another, or whose documents are not known though they shall be kept
/// apart; DamagedFile.
DataManifest load_data_manifest(const DataConfig& data, const std::string& store);

/// A model's vocabulary is that of its data; nullopt when it is (see the one for a corpus).
std::optional<Problem> vocabulary_problem(int64_t vocabulary, const DataManifest& data);

}  // namespace hyscale::spec
