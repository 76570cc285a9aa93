#include <algorithm>
#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "core/base/error.h"
#include "core/data/load_tokenizer.h"
#include "core/data/pool.h"
#include "core/data/sentencepiece_traits.h"
#include "core/data/word_cache.h"

namespace hyscale::data {
namespace {

constexpr std::string_view kSpace = "▁";  // how SentencePiece writes a space

bool begins_with_space(std::string_view text) { return text.starts_with(' ') || text.starts_with(kSpace); }

// Bytes of the first word of `text`: spaces, and what follows them up to the next space.
size_t word_length(std::string_view text) {
  size_t at = 0;
  while (begins_with_space(text.substr(at))) at += text[at] == ' ' ? 1 : kSpace.size();
  while (at < text.size() && !begins_with_space(text.substr(at))) ++at;
  return at;
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string model, const std::string& path, const LoadOptions& options)
      : model_(std::move(model)) {
    const auto status = processor_.LoadFromSerializedProto(model_);
    if (!status.ok())
      throw ConfigError({.what = fmt::format("{} is no SentencePiece model: {}", path, status.message()),
                         .remedy = "name a .model file that spm_train wrote, a Hugging Face tokenizer.json, a file of "
                                   "tiktoken ranks (FILE@cl100k), or bpe:4096 to train a tokenizer"});
    if (options.with_special)
      throw ConfigError({.what = fmt::format("{}: special tokens in text cannot be read", path),
                         .why = "SentencePiece never takes text for a control symbol"});
    bos_ = find("BOS", "--bos", options.bos, own(options.bos_id, processor_.bos_id()), path);
    eos_ = find("EOS", "--eos", options.eos, own(options.eos_id, processor_.eos_id()), path);
    if (options.needs_frame && (bos_ < 0 || eos_ < 0))
      throw ConfigError({.what = fmt::format("{} has no {} token", path, bos_ < 0 ? "BOS" : "EOS"),
                         .why = "documents begin with BOS and end with EOS",
                         .remedy = "train it with --bos_id and --eos_id, name pieces with --bos and --eos, or use "
                                   "bpe:4096"});
    by_words_ = words_are_independent();
  }
  std::string kind() const override { return "bpe"; }
  int64_t vocabulary() const override { return processor_.GetPieceSize(); }
  int32_t bos() const override { return bos_; }
  int32_t eos() const override { return eos_; }
  std::string file_name() const override { return "tokenizer.model"; }
  std::string file_content() const override { return model_; }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    const Pool<WordCache>::Lease cache(caches_);
    while (!text.empty()) {
      const std::string_view word = text.substr(0, by_words_ ? word_length(text) : text.size());
      const auto known = cache->find(word);
      if (known.empty())
        encode_new(word, *cache, ids);
      else
        ids.insert(ids.end(), known.begin(), known.end());
      text.remove_prefix(word.size());
    }
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    check(processor_.Decode(std::vector<int>(ids.begin(), ids.end()), &text));
    return text;
  }

 private:
  static void check(const sentencepiece::util::Status& status) {
    if (!status.ok()) throw Error(ExitCode::failed, {{.what = fmt::format("SentencePiece: {}", status.message())}});
  }
  static int own(int64_t of_corpus, int of_model) { return of_corpus >= 0 ? static_cast<int>(of_corpus) : of_model; }
  int32_t find(const char* what, const char* flag, const std::string& asked, int known, const std::string& path) const {
    if (asked.empty()) return known;
    const int id = processor_.PieceToId(asked);
    if (id == processor_.unk_id())
      throw ConfigError({.what = fmt::format("{} {}: {} has no such piece for {}", flag, asked, path, what)});
    return id;
  }
  // A text may be encoded word by word when every piece lies inside a word: byte pairs then merge inside words alone,
  // in the same order. A unigram model's sums over words could round differently, and a prefix belongs to whole texts.
  bool words_are_independent() const {
    const SentencePieceTraits traits = sentencepiece_traits(model_);
    if (!traits.byte_pairs || !traits.identity || traits.dummy_prefix || traits.removes_extra_spaces ||
        !traits.escapes_spaces || processor_.PieceToId(kSpace) == processor_.unk_id())
      return false;
    for (int id = 0; id < processor_.GetPieceSize(); ++id) {
      const std::string& piece = processor_.IdToPiece(id);
      if (word_length(piece) != piece.size() || piece.find(' ') != std::string::npos) return false;
    }
    return true;
  }
  void encode_new(std::string_view text, WordCache& cache, std::vector<int32_t>& ids) const {
    std::vector<int> found;
    check(processor_.Encode(text, &found));
    cache.store(text, found);
    ids.insert(ids.end(), found.begin(), found.end());
  }

  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
  int32_t bos_ = -1, eos_ = -1;
  bool by_words_ = false;
  mutable Pool<WordCache> caches_;
};

}  // namespace

std::unique_ptr<Tokenizer> load_sentencepiece(std::string model, const std::string& path, const LoadOptions& options) {
  return std::make_unique<SentencePieceTokenizer>(std::move(model), path, options);
}

}  // namespace hyscale::data
