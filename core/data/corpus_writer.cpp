#include "core/data/corpus_writer.h"

#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/data/corpus.h"

namespace hyscale::data {

CorpusWriter::Split::Split(const std::string& directory, bool validation, uint32_t width)
    : tokens(CorpusFiles{directory}.tokens(validation), width),
      documents(CorpusFiles{directory}.documents(validation), 8) {
  documents.append(uint64_t{0});
}

CorpusWriter::CorpusWriter(std::string directory, const Tokenizer& tokenizer)
    : directory_(std::move(directory)),
      tokenizer_(tokenizer),
      temporary_(directory_),
      train_(temporary_.path(), false, token_width(tokenizer.vocabulary())),
      validation_(temporary_.path(), true, token_width(tokenizer.vocabulary())),
      validation_counts_(static_cast<size_t>(tokenizer.vocabulary())) {}
CorpusWriter::~CorpusWriter() = default;

void CorpusWriter::add(bool validation, std::span<const int32_t> ids, int64_t bytes) {
  Split& split = validation ? validation_ : train_;
  split.tokens.append(ids);
  split.documents.append(split.tokens.count());
  split.bytes += bytes;
  ++split.count;
  if (validation)
    for (const int32_t id : ids) ++validation_counts_[static_cast<size_t>(id)];
}

double unigram_entropy(std::span<const int64_t> counts) {
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  double entropy = 0;
  for (const int64_t count : counts)
    if (count > 0) entropy -= static_cast<double>(count) / total * std::log(static_cast<double>(count) / total);
  return entropy;
}

spec::CorpusManifest CorpusWriter::finish(const std::string& name) {
  if (train_.count == 0 || validation_.count == 0)
    throw ConfigError(
        {.what = fmt::format("{} documents for training and {} for validation", train_.count, validation_.count),
         .why = "a corpus needs both, and a document is never cut in two",
         .remedy = "set --validation or --validation-tokens to suit, give more documents, or separate "
                   "those of a .txt file by lines that hold only a form feed"});
  const ArrayHeader train = train_.tokens.finish(), validation = validation_.tokens.finish();
  train_.documents.finish();
  validation_.documents.finish();
  const std::string tokenizer = tokenizer_.file_content();
  write_file_atomically(temporary_.path() + "/" + tokenizer_.file_name(), tokenizer);
  spec::CorpusManifest manifest;
  manifest.name = name;
  manifest.directory = temporary_.path();
  manifest.tokenizer = tokenizer_.kind();
  manifest.vocabulary = tokenizer_.vocabulary();
  manifest.bos = tokenizer_.bos(), manifest.eos = tokenizer_.eos();
  manifest.train_tokens = static_cast<int64_t>(train.count);
  manifest.validation_tokens = static_cast<int64_t>(validation.count);
  manifest.train_documents = train_.count, manifest.validation_documents = validation_.count;
  manifest.train_bytes = train_.bytes, manifest.validation_bytes = validation_.bytes;
  manifest.unigram_entropy = unigram_entropy(validation_counts_);
  manifest.identity = {corpus_sha256(train.sha256_hex(), validation.sha256_hex()), sha256_hex(tokenizer)};
  spec::save_corpus_manifest(manifest);
  manifest.directory = directory_;
  return manifest;
}

void CorpusWriter::commit() { temporary_.commit(); }

}  // namespace hyscale::data
