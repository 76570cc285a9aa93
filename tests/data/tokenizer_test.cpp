#include "core/data/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/load_tokenizer.h"
#include "core/data/utf8.h"
#include "tests/data/prepare_support.h"

namespace hyscale::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const std::vector<std::string> kAwkward = {"plain words",
                                           "  two  spaces and a tab\t\n\n new paragraph \n",
                                           "naïve Ünïcödé, 漢字, עברית",
                                           "👩‍👩‍👧 family 🎉",
                                           "",
                                           " ",
                                           "\n",
                                           std::string("zero \0 byte", 11)};

std::vector<std::string> training_texts() {
  std::vector<std::string> texts;
  for (int i = 0; i < 400; ++i)
    texts.push_back("The house number " + std::to_string(i * 37) + " stands by the river;\nits door is open to " +
                    std::to_string(i) + " guests.\n");
  return texts;
}

std::vector<int32_t> ids_of(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, ids);
  return ids;
}

TEST(ByteTokenizer, GivesEveryTextBack) {
  const auto tokenizer = byte_tokenizer();
  for (const std::string& text : kAwkward) EXPECT_EQ(tokenizer->decode(ids_of(*tokenizer, text)), text);
  EXPECT_THAT(ids_of(*tokenizer, "aé"), ElementsAre(97, 0xC3, 0xA9));
}

TEST(ByteTokenizer, DecodesSpecialTokensToNothing) {
  const auto tokenizer = byte_tokenizer();
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{tokenizer->bos(), 'a', tokenizer->eos()}), "a");
}

TEST(BpeTokenizer, GivesEveryTextBackAlsoWhatItNeverSaw) {
  const auto tokenizer = train_bpe(training_texts(), 400);
  EXPECT_EQ(tokenizer->vocabulary(), 400);
  for (const std::string& text : kAwkward) EXPECT_EQ(tokenizer->decode(ids_of(*tokenizer, text)), text);
  EXPECT_LT(ids_of(*tokenizer, "stands by the river").size(), 10u);
}

TEST(BpeTokenizer, IsTheSameForTheSameText) {
  EXPECT_EQ(train_bpe(training_texts(), 400)->file_content(), train_bpe(training_texts(), 400)->file_content());
}

TEST(BpeTokenizer, TrainsOnLinesOfAnyLength) {
  std::string line;
  for (const std::string& text : training_texts()) line += text.substr(0, text.size() - 1) + " ";
  const auto tokenizer = train_bpe({line}, 400);
  EXPECT_LT(ids_of(*tokenizer, "number guests river").size(), 14u);
}

TEST(BpeTokenizer, RefusesAVocabularyThatTheTextCannotFillOrThatIsTooSmall) {
  EXPECT_THAT([] { train_bpe({"short text"}, 4000); }, ThrowsMessage<ConfigError>(HasSubstr("vocabulary")));
  EXPECT_THAT([] { train_bpe(training_texts(), 100); }, ThrowsMessage<ConfigError>(HasSubstr("vocabulary")));
}

TEST(BpeTokenizer, RefusesAFileThatIsNoModel) {
  EXPECT_THAT([] { load_sentencepiece("nonsense", "x.model", {}); }, ThrowsMessage<ConfigError>(HasSubstr("x.model")));
}

TEST(Tokenizer, ComesBackFromACorpusAndIsCheckedAgainstItsHash) {
  const ScratchDirectory scratch;
  PrepareOptions options{.inputs = {scratch.write("a.jsonl", numbered_documents(500))},
                         .tokenizer = "bpe:320",
                         .out = scratch / "corpus",
                         .validation_fraction = 0.2};
  const auto prepared = prepare(options);
  EXPECT_GT(prepared.tokenizer_sample, 0);
  const auto tokenizer = open_tokenizer(Corpus(options.out).manifest());
  const auto tokens = all_tokens(Corpus(options.out), true);
  EXPECT_THAT(tokenizer->decode(tokens), HasSubstr("tells of"));

  options.tokenizer = options.out + "/tokenizer.model", options.out = scratch / "again";
  EXPECT_EQ(prepare(options).manifest.identity.corpus_sha256, prepared.manifest.identity.corpus_sha256);

  write_file_atomically(scratch / "corpus/tokenizer.model", "something else");
  EXPECT_THROW(open_tokenizer(prepared.manifest), DamagedFile);
}

TEST(Utf8, FindsTheFirstBadByte) {
  for (const std::string good : {"", "ascii and more ascii", "é漢🎉", "\xF4\x8F\xBF\xBF"})
    EXPECT_EQ(invalid_utf8(good), std::string::npos) << good;
  for (const std::string bad :
       {"\x80", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5", "\xE6\xBC"}) {
    EXPECT_EQ(invalid_utf8(bad), 0u);
    EXPECT_EQ(invalid_utf8("twelve bytes" + bad + "more than eight"), 12u);
  }
}

}  // namespace
}  // namespace hyscale::data
