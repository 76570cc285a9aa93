#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "tests/data/tokenizer_support.h"
#include "tests/support/scratch.h"

namespace hyscale::data {
namespace {

using Json = nlohmann::json;

std::vector<Json> golden() {
  std::ifstream file(fixture("golden.jsonl"));
  std::vector<Json> cases;
  for (std::string line; std::getline(file, line);) cases.push_back(Json::parse(line));
  return cases;
}

// The original libraries wrote these ids: tests/data/tokenizers/make_fixtures.py.
TEST(TokenizersOfOtherLibraries, GiveTheIdsThatTheirOwnLibrariesGive) {
  const auto cases = golden();
  ASSERT_GT(cases.size(), 20u);
  for (const auto& [name, ignored] : cases[0]["ids"].items()) {
    const auto tokenizer = load_fixture(name);
    for (const Json& sample : cases)
      EXPECT_EQ(ids_of(*tokenizer, sample["text"]), sample["ids"][name].get<std::vector<int32_t>>())
          << name << ": " << sample["text"];
  }
}

TEST(TokenizersOfOtherLibraries, ReadSpecialTokensInTextOnlyWhenAsked) {
  int different = 0;
  for (const Json& sample : golden())
    for (const auto& [name, ids] : sample["with_special"].items()) {
      const auto wanted = ids.get<std::vector<int32_t>>();
      EXPECT_EQ(ids_of(*load_fixture(name, true), sample["text"]), wanted) << name << ": " << sample["text"];
      EXPECT_NE(ids_of(*load_fixture(name), sample["text"]), wanted);
      ++different;
    }
  EXPECT_GT(different, 3);
}

TEST(TokenizersOfOtherLibraries, GiveTextBack) {
  for (const std::string name : {"gpt2.json", "llama3.json", "llama2.json", "own.tiktoken@o200k"})
    for (const Json& sample : golden()) {
      const auto text = sample["text"].get<std::string>();
      const auto tokenizer = load_fixture(name);
      if (name == "llama2.json" && text.find("▁") != std::string::npos) continue;  // its own sign for a space
      EXPECT_EQ(tokenizer->decode(ids_of(*tokenizer, text)), text) << name;
    }
}

TEST(TokenizersOfOtherLibraries, FindBosAndEosOrAreTold) {
  const auto frame = [](const std::string& name, const LoadOptions& options) {
    const auto tokenizer = load_tokenizer(fixture(name), options);
    return std::pair(tokenizer->bos(), tokenizer->eos());
  };
  EXPECT_EQ(frame("llama3.json", {}), std::pair(420, 421));
  EXPECT_EQ(frame("llama3.json", {.eos = "<|eot_id|>"}), std::pair(420, 422));
  EXPECT_EQ(frame("llama2.json", {}), std::pair(1, 2));
  EXPECT_EQ(frame("gpt2.json", {}), std::pair(0, 0));
  EXPECT_EQ(frame("own.tiktoken@llama3", {}), std::pair(420, 421));
  EXPECT_EQ(frame("own.tiktoken@gpt2", {}), std::pair(420, 420));
  EXPECT_EQ(frame("own.tiktoken@cl100k", {}), std::pair(421, 421));
}

TEST(TokenizersOfOtherLibraries, CountEveryIdThatTheyCanGive) {
  EXPECT_EQ(load_fixture("llama3.json")->vocabulary(), 423);
  EXPECT_EQ(load_fixture("own.tiktoken@llama3")->vocabulary(), 420 + 256);  // Llama-3: 128,000 + 256
  EXPECT_EQ(load_fixture("own.tiktoken@cl100k")->vocabulary(), 420 + 21);   // cl100k: 100,256 + 21 = 100,277
  EXPECT_EQ(load_fixture("own.tiktoken@o200k")->vocabulary(), 420 + 21);    // o200k: 199,998 + 21 = 200,019
  EXPECT_EQ(load_fixture("own.tiktoken@qwen")->vocabulary(), 420 + 208);    // Qwen: 151,643 + 208 = 151,851
}

TEST(RankTokenizer, KeepsItsEncodingInItsFile) {
  const tests::ScratchDirectory scratch;
  const auto tokenizer = load_fixture("own.tiktoken@o200k");
  const std::string path = scratch.write("tokenizer.tiktoken", tokenizer->file_content());
  const auto again = load_tokenizer(path, {});
  EXPECT_EQ(again->file_content(), tokenizer->file_content());
  EXPECT_EQ(ids_of(*again, "HelloWorld it's\n 2024"), ids_of(*tokenizer, "HelloWorld it's\n 2024"));
  EXPECT_EQ(again->eos(), tokenizer->eos());
}

TEST(RankTokenizer, TakesAPatternAndSpecialTokensOfOnesOwn) {
  const tests::ScratchDirectory scratch;
  const std::string path =
      scratch.write("own.model", "# pattern \\s+|\\S+\n# special <|doc|> 500\n" + read_file(fixture("own.tiktoken")));
  const auto tokenizer = load_tokenizer(path, {.bos = "<|doc|>"});
  EXPECT_EQ(tokenizer->bos(), 500);
  EXPECT_EQ(tokenizer->eos(), 500);
  EXPECT_EQ(tokenizer->decode(ids_of(*tokenizer, "two words")), "two words");
}

}  // namespace
}  // namespace hyscale::data
