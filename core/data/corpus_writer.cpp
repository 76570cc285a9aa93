#include "core/data/corpus_writer.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/data/corpus.h"

namespace hyscale::data {

namespace fs = std::filesystem;

CorpusWriter::TemporaryDirectory::TemporaryDirectory(const std::string& final_name) : path(temporary_name(final_name)) {
  std::error_code ignored;
  fs::remove_all(path, ignored);  // a killed process with our number left it
  make_writable_directory(path);
}
CorpusWriter::TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path.empty()) fs::remove_all(path, ignored);
}

CorpusWriter::Split::Split(const std::string& directory, bool validation, uint32_t width)
    : tokens(CorpusFiles{directory}.tokens(validation), width),
      documents(CorpusFiles{directory}.documents(validation), 8) {
  documents.append(uint64_t{0});
}

CorpusWriter::CorpusWriter(std::string directory, const Tokenizer& tokenizer)
    : directory_(std::move(directory)),
      tokenizer_(tokenizer),
      temporary_(directory_),
      train_(temporary_.path, false, tokenizer.vocabulary() <= 65536 ? 2 : 4),
      validation_(temporary_.path, true, tokenizer.vocabulary() <= 65536 ? 2 : 4),
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

double CorpusWriter::unigram_entropy() const {
  const auto total = static_cast<double>(validation_.tokens.count());
  double entropy = 0;
  for (const int64_t count : validation_counts_)
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
  write_file_atomically(temporary_.path + "/" + tokenizer_.file_name(), tokenizer);
  spec::CorpusManifest manifest;
  manifest.name = name;
  manifest.directory = temporary_.path;
  manifest.tokenizer = tokenizer_.kind();
  manifest.vocabulary = tokenizer_.vocabulary();
  manifest.bos = tokenizer_.bos(), manifest.eos = tokenizer_.eos();
  manifest.train_tokens = static_cast<int64_t>(train.count);
  manifest.validation_tokens = static_cast<int64_t>(validation.count);
  manifest.train_documents = train_.count, manifest.validation_documents = validation_.count;
  manifest.train_bytes = train_.bytes, manifest.validation_bytes = validation_.bytes;
  manifest.unigram_entropy = unigram_entropy();
  manifest.identity = {corpus_sha256(train, validation), sha256_hex(tokenizer)};
  spec::save_corpus_manifest(manifest);
  manifest.directory = directory_;
  return manifest;
}

void CorpusWriter::commit() {
  sync_directory(temporary_.path);
  if (std::rename(temporary_.path.c_str(), directory_.c_str()) != 0)
    throw IoError({.what = fmt::format("cannot put the finished corpus at {}: {}", directory_, std::strerror(errno)),
                   .remedy = "choose another --out"});
  temporary_.path.clear();
  const std::string parent = fs::path(directory_).parent_path().string();
  sync_directory(parent.empty() ? "." : parent);
}

}  // namespace hyscale::data
