#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/data/array_file.h"
#include "core/data/tokenizer.h"
#include "core/spec/corpus_manifest.h"

namespace hyscale::data {

/// What a split holds so far.
struct WriterCounts {
  int64_t tokens = 0, documents = 0;
  int64_t bytes = 0;  // of text
};

/// Writes the files of a prepared corpus into a directory.
class CorpusWriter {
 public:
  /// Goes on behind what the counts say is there already, and cuts off what lies beyond. Throws IoError, DamagedFile.
  CorpusWriter(std::string directory, const Tokenizer& tokenizer, WriterCounts train = {},
               WriterCounts validation = {});

  /// A document: one or more parts, BOS and EOS included, then its end with the bytes of its text. Throw IoError.
  void part(bool validation, std::span<const int32_t> ids);
  void end_document(bool validation, int64_t bytes);

  WriterCounts counts(bool validation) const { return validation ? validation_.counts : train_.counts; }
  /// Between two documents: all of it is on disk when it returns. Throws IoError.
  void sync();
  /// Completes the files, tokenizer and manifest included. Throws ConfigError when a split has no document.
  spec::CorpusManifest finish(const std::string& name);

 private:
  struct Split {
    Split(const std::string& directory, bool validation, uint32_t width, WriterCounts from);
    ArrayWriter tokens, documents;
    WriterCounts counts;
  };
  Split& split(bool validation) { return validation ? validation_ : train_; }
  void count(std::span<const int32_t> ids);

  std::string directory_;
  const Tokenizer& tokenizer_;
  Split train_, validation_;
  std::vector<int64_t> validation_counts_;  // per token of the vocabulary
};

/// Nats per token of tokens that occur so often.
double unigram_entropy(std::span<const int64_t> counts);

}  // namespace hyscale::data
