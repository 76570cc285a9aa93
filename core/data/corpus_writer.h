#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/data/array_file.h"
#include "core/data/corpus_place.h"
#include "core/data/tokenizer.h"
#include "core/spec/corpus_manifest.h"

namespace hyscale::data {

/// Writes a prepared corpus under a temporary name and puts it in place as a whole. Destroyed before commit(), it
/// leaves nothing behind.
class CorpusWriter {
 public:
  /// Creates the temporary directory beside `directory`. Throws IoError.
  CorpusWriter(std::string directory, const Tokenizer& tokenizer);
  ~CorpusWriter();
  CorpusWriter(const CorpusWriter&) = delete;
  CorpusWriter& operator=(const CorpusWriter&) = delete;

  /// Appends one document: BOS and EOS included in `ids`, `bytes` of UTF-8 text. Throws IoError.
  void add(bool validation, std::span<const int32_t> ids, int64_t bytes);
  /// Completes the files, tokenizer and manifest included. Throws ConfigError when a split has no document.
  spec::CorpusManifest finish(const std::string& name);
  /// Renames the finished directory into place.
  void commit();

 private:
  struct Split {
    Split(const std::string& directory, bool validation, uint32_t width);
    ArrayWriter tokens, documents;
    int64_t bytes = 0, count = 0;
  };

  std::string directory_;
  const Tokenizer& tokenizer_;
  StagingDirectory temporary_;
  Split train_, validation_;
  std::vector<int64_t> validation_counts_;  // per token of the vocabulary
};

/// Nats per token of tokens that occur so often.
double unigram_entropy(std::span<const int64_t> counts);

}  // namespace hyscale::data
