#include "core/data/frame_tokens.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/base/error.h"

namespace hyscale::data {
namespace {

constexpr auto kKnownBos = std::to_array<const char*>(
    {"<|begin_of_text|>", "<s>", "<bos>", "<|startoftext|>", "<｜begin▁of▁sentence｜>", "[BOS]", "<BOS>"});
constexpr auto kKnownEos = std::to_array<const char*>(
    {"<|end_of_text|>", "</s>", "<eos>", "<|endoftext|>", "<｜end▁of▁sentence｜>", "[EOS]", "<EOS>"});

int32_t id_of(const BpeParts& parts, const std::string& content) {
  const auto found = std::find_if(parts.added.begin(), parts.added.end(),
                                  [&](const AddedToken& token) { return token.content == content; });
  return found == parts.added.end() ? -1 : found->id;
}

std::string special_tokens(const BpeParts& parts) {
  std::string names;
  size_t count = 0;
  for (const AddedToken& token : parts.added)
    if (token.special && ++count <= 8) names += (names.empty() ? "" : ", ") + token.content;
  return count > 8 ? names + ", …" : count == 0 ? "none" : names;
}

template <class Known>
int32_t find(const BpeParts& parts, const char* flag, const std::string& asked, const std::string& named,
             const Known& known, const std::string& path) {
  if (!asked.empty()) {
    if (const int32_t id = id_of(parts, asked); id >= 0) return id;
    throw ConfigError({.what = fmt::format("{} {}: {} has no such added token", flag, asked, path),
                       .remedy = "its special tokens: " + special_tokens(parts)});
  }
  if (const int32_t id = id_of(parts, named); id >= 0) return id;
  for (const char* word : known)
    if (const int32_t id = id_of(parts, word); id >= 0) return id;
  return -1;
}

}  // namespace

void set_frame(BpeParts& parts, const LoadOptions& options, std::string bos, std::string eos, const std::string& path) {
  parts.bos = find(parts, "--bos", options.bos, bos, kKnownBos, path);
  parts.eos = find(parts, "--eos", options.eos, eos, kKnownEos, path);
  if (options.bos_id >= 0) parts.bos = static_cast<int32_t>(options.bos_id);
  if (options.eos_id >= 0) parts.eos = static_cast<int32_t>(options.eos_id);
  if (parts.bos < 0) parts.bos = parts.eos;
  if (parts.eos < 0) parts.eos = parts.bos;
  if (parts.bos < 0 && options.needs_frame)
    throw ConfigError({.what = fmt::format("{} has no token that is known to begin or end documents", path),
                       .why = "documents begin with BOS and end with EOS",
                       .remedy = "name one with --bos and --eos; its special tokens: " + special_tokens(parts)});
}

}  // namespace hyscale::data
