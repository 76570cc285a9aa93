#include <algorithm>

#include "core/data/tokenizer_json.h"
#include "core/data/unicode.h"

namespace hyscale::data {
namespace {

constexpr size_t kListed = 20;  // problems of one kind; the others are counted

/// Lists the first of many problems, and says at the end how many more there are.
class Listed {
 public:
  explicit Listed(const JsonNode& node) : node_(node) {}
  ~Listed() {
    if (count_ > kListed) node_.complain(fmt::format("has {} more problems of this kind", count_ - kListed));
  }
  void complain(const std::string& part, const std::string& what) {
    if (++count_ <= kListed) node_.complain_of(part, what);
  }

 private:
  const JsonNode& node_;
  size_t count_ = 0;
};

WordIds read_ids(const JsonNode& vocab) {
  WordIds ids;
  if (!vocab.value().is_object()) return vocab.complain("is missing, or no table of ids"), ids;
  Listed listed(vocab);
  std::unordered_map<int32_t, const std::string*> owners;
  for (const auto& [token, value] : vocab.value().items()) {
    if (!value.is_number_unsigned() || value.template get<uint64_t>() >= uint64_t{kLargestVocabulary}) {
      listed.complain("", fmt::format("gives '{}' the id {}, which is none between 0 and {}", token, value.dump(),
                                      kLargestVocabulary - 1));
      continue;
    }
    const auto id = static_cast<int32_t>(value.template get<int64_t>());
    const auto [place, ignored] = ids.emplace(token, id);
    const auto [owner, is_new] = owners.emplace(id, &place->first);
    if (!is_new) listed.complain("", fmt::format("gives the id {} to '{}' and to '{}'", id, *owner->second, token));
  }
  if (ids.empty()) vocab.complain("is empty");
  return ids;
}

/// The two sides of a merge: "a b", or ["a", "b"].
std::optional<std::pair<std::string, std::string>> sides(const nlohmann::json& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return std::pair(merge[0].get<std::string>(), merge[1].get<std::string>());
  if (!merge.is_string()) return std::nullopt;
  const std::string text = merge.get<std::string>();
  const size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) return std::nullopt;
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

/// Adds the merges; the later of two equal ones counts, as with PyPI's tokenizers. Calls `made` with each new token.
template <class Made>
MergeTable read_merges(const JsonNode& merges, const WordIds& ids, Made&& made) {
  const nlohmann::json& list = merges.value();
  if (!list.is_array()) return merges.complain("is missing, or no list"), MergeTable(0);
  MergeTable table(list.size());
  Listed listed(merges);
  for (size_t i = 0; i < list.size(); ++i) {
    const auto pair = sides(list[i]);
    if (!pair) {
      listed.complain(fmt::format("[{}]", i), fmt::format("is {}, no pair of tokens", list[i].dump()));
      continue;
    }
    const auto id_of = [&](const std::string& token) {
      const auto found = ids.find(token);
      if (found != ids.end()) return found->second;
      listed.complain(fmt::format("[{}]", i), fmt::format("names '{}', which model.vocab does not hold", token));
      return -1;
    };
    const std::string whole = pair->first + pair->second;
    const int32_t left = id_of(pair->first), right = id_of(pair->second), merged = id_of(whole);
    if (left < 0 || right < 0 || merged < 0) continue;
    table.set(left, right, {static_cast<int32_t>(i), merged});
    made(whole);
  }
  return table;
}

void set_bytes(const JsonNode& node, const WordIds& ids, BpeModel& model) {
  model.bytes.fill(-1);
  for (const auto& [token, id] : ids) {
    const auto bytes = byte_level_bytes(token);
    if (bytes && bytes->size() == 1) model.bytes[static_cast<unsigned char>((*bytes)[0])] = id;
  }
  const auto missing = std::count(model.bytes.begin(), model.bytes.end(), -1);
  if (missing > 0)
    node.at("vocab").complain(fmt::format("has no token for {} of the 256 bytes: text would be lost", missing),
                              "train it with initial_alphabet=ByteLevel.alphabet()");
}

void set_characters(const JsonNode& node, const WordIds& ids, BpeModel& model) {
  for (const auto& [token, id] : ids) {
    size_t length = 0;
    if (token.empty()) continue;
    const char32_t character = next_character(token, length);
    if (length == token.size()) model.characters.emplace(character, id);
  }
  model.bytes.fill(-1);
  if (node.flag("byte_fallback", false)) {
    for (int byte = 0; byte < 256; ++byte)
      if (const auto found = ids.find(fmt::format("<0x{:02X}>", byte)); found != ids.end())
        model.bytes[static_cast<size_t>(byte)] = found->second;
    const auto missing = std::count(model.bytes.begin(), model.bytes.end(), -1);
    if (missing > 0)
      node.at("byte_fallback").complain(fmt::format("is true, but model.vocab lacks {} of <0x00> to <0xFF>", missing));
    return;
  }
  const auto unknown = ids.find(node.text("unk_token", ""));
  if (unknown == ids.end())
    node.complain(
        "has neither byte_fallback nor an unk_token of its vocab: characters that it does not hold would be lost");
  else
    model.unknown = unknown->second;
  model.fuse_unknown = node.flag("fuse_unk", false);
}

void refuse_options(const JsonNode& node) {
  node.allow({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
              "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (node.has("dropout") && node.value()["dropout"] != 0)
    node.at("dropout").complain(fmt::format("is {}: it would encode one text in many ways", node.at("dropout").shown()),
                                "set it to null");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!node.text(key, "").empty()) node.at(key).complain("is not supported unless empty");
}

bool cut_by(std::string_view mark, std::string_view token) {
  for (size_t at = token.find(mark); at != std::string_view::npos; at = token.find(mark, at + mark.size()))
    if (at > 0 && !token.substr(0, at).ends_with(mark)) return true;
  return false;
}

}  // namespace

JsonVocabulary read_vocabulary(const JsonNode& node, bool of_bytes) {
  JsonVocabulary result;
  const std::string type = node.text("type", node.has("merges") ? "BPE" : "");
  if (type != "BPE") {
    node.at("type").complain(fmt::format("is '{}'", type),
                             "BPE is supported; a unigram model as SentencePiece's .model");
    return result;
  }
  refuse_options(node);
  result.ids = read_ids(node.at("vocab"));
  result.mark = "▁";
  BpeModel& model = result.model;
  model.merges = read_merges(node.at("merges"), result.ids, [&](const std::string& token) {
    if (cut_by("▁", token)) result.mark.clear();
  });
  model.of_bytes = of_bytes;
  of_bytes ? set_bytes(node, result.ids, model) : set_characters(node, result.ids, model);
  if (!model.characters.contains(U'▁') || node.flag("ignore_merges", false)) result.mark.clear();
  if (node.flag("ignore_merges", false))
    for (const auto& [token, id] : result.ids)
      if (const auto text = of_bytes ? byte_level_bytes(token) : token) model.whole_words.emplace(*text, id);
  return result;
}

std::optional<std::string> byte_level_bytes(std::string_view token) {
  static const auto byte_of = [] {
    std::array<int, 0x144> table{};
    table.fill(-1);
    size_t next = 0x100;  // bytes that do not show take the characters from here on
    for (size_t byte = 0; byte < 256; ++byte) {
      const bool shows = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      table[shows ? byte : next++] = static_cast<int>(byte);
    }
    return table;
  }();
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const char32_t character = next_character(token, at);
    if (character >= byte_of.size() || byte_of[character] < 0) return std::nullopt;
    bytes += static_cast<char>(byte_of[character]);
  }
  return bytes;
}

}  // namespace hyscale::data
