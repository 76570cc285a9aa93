#include <memory>

#include "core/data/split_presets.h"
#include "core/data/tokenizer_json.h"
#include "core/data/unicode.h"

namespace hyscale::data {
namespace {

// The stage Digits follows Unicode 17, two blocks of numbers ahead of \p{N}.
constexpr const char* kDigits = R"([\p{N}\x{11DE0}-\x{11DE9}\x{16FF4}-\x{16FF6}])";
constexpr const char* kNormalizers = "NFC, NFD, NFKC, NFKD, Prepend, Replace and Sequence of these are supported";
constexpr const char* kPreTokenizers = "ByteLevel, Split, Metaspace, Digits and Sequence of these are supported";

Normalizer unicode_normalizer(Normalization form) {
  return [form](std::string& text) { text = normalized(form, text); };
}

Normalizer prepend(std::string prefix) {
  return [prefix = std::move(prefix)](std::string& text) {
    if (!text.empty()) text.insert(0, prefix);
  };
}

Normalizer replace(std::shared_ptr<const SplitPattern> pattern, std::string content) {
  return [pattern = std::move(pattern), content = std::move(content)](std::string& text) {
    SplitPattern::Scratch scratch;
    SplitPattern::Match match;
    std::string stand_ins, out;
    const std::string& seen = with_stand_ins(text, stand_ins) ? stand_ins : text;
    size_t done = 0;
    while (pattern->find(seen, done, match, scratch) && match.end > match.begin) {
      out.append(text, done, match.begin - done).append(content);
      done = match.end;
    }
    text = out.append(text, done);
  };
}

/// {"String": "…"} or {"Regex": "…"}; nullopt and a complaint for anything else.
std::optional<SplitPattern> read_pattern(const JsonNode& node) {
  const auto problem_of = [&](const char* key) -> std::optional<SplitPattern> {
    const std::string text = node.text(key);
    if (text.empty()) return node.at(key).complain("is empty"), std::nullopt;
    try {
      return std::string_view(key) == "Regex" ? SplitPattern(text, RegexFlavour::oniguruma)
                                              : SplitPattern::literal(text);
    } catch (const ConfigError& e) {
      node.at(key).complain("cannot be used: " + e.problems().at(0).what, e.problems().at(0).remedy);
      return std::nullopt;
    }
  };
  if (node.has("String")) return problem_of("String");
  if (node.has("Regex")) return problem_of("Regex");
  node.complain(fmt::format("is {}, neither a String nor a Regex", node.shown()));
  return std::nullopt;
}

void add_normalizer(const JsonNode& node, std::vector<Normalizer>& list) {
  const std::string type = node.text("type");
  if (type == "Sequence") {
    node.allow({"type", "normalizers"});
    for (const JsonNode& part : node.at("normalizers").items()) add_normalizer(part, list);
  } else if (type == "Prepend") {
    node.allow({"type", "prepend"});
    list.push_back(prepend(node.text("prepend")));
  } else if (type == "Replace") {
    node.allow({"type", "pattern", "content"});
    if (auto pattern = read_pattern(node.at("pattern")))
      list.push_back(replace(std::make_shared<SplitPattern>(std::move(*pattern)), node.text("content", "")));
  } else if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    node.allow({"type"});
    const bool compatible = type.size() == 4, composed = type.back() == 'C';
    list.push_back(unicode_normalizer(compatible ? (composed ? Normalization::nfkc : Normalization::nfkd)
                                                 : (composed ? Normalization::nfc : Normalization::nfd)));
  } else if (!type.empty()) {
    node.at("type").complain(fmt::format("is '{}'", type), kNormalizers);
  }
}

std::optional<SplitBehavior> read_behavior(const JsonNode& node) {
  const std::string word = node.text("behavior");
  if (word == "Isolated") return SplitBehavior::isolated;
  if (word == "Contiguous") return SplitBehavior::contiguous;
  if (word == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (word == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (word == "Removed")
    node.at("behavior").complain("is 'Removed': text would be lost", "a tokenizer must give documents back");
  else if (!word.empty())
    node.at("behavior")
        .complain(fmt::format("is '{}'", word),
                  "Isolated, Contiguous, MergedWithPrevious and MergedWithNext are supported");
  return std::nullopt;
}

void add_metaspace(const JsonNode& node, PreTokenizer& list) {
  node.allow({"type", "replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep"});
  const std::string mark = node.text("replacement", "▁");
  const std::string scheme = node.text("prepend_scheme", node.flag("add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never")
    node.at("prepend_scheme").complain(fmt::format("is '{}'", scheme), "always, first and never are supported");
  list.add(ReplaceSpaceStage{mark});
  if (scheme != "never") list.add(PrefixStage{mark, scheme == "first"});
  if (node.flag("split", true))
    list.add(SplitStage{SplitPattern::literal(mark), SplitBehavior::merged_with_next, false});
}

void add_split(const JsonNode& node, PreTokenizer& list) {
  node.allow({"type", "pattern", "behavior", "invert"});
  const auto behavior = read_behavior(node);
  auto pattern = read_pattern(node.at("pattern"));
  if (behavior && pattern) list.add(SplitStage{std::move(*pattern), *behavior, node.flag("invert", false)});
}

void add_pre_tokenizer(const JsonNode& node, JsonStages& stages) {
  const std::string type = node.text("type");
  if (stages.of_bytes) node.complain("stands behind ByteLevel", "ByteLevel must be the last");
  PreTokenizer& list = stages.pre_tokenizer;
  if (type == "Sequence") {
    node.allow({"type", "pretokenizers"});
    for (const JsonNode& part : node.at("pretokenizers").items()) add_pre_tokenizer(part, stages);
  } else if (type == "ByteLevel") {
    node.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});  // offsets are not kept
    if (node.flag("add_prefix_space", true)) list.add(PrefixStage{" ", false});
    if (node.flag("use_regex", true)) list.add(SplitStage{split_preset("gpt2"), SplitBehavior::isolated, false});
    stages.of_bytes = true;
  } else if (type == "Split") {
    add_split(node, list);
  } else if (type == "Metaspace") {
    add_metaspace(node, list);
  } else if (type == "Digits") {
    node.allow({"type", "individual_digits"});
    const bool single = node.flag("individual_digits", false);
    list.add(SplitStage{SplitPattern(kDigits, RegexFlavour::oniguruma),
                        single ? SplitBehavior::isolated : SplitBehavior::contiguous, false});
  } else if (!type.empty()) {
    node.at("type").complain(fmt::format("is '{}'", type), kPreTokenizers);
  }
}

}  // namespace

JsonStages read_stages(const JsonNode& root) {
  JsonStages stages;
  if (root.has("normalizer")) add_normalizer(root.at("normalizer"), stages.normalizers);
  if (root.has("pre_tokenizer")) add_pre_tokenizer(root.at("pre_tokenizer"), stages);
  return stages;
}

}  // namespace hyscale::data
