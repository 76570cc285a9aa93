#include "core/data/load_tokenizer.h"

#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/rank_file.h"
#include "core/data/split_presets.h"

namespace hyscale::data {
namespace {

namespace fs = std::filesystem;

struct Named {
  std::string path, preset;
};

// FILE@NAME, unless a file has that very name.
Named split_word(const std::string& word) {
  const size_t at = word.rfind('@');
  if (at == std::string::npos || fs::exists(word) || word.find('/', at) != std::string::npos) return {word, ""};
  return {word.substr(0, at), word.substr(at + 1)};
}

// What `hybrid-worker data` writes for bytes; no other JSON of that kind is as small.
bool is_byte_tokenizer(const std::string& content) {
  if (content.size() > 1000) return false;
  const auto json = nlohmann::json::parse(content, nullptr, false);
  return json.is_object() && json.value("kind", nlohmann::json()) == "byte";
}

std::unique_ptr<Tokenizer> load_byte(const LoadOptions& options) {
  if (!options.bos.empty() || !options.eos.empty())
    throw ConfigError(Problem{.what = "--bos and --eos have no meaning for the byte tokenizer",
                              .why = "it has one token for each, 256 and 257"});
  return byte_tokenizer();
}

std::unique_ptr<Tokenizer> load_file(const Named& named, const LoadOptions& options) {
  const std::string& path = named.path;
  if (fs::is_directory(path))
    throw ConfigError({.what = fmt::format("{} is a directory", path),
                       .remedy = fmt::format("name the file: {}/tokenizer.json or {}/tokenizer.model", path, path)});
  std::string content = read_file(path);
  const size_t begin = content.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) throw ConfigError(Problem{.what = "this file is empty", .at = {path}});
  if (!named.preset.empty() || is_rank_file(content) || path.ends_with(".tiktoken"))
    return load_ranks(std::move(content), path, named.preset, options);
  if (is_byte_tokenizer(content)) return load_byte(options);
  if (content[begin] == '{' || path.ends_with(".json")) return load_tokenizer_json(std::move(content), path, options);
  return load_sentencepiece(std::move(content), path, options);
}

}  // namespace

bool names_tokenizer_file(const std::string& word) {
  return fs::exists(word) || (!word.starts_with("bpe:") && word.find_first_of("./@") != std::string::npos);
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& word, const LoadOptions& options) {
  return word == "byte" ? load_byte(options) : load_file(split_word(word), options);
}

}  // namespace hyscale::data
