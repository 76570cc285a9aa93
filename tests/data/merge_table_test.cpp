#include "core/data/merge_table.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <string>

namespace hyscale::data {
namespace {

// All pairs are looked at before each merge: what the definition says, in quadratic time.
std::vector<int32_t> merged_plainly(const MergeTable& table, std::vector<int32_t> tokens) {
  while (true) {
    size_t best = 0;
    const MergeTable::Merge* lowest = nullptr;
    for (size_t i = 0; i + 1 < tokens.size(); ++i)
      if (const auto* merge = table.find(tokens[i], tokens[i + 1]); merge && (!lowest || merge->rank < lowest->rank))
        lowest = merge, best = i;
    if (!lowest) return tokens;
    tokens[best] = lowest->token;
    tokens.erase(tokens.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
}

// Tokens are texts over {a, b, c}; most texts of up to five letters are tokens, in random order of rank.
MergeTable random_table(std::mt19937& random, bool by_text) {
  std::vector<std::string> texts = {"a", "b", "c"};
  for (size_t i = 0; i < texts.size() && texts[i].size() < 5; ++i)
    for (const char c : {'a', 'b', 'c'})
      if (random() % 3 != 0) texts.push_back(texts[i] + c);
  std::shuffle(texts.begin() + 3, texts.end(), random);
  MergeTable table(texts.size() * 5);
  int32_t rank = 0;
  for (size_t i = 0; i < texts.size(); ++i)
    for (size_t cut = 1; cut < texts[i].size(); ++cut) {
      const auto left = std::find(texts.begin(), texts.end(), texts[i].substr(0, cut));
      const auto right = std::find(texts.begin(), texts.end(), texts[i].substr(cut));
      if (left == texts.end() || right == texts.end()) continue;
      table.set(static_cast<int32_t>(left - texts.begin()), static_cast<int32_t>(right - texts.begin()),
                {by_text ? static_cast<int32_t>(i) : rank++, static_cast<int32_t>(i)});
    }
  return table;
}

TEST(MergeTable, MergesShortAndLongWordsAsTheDefinitionSays) {
  std::mt19937 random(5);
  MergeTable::Scratch scratch;
  for (int round = 0; round < 60; ++round) {
    const MergeTable table = random_table(random, round % 2 == 0);
    ASSERT_GT(table.size(), 10u);
    for (const size_t length : {0, 1, 2, 7, 31, 32, 33, 34, 100, 400}) {
      std::vector<int32_t> tokens(length);
      for (int32_t& token : tokens) token = static_cast<int32_t>(random() % (round % 3 == 0 ? 1 : 3));
      const auto wanted = merged_plainly(table, tokens);
      table.apply(tokens, scratch);
      EXPECT_EQ(tokens, wanted) << "length " << length << ", round " << round;
    }
  }
}

TEST(MergeTable, MergesAWordOfAMillionLettersAtOnce) {
  MergeTable table(20);
  for (int32_t i = 0; i < 20; ++i) table.set(i, i, {i, i + 1});  // doubles: 0 is one letter, 20 is 2^20
  std::vector<int32_t> tokens(size_t{1} << 20, 0);
  MergeTable::Scratch scratch;
  table.apply(tokens, scratch);
  EXPECT_EQ(tokens, std::vector<int32_t>{20});
}

TEST(MergeTable, LetsTheLaterOfTwoEqualPairsCount) {
  MergeTable table(2);
  table.set(1, 2, {0, 3});
  table.set(1, 2, {5, 4});
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.find(1, 2)->token, 4);
  EXPECT_EQ(table.find(2, 1), nullptr);
}

}  // namespace
}  // namespace hyscale::data
