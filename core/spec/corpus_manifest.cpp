#include "core/spec/corpus_manifest.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::spec {

static constexpr const char* kFormat = "hyscale.corpus/1";

static std::string manifest_path(const std::string& directory) { return directory + "/manifest.json"; }

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
  visit("train_bytes", m.train_bytes);
  visit("validation_bytes", m.validation_bytes);
  visit("unigram_entropy", m.unigram_entropy);
  visit("corpus_sha256", m.identity.corpus_sha256);
  visit("tokenizer_sha256", m.identity.tokenizer_sha256);
}

static bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// "" when the manifest can be what `hybrid-worker data` wrote.
static std::string complaint(const CorpusManifest& m) {
  if (m.name.empty()) return "name is empty";
  if (m.tokenizer != "byte" && m.tokenizer != "bpe" && m.tokenizer != "huggingface" && m.tokenizer != "tiktoken")
    return fmt::format("tokenizer is '{}'", m.tokenizer);
  if (m.vocabulary < 2) return fmt::format("vocabulary is {}", m.vocabulary);
  if (m.bos < 0 || m.bos >= m.vocabulary || m.eos < 0 || m.eos >= m.vocabulary)
    return fmt::format("bos {} and eos {} are not both inside the vocabulary of {}", m.bos, m.eos, m.vocabulary);
  if (m.train_tokens < 1 || m.validation_tokens < 1 || m.train_bytes < 1 || m.validation_bytes < 1 ||
      m.train_documents < 1 || m.validation_documents < 1)
    return "a count is not positive";
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
    const auto found = nlohmann::json::parse(read_file(path));
    if (found.at("format") != kFormat) throw damaged(path, "format is not " + std::string(kFormat));
    visit_fields(manifest, [&](const char* key, auto& field) { found.at(key).get_to(field); });
  } catch (const nlohmann::json::exception& e) {
    throw damaged(path, e.what());
  }
  manifest.directory = directory;
  if (const std::string why = complaint(manifest); !why.empty()) throw damaged(path, why);
  return manifest;
}

void save_corpus_manifest(const CorpusManifest& manifest) {
  const std::string path = manifest_path(manifest.directory);
  if (const std::string why = complaint(manifest); !why.empty()) throw damaged(path, why);
  nlohmann::ordered_json fields{{"format", kFormat}};
  visit_fields(manifest, [&](const char* key, const auto& field) { fields[key] = field; });
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
