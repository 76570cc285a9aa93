#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/spec/run_config.h"

namespace hyscale::spec {

/// Tokens that stay in a file of the user's: `count` little-endian numbers from byte `offset` on. Size and time of
/// writing are those of the file when it was looked through.
struct TokenRange {
  std::string path;  // absolute
  int64_t file_bytes = 0;
  int64_t modified = 0;  // nanoseconds since 1970
  int64_t offset = 0;    // bytes
  int64_t count = 0;
  int64_t width = 0;  // bytes per number: 2, 4 or 8
};

/// `manifest.json` of a prepared corpus (docs/formats.md): what planner, trainer and report need to know about it.
struct CorpusManifest {
  std::string name;
  std::string directory;
  std::string tokenizer;       // "byte" | "bpe" | "huggingface" | "tiktoken" | "none": it is not at hand
  int64_t vocabulary = 0;      // special tokens included
  int64_t bos = -1, eos = -1;  // ids inside the vocabulary; with tokenizer "none" -1 when there is none
  int64_t train_tokens = 0, validation_tokens = 0;
  int64_t train_documents = 0, validation_documents = 0;
  // of UTF-8 text, 0 when it is not known: bits per byte = nats × tokens / bytes / ln 2
  int64_t train_bytes = 0, validation_bytes = 0;
  double unigram_entropy = 0;                                 // nats per token of the validation tokens
  CorpusIdentity identity;                                    // sha256 of tokens (both splits) and of the tokenizer
  std::vector<TokenRange> train_files{}, validation_files{};  // tokens used in place; empty: in `directory`
};

inline constexpr const char* kNoTokenizer = "none";

/// Reads and checks manifest.json. Throws ConfigError when it is missing ("prepare it with hybrid-worker data …") and
/// DamagedFile when it is not what `hybrid-worker data` writes.
CorpusManifest load_corpus_manifest(const std::string& directory);
void save_corpus_manifest(const CorpusManifest& manifest);  // into manifest.directory, atomically

/// A model's vocabulary is its corpus's, or that padded by fewer than 128 ids (a round size is faster; ids that never
/// occur cost parameters and FLOPs, so more of them would be a mistake). nullopt when it is.
std::optional<Problem> vocabulary_problem(int64_t vocabulary, const CorpusManifest& corpus);

/// STORE/corpora/NAME, or NAME itself when it contains a slash.
std::string corpus_directory(const std::string& store, const std::string& name);
/// --store, else HYSCALE_STORE, else ./hyscale-store.
std::string store_directory(const std::string& given);

}  // namespace hyscale::spec
