#include "core/data/prepare.h"

#include <cmath>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/yaml_reader.h"
#include "core/data/corpus.h"
#include "core/data/corpus_place.h"
#include "core/data/corpus_writer.h"
#include "core/data/documents.h"
#include "core/data/import_tokens.h"
#include "core/data/load_tokenizer.h"
#include "core/data/smallest_keys.h"
#include "core/data/tokenizer.h"
#include "core/data/tokenizer_limits.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTokenizerSample = 64'000'000;  // bytes
constexpr int64_t kBatchBytes = 4'000'000;        // of text that is encoded at once

uint64_t document_key(const std::string& purpose, const std::string& text) {
  Sha256 hash;
  hash.update(purpose + "\n");
  hash.update(text);
  return std::stoull(hash.hex().substr(0, 16), nullptr, 16);
}

void check(const PrepareOptions& options) {
  const double fraction = options.validation_fraction;
  if (options.validation_tokens == 0 && !(fraction > 0 && fraction < 1))
    throw ConfigError({.what = fmt::format("--validation {} is no fraction between 0 and 1", fraction),
                       .remedy = "--validation 0.01 keeps one document in a hundred"});
}

/// One pass over all inputs, in batches, with progress.
class Pass {
 public:
  Pass(const std::vector<std::string>& files, const PrepareOptions& options, std::string doing,
       const ReportProgress& progress)
      : reader_(files, options.field), state_{.doing = std::move(doing)}, progress_(progress) {}

  /// The next documents, about kBatchBytes of text; none at the end. Throws what the reader found wrong at the end.
  std::vector<std::string> next() {
    std::vector<std::string> texts;
    std::string text;
    for (int64_t bytes = 0; bytes < kBatchBytes && reader_.next(text);) {
      bytes += static_cast<int64_t>(text.size());
      state_.bytes += static_cast<int64_t>(text.size());
      ++state_.documents;
      texts.push_back(std::move(text));
    }
    state_.file = reader_.current_file();
    progress_(state_);
    if (texts.empty()) reader_.throw_if_problems();
    return texts;
  }
  bool has_problems() const { return reader_.has_problems(); }
  int64_t blank_documents() const { return reader_.blank_documents(); }
  int64_t bytes() const { return state_.bytes; }

 private:
  DocumentReader reader_;
  PrepareProgress state_;
  const ReportProgress& progress_;
};

std::unique_ptr<Tokenizer> trained_bpe(Pass pass, int64_t vocabulary, int64_t& sample_bytes) {
  SmallestKeys<std::string> sample(kTokenizerSample);
  for (auto texts = pass.next(); !texts.empty(); texts = pass.next())
    for (std::string& text : texts) {
      const auto size = static_cast<int64_t>(text.size());
      const uint64_t key = document_key("tokenizer", text);
      sample.add(key, size, std::move(text), [](std::string) {});
    }
  std::vector<std::string> chosen;
  sample.for_each([&](std::string text) {
    sample_bytes += static_cast<int64_t>(text.size());
    chosen.push_back(std::move(text));
  });
  return train_bpe(chosen, vocabulary);
}

std::unique_ptr<Tokenizer> make_tokenizer(const PrepareOptions& options, const std::vector<std::string>& files,
                                          const ReportProgress& progress, int64_t& sample_bytes) {
  const std::string& word = options.tokenizer;
  if (word == "byte" || names_tokenizer_file(word))
    return load_tokenizer(word, {.bos = options.bos, .eos = options.eos});
  const auto size = word.starts_with("bpe:") ? parse_number(word.substr(4)) : std::nullopt;
  if (!size || *size != std::floor(*size) || *size < 1 || *size > static_cast<double>(kLargestVocabulary))
    throw ConfigError({.what = fmt::format("--tokenizer {} names no tokenizer", word),
                       .remedy =
                           "byte, bpe:4096 (any vocabulary), or a file: tokenizer.json, a SentencePiece .model, or "
                           "tiktoken ranks with their encoding (FILE@cl100k)"});
  return trained_bpe(Pass(files, options, "reading text for the tokenizer", progress), static_cast<int64_t>(*size),
                     sample_bytes);
}

struct Encoded {
  std::vector<int32_t> ids{};
  int64_t bytes = 0;
};

