#include "core/data/unicode.h"

#include <gtest/gtest.h>

namespace hyscale::data {
namespace {

TEST(Normalization, GivesTheFourForms) {
  const std::string text = "e\u0323\u0301 \u212B \uFB01 \u1112\u1161\u11AB \u304B\u3099";
  EXPECT_EQ(normalized(Normalization::nfc, text), "\u1EB9\u0301 \u00C5 \uFB01 \uD55C \u304C");
  EXPECT_EQ(normalized(Normalization::nfd, text), "e\u0323\u0301 A\u030A \uFB01 \u1112\u1161\u11AB \u304B\u3099");
  EXPECT_EQ(normalized(Normalization::nfkc, text), "\u1EB9\u0301 \u00C5 fi \uD55C \u304C");
  EXPECT_EQ(normalized(Normalization::nfkd, text), "e\u0323\u0301 A\u030A fi \u1112\u1161\u11AB \u304B\u3099");
}

TEST(Normalization, LooksAtTheCharacterBeforeAMark) {
  EXPECT_EQ(normalized(Normalization::nfc, "cafe\u0301"), "caf\u00E9");
  EXPECT_EQ(normalized(Normalization::nfc, "\u00E9\u0327!"), "\u0229\u0301!");
  EXPECT_EQ(normalized(Normalization::nfc, "\u0301a"), "\u0301a");
  EXPECT_EQ(normalized(Normalization::nfc, "\uAC00\u11A8"), "\uAC01");
  EXPECT_EQ(normalized(Normalization::nfkc, ""), "");
}

TEST(Normalization, LeavesCharactersAfterUnicode9InTheirPlace) {
  EXPECT_EQ(normalized(Normalization::nfc, "x\U0001E130\u0334"), "x\U0001E130\u0334");  // a mark of Unicode 12
  EXPECT_EQ(normalized(Normalization::nfkc, "\u32FF"), "\u32FF");                       // a square of 12.1
}

TEST(Normalization, SortsAHundredThousandMarks) {
  std::string marks, sorted = "a";
  for (int i = 0; i < 50000; ++i) marks += "\u0315\u0327";
  for (int i = 0; i < 50000; ++i) sorted += "\u0327";
  for (int i = 0; i < 50000; ++i) sorted += "\u0315";
  EXPECT_EQ(normalized(Normalization::nfd, "a" + marks), sorted);
}

TEST(StandIns, KeepLengthAndAreMadeOnlyWhereNeeded) {
  std::string out = "before";
  EXPECT_FALSE(with_stand_ins("plain ASCII, é, 漢字, 🎉", out));
  EXPECT_EQ(out, "before");
  const std::string text = "a\u180Eb\U0002EBF0c";
  EXPECT_TRUE(with_stand_ins(text, out));
  EXPECT_EQ(out.size(), text.size());
  EXPECT_EQ(out.substr(0, 4), "a\u200B");
}

TEST(Utf8Characters, ComeBackFromTheirBytes) {
  for (const char32_t character :
       {U'\0', U'a', U'\x7F', U'\x80', U'\u07FF', U'\u0800', U'\uFFFF', U'\U00010000', U'\U0010FFFF'}) {
    std::string text;
    append_utf8(character, text);
    size_t at = 0;
    EXPECT_EQ(next_character(text, at), character);
    EXPECT_EQ(at, text.size());
  }
}

}  // namespace
}  // namespace hyscale::data
