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
#include "core/data/preparation_state.h"
#include "core/data/smallest_keys.h"
#include "core/data/text_batches.h"
#include "core/data/token_pool.h"
#include "core/data/tokenizer.h"
#include "core/data/tokenizer_limits.h"

namespace hyscale::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTokenizerSample = 64'000'000;  // bytes

void check(const PrepareOptions& options) {
  const double fraction = options.validation_fraction;
  if (options.validation_tokens == 0 && !(fraction > 0 && fraction < 1))
    throw ConfigError({.what = fmt::format("--validation {} is no fraction between 0 and 1", fraction),
                       .remedy = "--validation 0.01 keeps one document in a hundred"});
}

int64_t bytes_of(const std::vector<std::string>& files) {
  int64_t total = 0;
  for (const std::string& file : files) total += static_cast<int64_t>(fs::file_size(file));
  return total;
}

void tell(const TextBatch& batch, PrepareProgress& state, const ReportProgress& progress) {
  state.bytes += batch.bytes;
  state.documents += batch.documents;
  state.read = batch.read;
  state.file = batch.file;
  progress(state);
}

std::unique_ptr<Tokenizer> trained_bpe(const PrepareOptions& options, const std::vector<std::string>& files,
                                       const ReportProgress& progress, int64_t vocabulary, int64_t& sample_bytes) {
  SmallestKeys<std::string> sample(kTokenizerSample);
  PrepareProgress state{.doing = "reading text for the tokenizer", .total = bytes_of(files)};
  TextBatches batches(DocumentReader(files, options.field, options.invalid_utf8), "tokenizer",
                      TextBatches::KeysOf::pieces);
  while (auto batch = batches.next()) {
    for (size_t i = 0; i < batch->pieces.size(); ++i) {
      std::string& text = batch->pieces[i].text;
      const auto size = static_cast<int64_t>(text.size());
      if (size > 0) sample.add(batch->keys[i], size, std::move(text), [](const std::string&) {});
    }
    tell(*batch, state, progress);
  }
  std::vector<std::string> chosen;
  sample.for_each([&](std::string text) {
    sample_bytes += static_cast<int64_t>(text.size());
    chosen.push_back(std::move(text));
  });
  state.doing = "training the tokenizer";
  progress(state);
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
  return trained_bpe(options, files, progress, static_cast<int64_t>(*size), sample_bytes);
}

/// Ids of the pieces, BOS and EOS around each document; on all threads.
std::vector<std::vector<int32_t>> encode_all(const Tokenizer& tokenizer, const std::vector<TextPiece>& pieces) {
  std::vector<std::vector<int32_t>> encoded(pieces.size());
  std::vector<std::exception_ptr> failures(pieces.size());  // an exception must not leave a parallel loop
#pragma omp parallel for schedule(dynamic)
  for (size_t i = 0; i < pieces.size(); ++i) try {
      std::vector<int32_t>& ids = encoded[i];
      if (pieces[i].first) ids.push_back(tokenizer.bos());
      tokenizer.encode(pieces[i].text, ids);
      if (pieces[i].last) ids.push_back(tokenizer.eos());
    } catch (...) {
      failures[i] = std::current_exception();
    }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return encoded;
}

/// Text to tokens, from where the state says to the end.
class Writing {
 public:
  Writing(const PrepareOptions& options, const std::vector<std::string>& files, PartialDirectory& partial,
          PreparationState state, const Tokenizer& tokenizer)
      : options_(options),
        files_(files),
        partial_(partial),
        state_(std::move(state)),
        tokenizer_(tokenizer),
        writer_(partial.path(), tokenizer, state_.train, state_.validation),
        splitter_(partial.path(), {options.validation_fraction, options.validation_tokens}, writer_, state_.waiting) {}

