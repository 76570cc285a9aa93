#include "core/data/corpus_writer.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/data/corpus.h"

namespace hyscale::data {

CorpusWriter::Split::Split(const std::string& directory, bool validation, uint32_t width, WriterCounts from)
    : tokens(CorpusFiles{directory}.tokens(validation), width, static_cast<uint64_t>(from.tokens)),
      documents(CorpusFiles{directory}.documents(validation), 8,
                static_cast<uint64_t>(from.documents > 0 ? from.documents + 1 : 0)),
      counts(from) {
  if (from.documents == 0) documents.append(uint64_t{0});
}

CorpusWriter::CorpusWriter(std::string directory, const Tokenizer& tokenizer, WriterCounts train,
                           WriterCounts validation)
    : directory_(std::move(directory)),
      tokenizer_(tokenizer),
      train_(directory_, false, token_width(tokenizer.vocabulary()), train),
      validation_(directory_, true, token_width(tokenizer.vocabulary()), validation),
      validation_counts_(static_cast<size_t>(tokenizer.vocabulary())) {
  if (validation.tokens == 0) return;
  const auto width = static_cast<int64_t>(token_width(tokenizer.vocabulary()));
  constexpr auto kBegin = static_cast<int64_t>(kArrayHeaderBytes);
  std::vector<int32_t> ids;
  for_each_block(CorpusFiles{directory_}.tokens(true), kBegin, kBegin + validation.tokens * width,
                 [&](std::span<const std::byte> block) {
                   ids.resize(block.size() / static_cast<size_t>(width));
                   copy_numbers(block.data(), width, ids);
                   count(ids);
                 });
}

void CorpusWriter::count(std::span<const int32_t> ids) {
  for (const int32_t id : ids) ++validation_counts_[static_cast<size_t>(id)];
}

void CorpusWriter::part(bool validation, std::span<const int32_t> ids) {
  Split& there = split(validation);
  there.tokens.append(ids);
  there.counts.tokens += static_cast<int64_t>(ids.size());
  if (validation) count(ids);
}

void CorpusWriter::end_document(bool validation, int64_t bytes) {
  Split& there = split(validation);
  there.documents.append(there.tokens.count());
  there.counts.bytes += bytes;
  ++there.counts.documents;
}

void CorpusWriter::sync() {
  for (Split* there : {&train_, &validation_}) {
    there->tokens.sync();
    there->documents.sync();
  }
}

double unigram_entropy(std::span<const int64_t> counts) {
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  double entropy = 0;
  for (const int64_t count : counts)
    if (count > 0) entropy -= static_cast<double>(count) / total * std::log(static_cast<double>(count) / total);
  return entropy;
}

spec::CorpusManifest CorpusWriter::finish(const std::string& name) {
  if (train_.counts.documents == 0 || validation_.counts.documents == 0)
    throw ConfigError({.what = fmt::format("{} documents for training and {} for validation", train_.counts.documents,
                                           validation_.counts.documents),
                       .why = "a corpus needs both, and a document is never cut in two",
                       .remedy = "set --validation or --validation-tokens to suit, give more documents, or separate "
                                 "those of a .txt file by lines that hold only a form feed"});
  const ArrayHeader train = train_.tokens.finish(), validation = validation_.tokens.finish();
  train_.documents.finish();
  validation_.documents.finish();
  const std::string tokenizer = tokenizer_.file_content();
  write_file_atomically(directory_ + "/" + tokenizer_.file_name(), tokenizer);
  spec::CorpusManifest manifest;
  manifest.name = name;
  manifest.directory = directory_;
  manifest.tokenizer = tokenizer_.kind();
  manifest.vocabulary = tokenizer_.vocabulary();
  manifest.bos = tokenizer_.bos(), manifest.eos = tokenizer_.eos();
  manifest.train_tokens = static_cast<int64_t>(train.count);
  manifest.validation_tokens = static_cast<int64_t>(validation.count);
  manifest.train_documents = train_.counts.documents;
  manifest.validation_documents = validation_.counts.documents;
  manifest.train_bytes = train_.counts.bytes, manifest.validation_bytes = validation_.counts.bytes;
  manifest.unigram_entropy = unigram_entropy(validation_counts_);
  manifest.identity = {corpus_sha256(train.sha256_hex(), validation.sha256_hex()), sha256_hex(tokenizer)};
  spec::save_corpus_manifest(manifest);
  return manifest;
}

}  // namespace hyscale::data
