#include <algorithm>
#include <fmt/format.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include "core/base/error.h"
#include "core/data/tokenizer.h"

namespace hyscale::data {
namespace {

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(std::string model, const std::string& path) : model_(std::move(model)) {
    const auto status = processor_.LoadFromSerializedProto(model_);
    if (!status.ok())
      throw ConfigError({.what = fmt::format("{} is no SentencePiece model: {}", path, status.message()),
                         .remedy = "name a .model file that spm_train wrote, or bpe:4096 to train one"});
    if (bos() < 0 || eos() < 0)
      throw ConfigError({.what = fmt::format("{} has no {} token", path, bos() < 0 ? "BOS" : "EOS"),
                         .why = "documents begin with BOS and end with EOS",
                         .remedy = "train it with --bos_id and --eos_id, or use bpe:4096"});
  }
  std::string kind() const override { return "bpe"; }
  int64_t vocabulary() const override { return processor_.GetPieceSize(); }
  int32_t bos() const override { return processor_.bos_id(); }
  int32_t eos() const override { return processor_.eos_id(); }
  std::string file_name() const override { return "tokenizer.model"; }
  std::string file_content() const override { return model_; }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override {
    std::vector<int> found;
    check(processor_.Encode(text, &found));
    ids.insert(ids.end(), found.begin(), found.end());
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

  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
};

// The trainer leaves out sentences beyond its limit, so long lines are cut, at a space where there is one.
constexpr size_t kLongestSentence = 4096;

// Hands texts to the trainer line by line.
class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& texts) : texts_(texts) { Next(); }
  bool done() const override { return sentence_.empty(); }
  const std::string& value() const override { return sentence_; }
  sentencepiece::util::Status status() const override { return {}; }
  void Next() override {
    sentence_.clear();
    while (sentence_.empty()) {
      while (rest_.empty()) {
        if (next_ == texts_.size()) return;
        rest_ = texts_[next_++];
      }
      const size_t length = std::min(rest_.find('\n'), rest_.size());
      const size_t taken = length <= kLongestSentence ? length : cut(rest_.substr(0, kLongestSentence));
      sentence_ = rest_.substr(0, taken);
      rest_.remove_prefix(std::min(rest_.size(), taken + (taken == length ? 1 : 0)));
    }
  }

 private:
  static size_t cut(std::string_view line) {
    const size_t space = line.rfind(' ');
    if (space != std::string_view::npos && space > 0) return space;
    size_t end = line.size();  // not inside a character: continuation bytes are 10xxxxxx
    while (end > 1 && (static_cast<unsigned char>(line[end - 1]) & 0xC0) == 0x80) --end;
    return end > 1 ? end - 1 : line.size();
  }

  const std::vector<std::string>& texts_;
  size_t next_ = 0;
  std::string_view rest_;
  std::string sentence_;
};

}  // namespace

std::unique_ptr<Tokenizer> load_bpe(const std::string& model, const std::string& path) {
  return std::make_unique<BpeTokenizer>(model, path);
}

std::unique_ptr<Tokenizer> train_bpe(const std::vector<std::string>& texts, int64_t vocabulary) {
  Sentences sentences(texts);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train({{"model_type", "bpe"},
                                                                  {"vocab_size", std::to_string(vocabulary)},
                                                                  {"byte_fallback", "true"},
                                                                  {"character_coverage", "1.0"},
                                                                  {"normalization_rule_name", "identity"},
                                                                  {"add_dummy_prefix", "false"},
                                                                  {"remove_extra_whitespaces", "false"},
                                                                  {"allow_whitespace_only_pieces", "true"},
                                                                  {"num_threads", "1"},
                                                                  {"minloglevel", "3"}},
                                                                 &sentences, &model);
  if (!status.ok())
    throw ConfigError(
        {.what = fmt::format("SentencePiece cannot train {} tokens: {}", vocabulary, status.message()),
         .why = "the vocabulary holds 256 bytes, every character of the text, and the merges it offers",
         .remedy = "choose a larger vocabulary when it speaks of too few, a smaller one for little text"});
  return load_bpe(model, fmt::format("bpe:{}", vocabulary));
}

}  // namespace hyscale::data
