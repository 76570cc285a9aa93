#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include "core/base/error.h"
#include "core/data/sentencepiece_model.h"
#include "tests/data/tokenizer_support.h"
#include "tests/support/scratch.h"

namespace hyscale::data {
namespace {

std::string sentences() {
  std::string lines;
  for (int i = 0; i < 300; ++i)
    lines += "The house number " + std::to_string(i * 37) + "  stands by the river; naïve guests, 漢字 and don't " +
             std::to_string(i) + "\n";
  return lines;
}

using Options = std::unordered_map<std::string, std::string>;

/// A model trained as `bpe:N` is, but for the changed options.
std::string trained(const Options& changed) {
  const tests::ScratchDirectory scratch;
  Options options{{"input", scratch.write("sentences.txt", sentences())},
                  {"model_type", "bpe"},
                  {"vocab_size", "420"},
                  {"byte_fallback", "true"},
                  {"character_coverage", "1.0"},
                  {"normalization_rule_name", "identity"},
                  {"add_dummy_prefix", "false"},
                  {"remove_extra_whitespaces", "false"},
                  {"allow_whitespace_only_pieces", "true"},
                  {"minloglevel", "3"}};
  for (const auto& [key, value] : changed) options[key] = value;
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, nullptr, &model);
  EXPECT_TRUE(status.ok()) << status.message();
  return model;
}

std::vector<std::string> hard_texts() {
  std::vector<std::string> texts = {"",           " ",
                                    "   ",        "\n",
                                    "a",          " a",
                                    "a ",         "  a  b  ",
                                    "\t a\t",     "▁",
                                    "▁▁a",        "a▁ b ▁c▁▁",
                                    "a\u3000b",   "xyz▁",
                                    "\r\n \r\n",  "漢字仮名",
                                    "naïve é",    "👩‍👩‍👧 🎉",
                                    "<0x41> <s>", "the\nthe the",
                                    "qqq ÿÿ ÿÿ",  std::string("a\0 b", 4)};
  std::mt19937 random(3);
  const std::vector<std::string> parts = {" ",  " ", "  ", "▁", "\t", "\n",    "the", "house", "st", "r",
                                          "37", "é", "漢", "🎉", "ÿ",  "don't", ";",   "T",     "q",  "\xCC\x81"};
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (size_t n = random() % 40; n > 0; --n) text += parts[random() % parts.size()];
    texts.push_back(text);
  }
  return texts;
}

void expect_equal_to_whole_text(const std::string& model) {
  sentencepiece::SentencePieceProcessor processor;
  ASSERT_TRUE(processor.LoadFromSerializedProto(model).ok());
  const auto tokenizer = load_sentencepiece(model, "x.model", {.needs_frame = false});
  for (const std::string& text : hard_texts()) {
    std::vector<int> whole;
    ASSERT_TRUE(processor.Encode(text, &whole).ok());
    EXPECT_EQ(ids_of(*tokenizer, text), whole) << '[' << text << ']';
  }
}

TEST(SentencePieceWords, GiveTheIdsOfWholeTexts) {
  for (const Options& options : {Options{}, Options{{"byte_fallback", "false"}}, Options{{"vocab_size", "600"}},
                                 Options{{"character_coverage", "0.98"}}}) {
    const std::string model = trained(options);
    EXPECT_TRUE(word_model(read_sentencepiece(model)).has_value());
    expect_equal_to_whole_text(model);
  }
}

TEST(SentencePieceWords, AreNotUsedWhereTheyCouldDiffer) {
  for (const Options& options :
       {Options{{"normalization_rule_name", "nmt_nfkc"}}, Options{{"add_dummy_prefix", "true"}},
        Options{{"remove_extra_whitespaces", "true"}}, Options{{"split_by_whitespace", "false"}},
        Options{{"user_defined_symbols", "the house"}}, Options{{"treat_whitespace_as_suffix", "true"}},
        Options{{"model_type", "unigram"}, {"vocab_size", "360"}}}) {
    const std::string model = trained(options);
    EXPECT_FALSE(word_model(read_sentencepiece(model)).has_value()) << options.begin()->first;
    expect_equal_to_whole_text(model);
  }
}

TEST(SentencePiece, TakesPiecesForBosAndEosFromTheCommandLine) {
  const std::string model = trained({{"bos_id", "-1"}, {"control_symbols", "<doc>"}});
  EXPECT_THROW(load_sentencepiece(model, "x.model", {}), ConfigError);
  EXPECT_EQ(load_sentencepiece(model, "x.model", {.bos = "<doc>"})->decode(std::vector<int32_t>{}), "");
  EXPECT_THROW(load_sentencepiece(model, "x.model", {.bos = "<nobody>"}), ConfigError);
}

}  // namespace
}  // namespace hyscale::data
