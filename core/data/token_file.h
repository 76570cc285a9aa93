#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/spec/corpus_manifest.h"

namespace hyscale::data {

/// A file of token ids that somebody else's program wrote.
struct TokenFile {
  std::string format{};                  // "npy", "raw", "llm.c", "Megatron": for people
  spec::TokenRange range{};              // where the ids lie
  bool is_signed = false;                // negative ids are read as huge ones, and refused like them
  std::vector<int64_t> document_ends{};  // in ids from the front, ascending, the last is `range.count`; empty: not told
};

/// By name: .npy, .bin or .idx.
bool is_token_file(const std::string& path);

/// - `.npy`: one-dimensional, or two-dimensional with a document in each row; uint16, uint32, int32 or int64.
/// - `.bin` with an `.idx` beside it that starts with MMIDIDX: Megatron's indexed data set (either name will do).
/// - `.bin` that starts with 20240520 (version 1, uint16) or 20240801 (version 7, uint32): llm.c.
/// - any other `.bin`: numbers of type `raw` (uint16 or uint32) alone, as nanoGPT writes them.
///
/// Reads headers only. Throws ConfigError saying which byte is not what the format asks for; IoError.
TokenFile open_token_file(const std::string& path, const std::string& raw);

}  // namespace hyscale::data
