#include "exchange/tokenizer_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/spec/corpus_manifest.h"
#include "exchange/sentencepiece_json.h"

namespace hyscale::exchange {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kBos = "<|bos|>";
constexpr const char* kEos = "<|eos|>";

/// GPT-2's printable stand-in for a byte: printable Latin-1 characters are themselves, the others follow from U+0100.
std::string stand_in(int byte) {
  const auto printable = [](int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; };
  int point = byte;
  if (!printable(byte)) {
    point = 256;
    for (int other = 0; other < byte; ++other) point += printable(other) ? 0 : 1;
  }
  if (point < 0x80) return std::string(1, static_cast<char>(point));
  return {static_cast<char>(0xc0 | (point >> 6)), static_cast<char>(0x80 | (point & 0x3f))};
}

Json special_token(int64_t id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

// Each byte is a token, so that nothing is ever merged.
std::string byte_tokenizer_json(const data::Tokenizer& tokenizer) {
  Json vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary[stand_in(byte)] = byte;
  const Json of_bytes{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  const Json json{{"version", "1.0"},
                  {"truncation", nullptr},
                  {"padding", nullptr},
                  {"added_tokens", {special_token(tokenizer.bos(), kBos), special_token(tokenizer.eos(), kEos)}},
                  {"normalizer", nullptr},
                  {"pre_tokenizer", of_bytes},
                  {"post_processor", nullptr},
                  {"decoder", of_bytes},
                  {"model",
                   {{"type", "BPE"},
                    {"dropout", nullptr},
                    {"unk_token", nullptr},
                    {"continuing_subword_prefix", nullptr},
                    {"end_of_word_suffix", nullptr},
                    {"fuse_unk", false},
                    {"byte_fallback", false},
                    {"ignore_merges", false},
                    {"vocab", vocabulary},
                    {"merges", Json::array()}}}};
  return json.dump(1) + "\n";
}

/// The text of a token in a tokenizer.json; null when there is none.
Json text_of(const Json& tokenizer, int64_t id) {
  for (const Json& token : tokenizer.value("added_tokens", Json::array()))
    if (token.value("id", int64_t{-1}) == id) return token["content"];
  if (tokenizer.contains("model") && tokenizer["model"].contains("vocab"))
    for (const auto& [text, number] : tokenizer["model"]["vocab"].items())
      if (number == id) return text;
  return nullptr;
}

std::string tokenizer_config(const std::string& tokenizer_json, FrameIds ids, int64_t context) {
  const Json tokenizer = Json::parse(tokenizer_json);
  const Json config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                    {"bos_token", text_of(tokenizer, ids.bos)},
                    {"eos_token", text_of(tokenizer, ids.eos)},
                    {"clean_up_tokenization_spaces", false},
                    {"model_max_length", context}};
  return config.dump(2) + "\n";
}

}  // namespace

TokenizerFiles tokenizer_files(const data::Tokenizer& tokenizer, int64_t context) {
  TokenizerFiles result;
  result.ids = {.bos = tokenizer.bos(), .eos = tokenizer.eos()};
  const std::string kind = tokenizer.kind();
  if (kind == spec::kNoTokenizer) {
    result.note = "none: the corpus came as token ids";
    return result;
  }
  std::optional<std::string> json;
  if (kind == "byte") json = byte_tokenizer_json(tokenizer);
  if (kind == "huggingface") json = tokenizer.file_content();
  if (kind == "bpe") json = sentencepiece_json(tokenizer);
  if (kind == "bpe" || kind == "tiktoken") result.files[tokenizer.file_name()] = tokenizer.file_content();
  if (json) {
    result.files["tokenizer.json"] = *json;
    result.files["tokenizer_config.json"] = tokenizer_config(*json, result.ids, context);
    result.note = "tokenizer.json";
  } else {
    result.note = fmt::format("{}, as the {} library reads it", tokenizer.file_name(),
                              kind == "tiktoken" ? "tiktoken" : "SentencePiece");
  }
  return result;
}

}  // namespace hyscale::exchange
