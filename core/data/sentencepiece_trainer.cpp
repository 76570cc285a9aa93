#include <algorithm>
#include <fmt/format.h>
#include <sentencepiece_trainer.h>

#include "core/base/error.h"
#include "core/data/load_tokenizer.h"

namespace hyscale::data {
namespace {

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
  return load_sentencepiece(std::move(model), fmt::format("bpe:{}", vocabulary), {});
}

}  // namespace hyscale::data
