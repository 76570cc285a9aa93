#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/data/documents.h"
#include "core/spec/corpus_manifest.h"

namespace hyscale::data {

/// What `hybrid-worker data` is asked for.
struct PrepareOptions {
  std::vector<std::string> inputs{};  // files and directories
  std::string tokenizer{};            // byte | bpe:4096 | a file: see load_tokenizer; "": ids of an unknown tokenizer
  std::string bos{}, eos{};           // texts of the tokens around documents; "": as the tokenizer's file has them.
                                      // Of an unknown tokenizer numbers; "": there is none
  std::string out{};                  // directory to make
  std::string name{};                 // "": the last part of `out`
  std::string field = "text";         // of .jsonl lines; column of .parquet
  double validation_fraction = 0.01;  // of the documents, 0 < f < 1; used when validation_tokens is 0
  int64_t validation_tokens = 0;      // at least so many
  int64_t seed = 0;                   // of the split
  InvalidUtf8 invalid_utf8 = InvalidUtf8::fail;
  int64_t save_every = 64'000'000;  // bytes of text between two states that a killed preparation can go on from

  // of inputs that are token ids already
  std::vector<std::string> validation_files{};  // else the last documents are kept for validation
  int64_t vocabulary = 0;                       // of the unknown tokenizer, whose bos and eos are numbers
  std::string dtype = "uint16";                 // of a .bin file without a header: uint16 | uint32
  bool copy = false;                            // into the corpus, instead of using the files where they are
};

struct PrepareProgress {
  std::string doing{};  // "training the tokenizer", "writing tokens"
  std::string file{};
  int64_t documents = 0, bytes = 0;
  int64_t read = 0, total = 0;  // bytes of the input files
  bool saved = false;           // should it end now, the same call goes on from here
};
using ReportProgress = std::function<void(const PrepareProgress&)>;

struct PreparedCorpus {
  spec::CorpusManifest manifest;
  bool already_there = false;        // `out` held this very corpus
  int64_t blank_documents = 0;       // skipped: white space alone
  int64_t tokenizer_sample = 0;      // bytes of text that byte-pair encoding was trained on
  int64_t text_bytes = 0;            // of all documents
  int64_t taken_up = 0;              // bytes of text that an earlier process had done
  std::vector<std::string> notes{};  // what a person should know about ids that were taken over
};

/// A document's side is a function of `seed` and its text alone, so reordered inputs keep the split and duplicates stay
/// together. Byte-pair encoding is trained on all documents, or on a random 64 MB of them.
/// Reads inputs as a stream, twice when it trains a tokenizer; one thread reads, all encode; memory is bounded by the
/// longest .jsonl line. Unfinished work lies in OUT.partial: a process that was killed, interrupted by `progress`
/// (called after every few megabytes) or met a full disk leaves it there once there is a state to go on from, and the
/// same call then gives what an undisturbed one gives. Throws ConfigError with everything that is wrong with the
/// inputs, or when `out` holds something else, and leaves nothing then; IoError when it cannot write.
PreparedCorpus prepare_corpus(const PrepareOptions& options, const ReportProgress& progress);

}  // namespace hyscale::data
