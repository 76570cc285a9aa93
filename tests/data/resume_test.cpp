#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/text_pieces.h"
#include "core/data/tokenizer.h"
#include "tests/data/prepare_support.h"

namespace hyscale::data {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

struct Killed {};

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    scratch_.write("a.jsonl", many_documents());
    scratch_.write("b.txt", long_document() + "\n\f\nshort\n\f\n" + long_document());  // pieces
  }
  static std::string many_documents() {  // two batches
    std::string lines;
    for (int i = 0; i < 60'000; ++i)
      lines += "{\"text\": \"document " + std::to_string(i) +
               " tells of things, and of nothing else but things, at length, " + "over and over\"}\n";
    return lines;
  }
  static std::string long_document() {
    std::string text;
    for (int i = 0; text.size() < 3'000'000; ++i) text += "word" + std::to_string(i) + (i % 17 == 0 ? "\n" : " ");
    return text;
  }
  PrepareOptions options(const std::string& out, int64_t validation_tokens) const {
    return {.inputs = {scratch_ / "a.jsonl", scratch_ / "b.txt"},
            .tokenizer = "byte",
            .out = scratch_ / out,
            .validation_fraction = 0.2,
            .validation_tokens = validation_tokens,
            .save_every = 1};
  }
  /// Ends the preparation at the `count`-th sign of life; true when it came so far.
  static bool killed_after(const PrepareOptions& asked, int count) {
    try {
      prepare_corpus(asked, [&](const PrepareProgress&) {
        if (--count == 0) throw Killed{};
      });
    } catch (const Killed&) {
      return true;
    }
    return false;
  }
  void append(const std::string& name, const std::string& bytes) const {
    std::ofstream(scratch_ / name, std::ios::binary | std::ios::app) << bytes;
  }
  ScratchDirectory scratch_;
};

TEST_F(Resume, GivesTheHashesOfAnUndisturbedPreparationWhereverItWasKilled) {
  for (const int64_t validation_tokens : {0, 100'000}) {
    const auto undisturbed = prepare(options("whole", validation_tokens)).manifest;
    int kills = 0;
    for (int count = 1; killed_after(options("out", validation_tokens), count); ++count) {
      ++kills;
      if (!std::filesystem::exists(scratch_ / "out.partial")) continue;  // before the first state
      for (const char* name : {"train.tokens", "train.documents", "validation.tokens", "waiting.tokens"})
        append(std::string("out.partial/") + name, "written after the last state");
      const auto resumed = prepare(options("out", validation_tokens));
      EXPECT_GT(resumed.taken_up, 0);
      EXPECT_EQ(resumed.manifest.identity.corpus_sha256, undisturbed.identity.corpus_sha256) << "killed at " << count;
      EXPECT_EQ(resumed.manifest.train_documents, undisturbed.train_documents);
      EXPECT_EQ(resumed.manifest.validation_bytes, undisturbed.validation_bytes);
      EXPECT_EQ(resumed.manifest.unigram_entropy, undisturbed.unigram_entropy);
      EXPECT_NO_THROW(Corpus(scratch_ / "out").verify());
      EXPECT_THAT(scratch_.entries(), Not(Contains("out.partial")));
      std::filesystem::remove_all(scratch_ / "out");
    }
    EXPECT_GE(kills, 3);
    std::filesystem::remove_all(scratch_ / "out");
    std::filesystem::remove_all(scratch_ / "whole");
  }
}

TEST_F(Resume, StartsOverWhenAnInputOrAnOptionIsAnother) {
  ASSERT_TRUE(killed_after(options("out", 0), 3));
  append("a.jsonl", "{\"text\": \"one more\"}\n");
  EXPECT_EQ(prepare(options("out", 0)).taken_up, 0);
  std::filesystem::remove_all(scratch_ / "out");
  ASSERT_TRUE(killed_after(options("out", 0), 3));
  auto other = options("out", 0);
  other.seed = 1;
  EXPECT_EQ(prepare(other).taken_up, 0);
}

TEST_F(Resume, DoesNotTrainTheTokenizerTwice) {
  auto asked = options("out", 0);
  asked.tokenizer = "bpe:300";
  asked.inputs.pop_back();
  const auto whole = [&] {
    auto undisturbed = asked;
    undisturbed.out = scratch_ / "whole";
    return prepare(undisturbed).manifest.identity;
  }();
  bool wrote = false;
  const auto kill_when_writing = [&](const PrepareProgress& progress) {
    wrote = progress.doing == "writing tokens";
    if (wrote) throw Killed{};
  };
  EXPECT_THROW(prepare_corpus(asked, kill_when_writing), Killed);
  std::vector<std::string> seen;
  const auto resumed = prepare_corpus(asked, [&](const PrepareProgress& progress) { seen.push_back(progress.doing); });
  EXPECT_THAT(seen, Not(Contains("reading text for the tokenizer")));
  EXPECT_EQ(resumed.manifest.identity.corpus_sha256, whole.corpus_sha256);
  EXPECT_EQ(resumed.manifest.identity.tokenizer_sha256, whole.tokenizer_sha256);
}

TEST_F(Resume, KeepsNothingOfInputsThatTurnOutBad) {
  append("b.txt", "\n\f\nbad \xff\n");
  EXPECT_THAT([&] { prepare(options("out", 0)); }, ThrowsMessage<ConfigError>(HasSubstr("not UTF-8")));
  EXPECT_THAT(scratch_.entries(), ElementsAre("a.jsonl", "b.txt"));
}

TEST_F(Resume, RefusesASecondProcessAtTheSamePlace) {
  ASSERT_TRUE(killed_after(options("out", 0), 3));
  const FileLock other(scratch_ / "out.partial/lock", FileLock::Wait::no);
  EXPECT_THAT([&] { prepare(options("out", 0)); }, ThrowsMessage<IoError>(HasSubstr("another process")));
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "out.partial/state.json"));
}

TEST_F(Resume, GivesALongDocumentBackAsOne) {
  auto asked = options("out", 0);
  asked.inputs = {scratch_ / "b.txt"};
  prepare(asked);
  const Corpus corpus(asked.out);
  const auto tokenizer = open_tokenizer(corpus.manifest());
  std::multiset<std::string> texts;
  for (const bool validation : {false, true}) {
    const auto tokens = all_tokens(corpus, validation);
    for (int64_t d = 0; d < corpus.documents(validation); ++d) {
      const auto begin = static_cast<size_t>(corpus.document_begin(validation, d));
      const auto end = static_cast<size_t>(corpus.document_begin(validation, d + 1));
      EXPECT_EQ(tokens[begin], 256);
      EXPECT_EQ(tokens[end - 1], 257);
      texts.insert(tokenizer->decode(std::span(tokens).subspan(begin, end - begin)));
    }
  }
  EXPECT_EQ(texts, (std::multiset<std::string>{"short\n", long_document() + "\n", long_document()}));
}

TEST(CutPoint, LiesBeforeWhiteSpaceAfterAWordOrElseBetweenCharacters) {
  EXPECT_EQ(cut_point("one two, three"), 3u);  // what follows punctuation may belong to it
  EXPECT_EQ(cut_point("\xE2\x82\xAC\xE2\x82\xAC"), 3u);
}

}  // namespace
}  // namespace hyscale::data
