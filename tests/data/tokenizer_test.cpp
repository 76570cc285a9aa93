#include "core/data/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/utf8.h"
#include "tests/data/prepare_support.h"
#include "tests/data/tokenizer_support.h"

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

TEST(Tokenizer, OfAnotherLibraryComesBackFromACorpusWithItsBosAndEos) {
  const ScratchDirectory scratch;
  for (const std::string name : {"llama3.json", "llama2.json", "own.tiktoken@llama3"}) {
    const std::string out = scratch / name;
    PrepareOptions options{.inputs = {scratch.write("a.jsonl", numbered_documents(200))},
                           .tokenizer = fixture(name),
                           .eos = name == "llama3.json" ? "<|eot_id|>" : "",
                           .out = out,
                           .validation_fraction = 0.2};
    const auto prepared = prepare(options);
    const auto given = load_tokenizer(options.tokenizer, {.eos = options.eos});
    const auto kept = open_tokenizer(Corpus(out).manifest());
    EXPECT_EQ(kept->bos(), given->bos());
    EXPECT_EQ(kept->eos(), given->eos());
    EXPECT_EQ(kept->vocabulary(), prepared.manifest.vocabulary);
    EXPECT_EQ(ids_of(*kept, kAwkward[2]), ids_of(*given, kAwkward[2]));
    const auto tokens = all_tokens(Corpus(out), true);
    EXPECT_EQ(tokens.front(), given->bos());
    EXPECT_EQ(tokens.back(), given->eos());
    EXPECT_THAT(kept->decode(tokens), HasSubstr("tells of"));

    options.tokenizer = out + "/" + kept->file_name(), options.out = scratch / (name + "-again");
    EXPECT_EQ(prepare(options).manifest.identity.corpus_sha256, prepared.manifest.identity.corpus_sha256);
  }
}

TEST(Tokenizer, ServesSeveralThreadsAtOnce) {
  const auto tokenizer = load_fixture("llama3.json");
  const std::string text = read_file(fixture("golden.jsonl")).substr(0, 20000);
  const auto wanted = ids_of(*tokenizer, text);
  std::vector<std::vector<int32_t>> found(4);
  std::vector<std::thread> threads;
  for (auto& ids : found)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) ids.clear(), tokenizer->encode(text, ids);
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& ids : found) EXPECT_EQ(ids, wanted);
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
