#include "core/data/tokenizer_json.h"

#include <algorithm>

#include "core/base/log.h"
#include "core/data/frame_tokens.h"
#include "core/data/load_tokenizer.h"
#include "core/data/unicode.h"

namespace hyscale::data {
namespace {

nlohmann::json parse(const std::string& content, const std::string& path) {
  try {
    return nlohmann::json::parse(content);
  } catch (const nlohmann::json::parse_error& e) {
    const std::string_view before = std::string_view(content).substr(0, e.byte > 0 ? e.byte - 1 : 0);
    const auto line = static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1;
    const size_t begin = before.rfind('\n');  // npos + 1 is 0
    const auto column = static_cast<int>(before.size() - (begin + 1)) + 1;
    throw ConfigError({.what = e.byte > content.size() ? "the JSON ends too early" : "this is no JSON",
                       .remedy = "fetch or save the tokenizer again: the file is torn or was edited",
                       .at = {path, line, column}});
  }
}

std::vector<AddedToken> read_added(const JsonNode& root, const WordIds& vocab) {
  std::vector<AddedToken> tokens;
  WordIds contents;
  std::unordered_map<int32_t, std::string> ids;
  if (!root.has("added_tokens")) return tokens;
  for (const JsonNode& node : root.at("added_tokens").items()) {
    node.allow({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token{.content = node.text("content"),
                     .id = node.at("id").id(kLargestVocabulary),
                     .strip_left = node.flag("lstrip", false),
                     .strip_right = node.flag("rstrip", false),
                     .normalized = node.flag("normalized", true),
                     .special = node.flag("special", false)};
    if (node.flag("single_word", false)) node.at("single_word").complain("is true, which is not supported");
    if (const auto known = vocab.find(token.content); known != vocab.end() && known->second != token.id)
      node.at("id").complain(
          fmt::format("is {}, but model.vocab gives '{}' the id {}", token.id, token.content, known->second));
    if (!contents.emplace(token.content, token.id).second)
      node.at("content").complain(fmt::format("'{}' is there already", token.content));
    if (const auto [other, is_new] = ids.emplace(token.id, token.content); !is_new)
      node.at("id").complain(fmt::format("{} is that of '{}' already", token.id, other->second));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// How the texts of tokens become text again.
struct DecodeRules {
  bool of_bytes = false, byte_fallback = false;
  std::string mark{};  // stands for a space
  size_t strip_spaces = 0;
};

void add_decoder(const JsonNode& node, DecodeRules& rules) {
  const std::string type = node.text("type");
  const auto refuse = [&] { node.complain(fmt::format("({}) is not supported as it is", type)); };
  if (type == "Sequence") {
    for (const JsonNode& part : node.at("decoders").items()) add_decoder(part, rules);
  } else if (type == "ByteFallback") {
    rules.byte_fallback = true;
  } else if (type == "Replace") {
    if (!node.at("pattern").has("String") || node.text("content", "") != " ") return refuse();
    rules.mark = node.at("pattern").text("String", "");
  } else if (type == "Strip") {
    const auto spaces = [&](const char* key) { return node.has(key) ? node.at(key).id(1000) : 0; };
    if (node.text("content") != " " || spaces("stop") != 0) return refuse();
    rules.strip_spaces = static_cast<size_t>(std::max(0, spaces("start")));
  } else if (type == "Metaspace") {
    rules.mark = node.text("replacement", "▁");
    const bool prefix =
        node.text("prepend_scheme", node.flag("add_prefix_space", true) ? "always" : "never") != "never";
    rules.strip_spaces = prefix ? 1 : 0;
  } else if (type != "ByteLevel" && type != "Fuse") {
    node.at("type").complain(fmt::format("is '{}'", type),
                             "ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip and Sequence are supported");
  }
}

std::string text_of(const std::string& token, const DecodeRules& rules) {
  if (rules.of_bytes) return byte_level_bytes(token).value_or(token);
  if (rules.byte_fallback && token.size() == 6 && token.starts_with("<0x") && token.ends_with(">"))
    return std::string(1, static_cast<char>(std::strtol(token.substr(3, 2).c_str(), nullptr, 16)));
  std::string text = token;
  for (size_t at = 0; !rules.mark.empty() && (at = text.find(rules.mark, at)) != std::string::npos; ++at)
    text.replace(at, rules.mark.size(), " ");
  return text;
}

std::vector<std::string> texts_of(const WordIds& vocab, const std::vector<AddedToken>& added,
                                  const DecodeRules& rules) {
  int32_t last = -1;
  for (const auto& [token, id] : vocab) last = std::max(last, id);
  for (const AddedToken& token : added) last = std::max(last, token.id);
  std::vector<std::string> texts(static_cast<size_t>(last + 1));
  for (const auto& [token, id] : vocab) texts[static_cast<size_t>(id)] = text_of(token, rules);
  for (const AddedToken& token : added)
    if (token.id >= 0) texts[static_cast<size_t>(token.id)] = token.special ? "" : token.content;
  return texts;
}

/// Names of the special tokens that the post-processor puts before and behind a text. Nothing else of it is needed.
using Frame = std::pair<std::string, std::string>;
Frame read_frame(const JsonNode& node) {
  const std::string type = node.text("type");
  Frame frame;
  if (type == "Sequence") {
    for (const JsonNode& part : node.at("processors").items()) {
      const auto [bos, eos] = read_frame(part);
      if (!bos.empty()) frame.first = bos;
      if (!eos.empty()) frame.second = eos;
    }
  } else if (type == "TemplateProcessing") {
    bool behind = false;
    for (const JsonNode& part : node.at("single").items()) {
      const std::string token = part.has("SpecialToken") ? part.at("SpecialToken").text("id") : "";
      if (part.has("Sequence")) behind = true;
      if (!token.empty()) (behind ? frame.second : frame.first) = token;
    }
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    const auto name = [&](const char* key) {  // ["<s>", 0]
      const auto& pair = node.at(key).value();
      return pair.is_array() && !pair.empty() && pair[0].is_string() ? pair[0].get<std::string>() : "";
    };
    frame = {name("cls"), name("sep")};
  } else if (!type.empty() && type != "ByteLevel") {
    node.at("type").complain(
        fmt::format("is '{}'", type),
        "TemplateProcessing, ByteLevel, RobertaProcessing, BertProcessing and Sequence are supported");
  }
  return frame;
}

void warn_of_limits(const JsonNode& root) {
  for (const char* key : {"truncation", "padding"})
    if (root.has(key)) log::warn(fmt::format("{}: {} is not applied: documents are encoded whole", root.file(), key));
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer_json(std::string content, const std::string& path,
                                               const LoadOptions& options) {
  const nlohmann::json json = parse(content, path);
  Problems problems;
  const JsonNode root(json, "", path, problems);
  if (!root.has("model"))
    throw ConfigError({.what = "has no \"model\"", .remedy = "a Hugging Face tokenizer.json is wanted", .at = {path}});
  root.allow({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
              "decoder", "model"});
  JsonStages stages = read_stages(root);
  JsonVocabulary vocabulary = read_vocabulary(root.at("model"), stages.of_bytes);
  BpeParts parts{.kind = "huggingface", .file_name = "tokenizer.json"};
  parts.added = read_added(root, vocabulary.ids);
  DecodeRules rules{.of_bytes = stages.of_bytes};
  if (root.has("decoder")) add_decoder(root.at("decoder"), rules);
  const auto [bos, eos] = root.has("post_processor") ? read_frame(root.at("post_processor")) : Frame();
  problems.throw_if_any();
  warn_of_limits(root);
  if (!stages.of_bytes && !vocabulary.mark.empty()) stages.pre_tokenizer.add(CutStage{vocabulary.mark});
  parts.normalizers = std::move(stages.normalizers);
  parts.pre_tokenizer = std::move(stages.pre_tokenizer);
  parts.model = std::move(vocabulary.model);
  parts.texts = texts_of(vocabulary.ids, parts.added, rules);
  parts.strip_spaces = rules.strip_spaces;
  set_frame(parts, options, bos, eos, path);
  parts.file_content = std::move(content);
  return std::make_unique<BpeTokenizer>(std::move(parts), options.with_special);
}

}  // namespace hyscale::data
