#include "exchange/tokenizer_files.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/data/load_tokenizer.h"

namespace hyscale::exchange {
namespace {

const std::string kText =
    "The quick  brown fox\n\n\n    jumps over 12345 lazy dogs; naïve façade — 東京タワー, 🙂 ====== ▁ "
    "end ";

std::vector<int32_t> ids(const data::Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> found;
  tokenizer.encode(text, found);
  return found;
}

/// The tokenizer.json among the files, read as that of another tool would be.
std::unique_ptr<data::Tokenizer> read_back(const TokenizerFiles& files, const std::string& bos,
                                           const std::string& eos) {
  return data::load_tokenizer_json(files.files.at("tokenizer.json"), "tokenizer.json", {.bos = bos, .eos = eos});
}

TEST(TokenizerFiles, OfBytesGiveTheSameIds) {
  const auto bytes = data::byte_tokenizer();
  const TokenizerFiles files = tokenizer_files(*bytes, 128);
  const auto again = read_back(files, "<|bos|>", "<|eos|>");
  std::string all;
  for (int byte = 1; byte < 128; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(ids(*again, all + kText), ids(*bytes, all + kText));
  EXPECT_EQ(again->decode(ids(*again, kText)), kText);
  EXPECT_EQ(again->bos(), 256);
  EXPECT_EQ(again->eos(), 257);
  EXPECT_EQ(again->vocabulary(), bytes->vocabulary());
  EXPECT_THAT(files.files.at("tokenizer_config.json"), testing::HasSubstr("<|eos|>"));
}

TEST(TokenizerFiles, OfTrainedBytePairsGiveTheSameIdsAndKeepTheModel) {
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i)
    texts.push_back(fmt::format("the quick brown fox number {} jumps over the lazy dog     again and again ===== ", i));
  const auto trained = data::train_bpe(texts, 420);
  const TokenizerFiles files = tokenizer_files(*trained, 128);
  EXPECT_EQ(files.files.at("tokenizer.model"), trained->file_content());
  const auto again = read_back(files, "", "");
  for (const std::string& text :
       {kText, texts[7], std::string("  lead and trail  "), std::string(40, '='), std::string(41, ' '), std::string()})
    EXPECT_EQ(ids(*again, text), ids(*trained, text)) << text;
  EXPECT_EQ(again->decode(ids(*again, texts[3])), texts[3]);
  EXPECT_EQ(again->bos(), trained->bos());
  EXPECT_EQ(again->eos(), trained->eos());
}

TEST(TokenizerFiles, AreNoneWhenTheCorpusHadNone) {
  const TokenizerFiles files = tokenizer_files(*data::unknown_tokenizer(100, -1, 5), 128);
  EXPECT_TRUE(files.files.empty());
  EXPECT_THAT(files.note, testing::StartsWith("none"));
  EXPECT_EQ(files.ids.eos, 5);
  EXPECT_EQ(files.ids.bos, -1);
}

}  // namespace
}  // namespace hyscale::exchange
