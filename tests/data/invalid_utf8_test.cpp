#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/tokenizer.h"
#include "core/data/utf8.h"
#include "tests/data/prepare_support.h"

namespace hyscale::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class InvalidText : public testing::Test {
 protected:
  PreparedCorpus prepared(InvalidUtf8 policy, const std::string& out) const {
    return prepare({.inputs = {scratch_ / "a.jsonl", scratch_ / "b.txt"},
                    .tokenizer = "byte",
                    .out = scratch_ / out,
                    .validation_fraction = 0.3,
                    .invalid_utf8 = policy});
  }
  ScratchDirectory scratch_;
  const std::string a_ = scratch_.write("a.jsonl", numbered_documents(50) + "{\"text\": \"x\xff\xfey\xffz\"}\n");
  const std::string b_ = scratch_.write("b.txt", "one\n\f\nbroken \xC3\nrest\n\f\nthree\n");
};

TEST_F(InvalidText, IsListedWithItsPlacesByDefault) {
  EXPECT_THAT([&] { prepared(InvalidUtf8::fail, "out"); },
              ThrowsMessage<ConfigError>(AllOf(HasSubstr("a.jsonl:51:12: not UTF-8"), HasSubstr("b.txt:3:8: not UTF-8"),
                                               HasSubstr("--invalid-utf8 replace"))));
  EXPECT_THAT(scratch_.entries(), ElementsAre("a.jsonl", "b.txt"));
}

TEST_F(InvalidText, IsReplacedAndCountedForEachFile) {
  const auto corpus = prepared(InvalidUtf8::replace, "out");
  EXPECT_EQ(corpus.manifest.train_documents + corpus.manifest.validation_documents, 54);
  EXPECT_THAT(corpus.notes, ElementsAre(HasSubstr("a.jsonl: 2 places replaced that are no UTF-8 (first 51:12)"),
                                        HasSubstr("b.txt: 1 places replaced that are no UTF-8 (first 3:8)")));
}

TEST_F(InvalidText, IsLeftOutAndCountedForEachFile) {
  const auto corpus = prepared(InvalidUtf8::skip, "out");
  EXPECT_EQ(corpus.manifest.train_documents + corpus.manifest.validation_documents, 52);
  EXPECT_THAT(corpus.notes, ElementsAre(HasSubstr("a.jsonl: 1 documents left out that are no UTF-8 (first 51:12)"),
                                        HasSubstr("b.txt: 1 documents left out that are no UTF-8 (first 3:8)")));
}

TEST_F(InvalidText, IsLeftOutEvenWhenItComesLateInALongDocument) {
  const std::string head(3'000'000, 'a');
  scratch_.write("b.txt", "one\n\f\n" + head + "\n\xff\n\f\nthree\n");
  const auto corpus = prepared(InvalidUtf8::skip, "out");
  EXPECT_EQ(corpus.manifest.train_documents + corpus.manifest.validation_documents, 52);
  EXPECT_LT(corpus.manifest.train_bytes + corpus.manifest.validation_bytes, 10'000);
}

TEST_F(InvalidText, IsNoneWhereALongLineIsCut) {
  std::string line = "a";  // so that characters of two bytes do not fall on a power of two
  while (line.size() < 2'000'000) line += "ä";
  scratch_.write("b.txt", line + "\n\f\nthree\n");
  EXPECT_THAT(prepared(InvalidUtf8::replace, "out").notes.size(), 1u);  // that of a.jsonl
}

TEST(ReplaceInvalidUtf8, PutsOneSignForEachByteAndCountsRuns) {
  std::string text =
      "a\xff\xff"
      "b\xE2\x82"
      "c";
  EXPECT_EQ(replace_invalid_utf8(text), 2);
  EXPECT_EQ(text, "a\uFFFD\uFFFDb\uFFFD\uFFFDc");
  EXPECT_EQ(invalid_utf8(text), std::string::npos);
}

}  // namespace
}  // namespace hyscale::data
