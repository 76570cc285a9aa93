#include <algorithm>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/data/bpe_tokenizer.h"
#include "core/data/frame_tokens.h"
#include "core/data/load_tokenizer.h"
#include "core/data/rank_file.h"
#include "core/data/split_presets.h"
#include "core/data/tokenizer_limits.h"
#include "core/data/unicode.h"

namespace hyscale::data {
namespace {

/// With ranks, two neighbours merge whenever their bytes together are a token, and its rank is the pair's.
BpeModel model_of(const std::vector<std::string>& tokens) {
  BpeModel model;
  WordIds& ids = model.whole_words;  // a word that is a token needs no merges
  ids.reserve(tokens.size());
  for (size_t rank = 0; rank < tokens.size(); ++rank) ids.emplace(tokens[rank], static_cast<int32_t>(rank));
  struct Pair {
    int32_t left, right, whole;
  };
  std::vector<Pair> pairs;
  for (const auto& [token, id] : ids) {
    if (token.size() == 1) model.bytes[static_cast<unsigned char>(token[0])] = id;
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = ids.find(std::string_view(token).substr(0, cut));
      if (left == ids.end()) continue;
      const auto right = ids.find(std::string_view(token).substr(cut));
      if (right != ids.end()) pairs.push_back({left->second, right->second, id});
    }
  }
  model.merges = MergeTable(pairs.size());
  for (const Pair& pair : pairs) model.merges.set(pair.left, pair.right, {pair.whole, pair.whole});
  return model;
}

SplitPattern pattern_of(const RankPreset* preset, const RankFile& file, const std::string& path) {
  try {
    return SplitPattern(preset ? preset->pattern : file.pattern, RegexFlavour::rust);
  } catch (const ConfigError& e) {
    Problem problem = e.problems().at(0);
    problem.at = {path};
    throw ConfigError(problem);
  }
}

void add_special(const RankFile& file, const RankPreset* preset, BpeParts& parts, const std::string& path,
                 Problems& problems) {
  const auto last = static_cast<int64_t>(file.tokens.size()) - 1;
  auto wanted = file.special;
  for (const auto& [name, distance] : preset ? preset->special : decltype(file.special){})
    wanted.emplace_back(name, last + distance);
  for (const auto& [name, id] : wanted) {
    const bool taken =
        std::any_of(parts.added.begin(), parts.added.end(),
                    [&, id = id, name = name](const AddedToken& t) { return t.id == id || t.content == name; });
    if (id <= last || id >= kLargestVocabulary || taken)
      problems.add({.what = fmt::format("special token {} cannot have the id {}: {}", name, id,
                                        taken ? "name or id are taken" : fmt::format("ranks end at {}", last)),
                    .at = {path}});
    else
      parts.added.push_back({.content = name, .id = static_cast<int32_t>(id), .special = true});
  }
}

size_t vocabulary_of(const RankFile& file, const std::vector<AddedToken>& added) {
  size_t size = file.tokens.size();
  for (const AddedToken& token : added) size = std::max(size, static_cast<size_t>(token.id) + 1);
  return size;
}

}  // namespace

std::unique_ptr<Tokenizer> load_ranks(std::string content, const std::string& path, const std::string& preset_name,
                                      const LoadOptions& options) {
  Problems problems;
  RankFile file = read_rank_file(content, path, problems);
  if (!preset_name.empty() && !file.pattern.empty() && file.pattern != preset_name)
    problems.add({.what = fmt::format("names the pattern '{}', and the command line '{}'", file.pattern, preset_name),
                  .at = {path}});
  const bool said = !file.pattern.empty();
  if (!said) file.pattern = preset_name;
  if (file.pattern.empty())
    problems.add({.what = "does not say how text is split into words",
                  .remedy = fmt::format("name its encoding, {}@NAME: {}", path, rank_preset_names()),
                  .at = {path}});
  const RankPreset* preset = find_rank_preset(file.pattern);
  if (!preset && !preset_name.empty())
    problems.add({.what = fmt::format("there is no encoding '{}'", preset_name),
                  .remedy = fmt::format("known are {}", rank_preset_names()),
                  .at = {path}});
  problems.throw_if_any();
  BpeParts parts{.kind = "tiktoken", .file_name = "tokenizer.tiktoken"};
  add_special(file, preset, parts, path, problems);
  problems.throw_if_any();
  parts.pre_tokenizer.add(SplitStage{pattern_of(preset, file, path), SplitBehavior::isolated, false});
  if (preset && preset->nfc)
    parts.normalizers.push_back([](std::string& text) { text = normalized(Normalization::nfc, text); });
  parts.model = model_of(file.tokens);
  parts.file_content = (said ? "" : fmt::format("# pattern {}\n", file.pattern)) + content;
  const size_t vocabulary = vocabulary_of(file, parts.added);
  parts.texts = std::move(file.tokens);
  parts.texts.resize(vocabulary);
  set_frame(parts, options, preset ? preset->bos : "", preset ? preset->eos : "", path);
  return std::make_unique<BpeTokenizer>(std::move(parts), options.with_special);
}

}  // namespace hyscale::data
