#pragma once

#include "core/data/bpe_tokenizer.h"
#include "core/data/json_node.h"
#include "core/data/tokenizer_limits.h"

namespace hyscale::data {

/// What the stages of a tokenizer.json come to.
struct JsonStages {
  std::vector<Normalizer> normalizers{};
  PreTokenizer pre_tokenizer{};
  bool of_bytes = false;  // it ends with ByteLevel
};
/// `root` is the file; reads "normalizer" and "pre_tokenizer".
JsonStages read_stages(const JsonNode& root);

/// "model" of the file: token ids by text as the file spells them, and the merges.
struct JsonVocabulary {
  WordIds ids{};
  BpeModel model{};
  std::string mark{};  // no merge joins a character to this one behind it; "" when some do
};
JsonVocabulary read_vocabulary(const JsonNode& model, bool of_bytes);

/// The bytes that a byte-level token stands for (GPT-2's alphabet of 256 printable characters); nullopt when it holds
/// another character.
std::optional<std::string> byte_level_bytes(std::string_view token);

}  // namespace hyscale::data