  void run(const ReportProgress& progress) {
    PrepareProgress shown{
        .doing = "writing tokens", .documents = state_.documents, .bytes = state_.bytes, .total = bytes_of(files_)};
    int64_t saved_at = state_.bytes;
    TextBatches batches(DocumentReader(files_, options_.field, options_.invalid_utf8, state_.reader),
                        fmt::format("split {}", options_.seed));
    while (auto batch = batches.next()) {
      if (!batch->problems) add(*batch);  // else nothing will be kept: read on only to list what else is wrong
      state_.bytes += batch->bytes;
      state_.documents += batch->documents;
      state_.reader = batch->after;
      if (batch->between && !batch->problems && state_.bytes - saved_at >= options_.save_every) {
        save();
        saved_at = state_.bytes;
      }
      shown.saved = partial_.saved();
      tell(*batch, shown, progress);
    }
    state_.reader = batches.end();
    splitter_.finish();
  }
  spec::CorpusManifest finish(const std::string& name) { return writer_.finish(name); }
  void save() {
    writer_.sync();
    state_.waiting = splitter_.sync();
    state_.train = writer_.counts(false);
    state_.validation = writer_.counts(true);
    partial_.save(state_);
  }
  const PreparationState& state() const { return state_; }

 private:
  void add(const TextBatch& batch) {
    const auto encoded = encode_all(tokenizer_, batch.pieces);
    for (size_t i = 0; i < encoded.size(); ++i) {
      const TextPiece& piece = batch.pieces[i];
      const auto bytes = static_cast<int64_t>(piece.text.size());
      if (piece.first && piece.last) {
        splitter_.add(batch.keys[i], encoded[i], bytes);
        continue;
      }
      if (piece.first) splitter_.begin();
      if (piece.dropped) {
        splitter_.drop();
        continue;
      }
      splitter_.part(encoded[i], bytes);
      if (piece.last) splitter_.end(batch.keys[i]);
    }
  }

  const PrepareOptions& options_;
  const std::vector<std::string>& files_;
  PartialDirectory& partial_;
  PreparationState state_;
  const Tokenizer& tokenizer_;
  CorpusWriter writer_;
  Splitter splitter_;
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

/// The tokenizer of a state that is taken up again, or a new one.
std::unique_ptr<Tokenizer> tokenizer_for(const PrepareOptions& options, const std::vector<std::string>& files,
                                         PartialDirectory& partial, PreparationState& state,
                                         const ReportProgress& progress) {
  const std::string kept = partial.path() + "/tokenizer.model";
  const bool trains = options.tokenizer.starts_with("bpe:") && !names_tokenizer_file(options.tokenizer);
  auto tokenizer = trains && !state.tokenizer_sha256.empty()
                       ? load_sentencepiece(read_file(kept), kept, {})
                       : make_tokenizer(options, files, progress, state.tokenizer_sample);
  const std::string sha256 = sha256_hex(tokenizer->file_content());
  if (!state.tokenizer_sha256.empty() && sha256 != state.tokenizer_sha256) {
    partial.forget();  // its file has changed since
    state = {.asked = state.asked};
  }
  if (trains && state.tokenizer_sha256.empty()) write_file_atomically(kept, tokenizer->file_content());
  state.tokenizer_sha256 = sha256;
  return tokenizer;
}

PreparedCorpus prepare_into(PartialDirectory& partial, const PrepareOptions& options,
                            const std::vector<std::string>& files, const std::string& out,
                            const ReportProgress& progress) {
  PreparedCorpus result;
  const std::string asked = asked_for(options, files);
  PreparationState state = partial.load(asked).value_or(PreparationState{.asked = asked});
  const bool fresh = state.tokenizer_sha256.empty();
  const auto tokenizer = tokenizer_for(options, files, partial, state, progress);
  result.taken_up = state.bytes;
  Writing writing(options, files, partial, state, *tokenizer);
  if (fresh && state.tokenizer_sample > 0) writing.save();  // training takes long: not twice
  writing.run(progress);
  result.manifest = writing.finish(options.name.empty() ? fs::path(out).filename().string() : options.name);
  result.manifest.directory = out;
  result.blank_documents = writing.state().reader.blank;
  result.notes = writing.state().reader.notes;
  result.text_bytes = writing.state().bytes;
  result.tokenizer_sample = writing.state().tokenizer_sample;
  result.already_there = holds_the_same(result.manifest);
  if (result.already_there)
    partial.give_up();
  else
    partial.commit();
  return result;
}

PreparedCorpus prepare_text(const PrepareOptions& options, const ReportProgress& progress) {
  check_text(options);
  const std::vector<std::string> files = find_text_files(options.inputs);
  const std::string out = corpus_place(options.out);
  PartialDirectory partial(out);
  try {
    return prepare_into(partial, options, files, out, progress);
  } catch (const ConfigError&) {
    partial.give_up();  // going on would meet the same mistake
    throw;
  }
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
