#include "core/spec/corpus_manifest.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::spec {

using nlohmann::json;
using nlohmann::ordered_json;

static constexpr const char* kFormat = "hyscale.corpus/1";

static std::string manifest_path(const std::string& directory) { return directory + "/manifest.json"; }

// A count whose 0 means "not known": null in the file.
template <class Count>
struct Known {
  Count& count;
};

// One list of fields of a range, too.
template <class Range, class Visit>
static void visit_range(Range& r, Visit&& visit) {
  visit("path", r.path);
  visit("file_bytes", r.file_bytes);
  visit("modified", r.modified);
  visit("offset", r.offset);
  visit("count", r.count);
  visit("width", r.width);
}

// One list of fields for reading and writing, so that the two cannot drift apart.
template <class Manifest, class Visit>
static void visit_fields(Manifest& m, Visit&& visit) {
  visit("name", m.name);
  visit("tokenizer", m.tokenizer);
  visit("vocabulary", m.vocabulary);
  visit("bos", m.bos);
  visit("eos", m.eos);
  visit("train_tokens", m.train_tokens);
  visit("validation_tokens", m.validation_tokens);
  visit("train_documents", m.train_documents);
  visit("validation_documents", m.validation_documents);
  visit("train_bytes", Known{m.train_bytes});
  visit("validation_bytes", Known{m.validation_bytes});
  visit("unigram_entropy", m.unigram_entropy);
  visit("corpus_sha256", m.identity.corpus_sha256);
  visit("tokenizer_sha256", m.identity.tokenizer_sha256);
}

template <class Field>
static void read_field(const json& file, const char* key, Field& field) {
  file.at(key).get_to(field);
}
template <class Count>
static void read_field(const json& file, const char* key, Known<Count> field) {
  field.count = file.at(key).is_null() ? 0 : file.at(key).get<int64_t>();
}
template <class Field>
static void write_field(ordered_json& file, const char* key, const Field& field) {
  file[key] = field;
}
template <class Count>
static void write_field(ordered_json& file, const char* key, Known<Count> field) {
  file[key] = field.count > 0 ? ordered_json(field.count) : ordered_json(nullptr);
}

static std::vector<TokenRange> read_ranges(const json& file, const char* key) {
  std::vector<TokenRange> ranges;
  if (!file.contains(key)) return ranges;
  for (const json& item : file.at(key)) {
    TokenRange& range = ranges.emplace_back();
    visit_range(range, [&](const char* name, auto& field) { item.at(name).get_to(field); });
  }
  return ranges;
}
static void write_ranges(ordered_json& file, const char* key, const std::vector<TokenRange>& ranges) {
  for (const TokenRange& range : ranges) {
    ordered_json item;
    visit_range(range, [&](const char* name, const auto& field) { item[name] = field; });
    file[key].push_back(std::move(item));
  }
}

static bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// "" when the manifest can be what `hybrid-worker data` wrote.
static std::string complaint(const CorpusManifest& m) {
  if (m.name.empty()) return "name is empty";
  const bool none = m.tokenizer == kNoTokenizer;
  if (m.tokenizer != "byte" && m.tokenizer != "bpe" && m.tokenizer != "huggingface" && m.tokenizer != "tiktoken" &&
      !none)
    return fmt::format("tokenizer is '{}'", m.tokenizer);
  if (m.vocabulary < 2) return fmt::format("vocabulary is {}", m.vocabulary);
  const int64_t lowest = none ? -1 : 0;
  if (m.bos < lowest || m.bos >= m.vocabulary || m.eos < lowest || m.eos >= m.vocabulary)
    return fmt::format("bos {} and eos {} are not both inside the vocabulary of {}", m.bos, m.eos, m.vocabulary);
  if (m.train_tokens < 1 || m.validation_tokens < 1 || m.train_documents < 1 || m.validation_documents < 1 ||
      m.train_bytes < 0 || m.validation_bytes < 0)
    return "a count is not positive";
  for (const auto* ranges : {&m.train_files, &m.validation_files})
    for (const TokenRange& r : *ranges)
      if (r.path.empty() || r.offset < 0 || r.count < 1 || (r.width != 2 && r.width != 4 && r.width != 8))
        return fmt::format("the range of tokens in '{}' is malformed", r.path);
  if (!std::isfinite(m.unigram_entropy) || m.unigram_entropy < 0)
    return fmt::format("unigram_entropy is {}", m.unigram_entropy);
  if (!is_sha256(m.identity.corpus_sha256) || !is_sha256(m.identity.tokenizer_sha256)) return "a SHA-256 is malformed";
  return "";
}

static DamagedFile damaged(const std::string& path, const std::string& why) {
  return DamagedFile({.what = "not a corpus manifest: " + why,
                      .remedy = "prepare the corpus again with 'hybrid-worker data'",
                      .at = {path}});
}

CorpusManifest load_corpus_manifest(const std::string& directory) {
  const std::string path = manifest_path(directory);
  if (!std::filesystem::exists(path))
    throw ConfigError(
        Problem{.what = fmt::format("there is no corpus in {}", directory),
                .remedy = fmt::format("prepare it: hybrid-worker data TEXT… --tokenizer byte --out {}", directory)});
  CorpusManifest manifest;
  try {
    const auto found = json::parse(read_file(path));
    if (found.at("format") != kFormat) throw damaged(path, "format is not " + std::string(kFormat));
    visit_fields(manifest, [&](const char* key, auto&& field) { read_field(found, key, field); });
    manifest.train_files = read_ranges(found, "train_files");
    manifest.validation_files = read_ranges(found, "validation_files");
  } catch (const json::exception& e) {
    throw damaged(path, e.what());
  }
  manifest.directory = directory;
  if (const std::string why = complaint(manifest); !why.empty()) throw damaged(path, why);
  return manifest;
}

void save_corpus_manifest(const CorpusManifest& manifest) {
  const std::string path = manifest_path(manifest.directory);
  if (const std::string why = complaint(manifest); !why.empty()) throw damaged(path, why);
  ordered_json fields{{"format", kFormat}};
  visit_fields(manifest, [&](const char* key, auto&& field) { write_field(fields, key, field); });
  write_ranges(fields, "train_files", manifest.train_files);
  write_ranges(fields, "validation_files", manifest.validation_files);
  write_file_atomically(path, fields.dump(2) + "\n");
}

std::optional<Problem> vocabulary_problem(int64_t vocabulary, const CorpusManifest& corpus) {
  constexpr int64_t kPadding = 128;
  if (vocabulary >= corpus.vocabulary && vocabulary < corpus.vocabulary + kPadding) return std::nullopt;
  const bool small = vocabulary < corpus.vocabulary;
  return Problem{
      .what = fmt::format("model.vocabulary is {}, corpus {} ({} tokenizer) has {}", vocabulary, corpus.name,
                          corpus.tokenizer, corpus.vocabulary),
      .why = small ? "every token of the corpus needs an id in the model"
                   : "ids that no text uses cost parameters and FLOPs; only padding of fewer than 128 is let by",
      .remedy = fmt::format("set model.vocabulary to {}, or data.corpus to the corpus you meant", corpus.vocabulary)};
}

std::string corpus_directory(const std::string& store, const std::string& name) {
  return name.find('/') == std::string::npos ? store + "/corpora/" + name : name;
}

std::string store_directory(const std::string& given) {
  if (!given.empty()) return given;
  const char* fallback = std::getenv("HYSCALE_STORE");
  return fallback && *fallback ? fallback : "./hyscale-store";
}

}  // namespace hyscale::spec