Encoded encode(const Tokenizer& tokenizer, const std::string& text) {
  Encoded encoded{.bytes = static_cast<int64_t>(text.size())};
  encoded.ids.push_back(tokenizer.bos());
  tokenizer.encode(text, encoded.ids);
  encoded.ids.push_back(tokenizer.eos());
  return encoded;
}

std::vector<Encoded> encode_all(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  std::vector<Encoded> encoded(texts.size());
  std::vector<std::exception_ptr> failures(texts.size());  // an exception must not leave a parallel loop
  parallel_for(static_cast<int64_t>(texts.size()), 1, [&](int64_t begin, int64_t) {
    const auto i = static_cast<size_t>(begin);
    try {
      encoded[i] = encode(tokenizer, texts[i]);
    } catch (...) {
      failures[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return encoded;
}

/// Sends each document to its side.
class Splitter {
 public:
  Splitter(const PrepareOptions& options, CorpusWriter& writer)
      : purpose_(fmt::format("split {}", options.seed)),
        by_tokens_(options.validation_tokens > 0),
        threshold_(std::ldexp(options.validation_fraction, 64)),
        smallest_(options.validation_tokens),
        writer_(writer) {}

  void add(const std::string& text, Encoded document) {
    const uint64_t key = document_key(purpose_, text);
    if (!by_tokens_) return writer_.add(static_cast<double>(key) < threshold_, document.ids, document.bytes);
    const auto tokens = static_cast<int64_t>(document.ids.size());
    smallest_.add(key, tokens, std::move(document),
                  [&](const Encoded& other) { writer_.add(false, other.ids, other.bytes); });
  }
  void finish() {
    smallest_.for_each([&](const Encoded& document) { writer_.add(true, document.ids, document.bytes); });
  }

 private:
  std::string purpose_;
  bool by_tokens_;
  double threshold_;
  SmallestKeys<Encoded> smallest_;
  CorpusWriter& writer_;
};

void check_text(const PrepareOptions& options) {
  Problems problems;
  if (options.tokenizer.empty())
    problems.add({.what = "text needs a --tokenizer",
                  .remedy = "byte, bpe:4096 (any vocabulary), or a file: tokenizer.json, .model, FILE@cl100k"});
  if (!options.validation_files.empty() || options.vocabulary > 0)
    problems.add({.what = "--validation-file and --vocabulary are for inputs that are token ids already",
                  .remedy = "leave them out: text is split by --validation, and its tokenizer knows its ids"});
  problems.throw_if_any();
}

PreparedCorpus prepare_text(const PrepareOptions& options, const ReportProgress& progress) {
  check_text(options);
  const std::vector<std::string> files = find_text_files(options.inputs);
  const std::string out = corpus_place(options.out);
  PreparedCorpus result;
  const auto tokenizer = make_tokenizer(options, files, progress, result.tokenizer_sample);
  CorpusWriter writer(out, *tokenizer);
  Splitter splitter(options, writer);
  Pass pass(files, options, "writing tokens", progress);
  for (auto texts = pass.next(); !texts.empty(); texts = pass.next()) {
    if (pass.has_problems()) continue;  // nothing will be kept: read on only to list what else is wrong
    auto encoded = encode_all(*tokenizer, texts);
    for (size_t i = 0; i < texts.size(); ++i) splitter.add(texts[i], std::move(encoded[i]));
  }
  splitter.finish();
  result.manifest = writer.finish(options.name.empty() ? fs::path(out).filename().string() : options.name);
  result.blank_documents = pass.blank_documents();
  result.text_bytes = pass.bytes();
  result.already_there = holds_the_same(result.manifest);
  if (!result.already_there) writer.commit();
  return result;
}

}  // namespace

PreparedCorpus prepare_corpus(const PrepareOptions& options, const ReportProgress& progress) {
  check(options);
  try {
    return is_import(options) ? import_tokens(options, progress) : prepare_text(options, progress);
  } catch (const fs::filesystem_error& e) {
    throw IoError({.what = fmt::format("cannot use {}: {}", e.path1().string(), e.code().message()),
                   .remedy = "check the path and its permissions"});
  }
}

}  // namespace hyscale::data
