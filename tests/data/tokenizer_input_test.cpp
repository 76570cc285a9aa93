#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/data/tokenizer_support.h"
#include "tests/support/scratch.h"

namespace hyscale::data {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Json = nlohmann::json;

/// What is said of a file with this content.
std::string complaint(const std::string& content, const std::string& name = "tokenizer.json", const char* preset = "") {
  const tests::ScratchDirectory scratch;
  try {
    load_tokenizer(scratch.write(name, content) + preset, {});
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "nothing was wrong";
}

/// A fixture in which the value at a JSON pointer is another one.
std::string changed(const std::string& name, const std::string& pointer, const Json& value) {
  Json json = Json::parse(read_file(fixture(name)));
  json[Json::json_pointer(pointer)] = value;
  return json.dump();
}

TEST(TokenizerJson, IsRefusedWhereItAsksForWhatIsNotThere) {
  EXPECT_THAT(complaint(changed("gpt2.json", "/model/type", "WordPiece")),
              AllOf(HasSubstr("tokenizer.json"), HasSubstr("model.type is 'WordPiece'"), HasSubstr("BPE")));
  EXPECT_THAT(complaint(changed("gpt2.json", "/normalizer", {{"type", "BertNormalizer"}})),
              AllOf(HasSubstr("normalizer.type is 'BertNormalizer'"), HasSubstr("NFC")));
  EXPECT_THAT(complaint(changed("llama3.json", "/pre_tokenizer/pretokenizers/0", {{"type", "Whitespace"}})),
              AllOf(HasSubstr("pre_tokenizer.pretokenizers[0].type is 'Whitespace'"), HasSubstr("Split")));
  EXPECT_THAT(complaint(changed("gpt2.json", "/decoder", {{"type", "CTC"}})), HasSubstr("decoder.type is 'CTC'"));
  EXPECT_THAT(complaint(changed("llama2.json", "/decoder/decoders/3/start", "one")), HasSubstr("decoders[3].start is"));
  EXPECT_THAT(complaint(changed("gpt2.json", "/post_processor", {{"type", "Odd"}})), HasSubstr("post_processor.type"));
  EXPECT_THAT(complaint(changed("gpt2.json", "/model/dropout", 0.1)), HasSubstr("model.dropout is 0.1"));
  EXPECT_THAT(complaint(changed("gpt2.json", "/model/end_of_word_suffix", "</w>")), HasSubstr("end_of_word_suffix"));
  EXPECT_THAT(complaint(changed("gpt2.json", "/pre_tokenizer/novelty", 1)),
              HasSubstr("pre_tokenizer.novelty is not supported"));
  EXPECT_THAT(complaint(changed("llama3.json", "/pre_tokenizer/pretokenizers/0/behavior", "Removed")),
              HasSubstr("text would be lost"));
  EXPECT_THAT(complaint(changed("llama3.json", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\w+")),
              AllOf(HasSubstr("pre_tokenizer.pretokenizers[0].pattern.Regex"), HasSubstr("\\w")));
  EXPECT_THAT(complaint(changed("llama3.json", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "(a")),
              HasSubstr("malformed"));
}

TEST(TokenizerJson, IsRefusedWithAllThatIsWrongAtOnce) {
  Json json = Json::parse(read_file(fixture("gpt2.json")));
  json["model"]["merges"][3] = {"th", "unheard"};
  json["model"]["merges"][4] = "one";
  json["model"]["vocab"]["extra"] = 5;
  json["added_tokens"][0]["id"] = -4;
  EXPECT_THAT(complaint(json.dump()),
              AllOf(HasSubstr("model.merges[3] names 'unheard'"), HasSubstr("model.merges[4] is \"one\""),
                    HasSubstr("model.vocab gives the id 5"), HasSubstr("added_tokens[0].id is -4")));
}

TEST(TokenizerJson, SaysWhereATornFileEnds) {
  const std::string whole = read_file(fixture("gpt2.json"));
  EXPECT_THAT(complaint(whole.substr(0, whole.size() / 2)),
              AllOf(HasSubstr("tokenizer.json:1:"), HasSubstr("too early")));
  EXPECT_THAT(complaint("{\n  \"model\": ?\n}"), HasSubstr("tokenizer.json:2:12"));
  EXPECT_THAT(complaint("{}"), HasSubstr("model"));
  EXPECT_THAT(complaint("[1]", "x.json"), HasSubstr("model"));
  EXPECT_THAT(complaint("   \n"), HasSubstr("empty"));
}

TEST(TokenizerJson, RefusesAnAlphabetThatLosesText) {
  Json json = Json::parse(read_file(fixture("gpt2.json")));
  json["model"]["vocab"].erase("Ġ");
  json["model"]["merges"] = Json::array();
  EXPECT_THAT(complaint(json.dump()),
              AllOf(HasSubstr("no token for 1 of the 256 bytes"), HasSubstr("ByteLevel.alphabet")));
  json = Json::parse(read_file(fixture("llama2.json")));
  json["model"]["vocab"].erase("<0x41>");
  EXPECT_THAT(complaint(json.dump()), HasSubstr("lacks 1 of <0x00> to <0xFF>"));
}

TEST(TokenizerJson, WantsTokensThatBeginAndEndDocuments) {
  EXPECT_THAT(complaint(changed("gpt2.json", "/added_tokens", Json::array())),
              AllOf(HasSubstr("--bos"), HasSubstr("none")));
  EXPECT_THROW(load_tokenizer(fixture("gpt2.json"), {.bos = "<nobody>"}), ConfigError);
}

TEST(RankFile, NamesEveryBadLine) {
  std::string ranks = read_file(fixture("own.tiktoken"));
  ranks += "IQ== 500\nno-base64! 421\nQUJDRA==\nQUJDRUZH 3\nQUJDRUZI x\n";
  const std::string found = complaint(ranks, "own.tiktoken", "@cl100k");
  EXPECT_THAT(found, AllOf(HasSubstr("own.tiktoken:421"), HasSubstr("is that of line 1 already"),
                           HasSubstr("own.tiktoken:422"), HasSubstr("'no-base64!' is no base64")));
  EXPECT_THAT(found,
              AllOf(HasSubstr("own.tiktoken:423"), HasSubstr("own.tiktoken:424"), HasSubstr("rank 3 is that of line 4"),
                    HasSubstr("'x' is no rank"), HasSubstr("rank 420 is missing"), HasSubstr("more problems")));
}

TEST(RankFile, WantsAllBytesAndAKnownEncoding) {
  const std::string ranks = read_file(fixture("own.tiktoken"));
  EXPECT_THAT(complaint("IQ== 0\nIg== 1\n", "own.tiktoken", "@gpt2"), HasSubstr("254 of the 256 single bytes"));
  EXPECT_THAT(complaint(ranks, "own.tiktoken"),
              AllOf(HasSubstr("how text is split"), HasSubstr("cl100k, gpt2, llama3")));
  EXPECT_THAT(complaint(ranks, "own.tiktoken", "@gpt5"), HasSubstr("no encoding 'gpt5'"));
  EXPECT_THAT(complaint("# pattern (a\n" + ranks, "own.tiktoken"), AllOf(HasSubstr("own.tiktoken"), HasSubstr("(a")));
  EXPECT_THAT(complaint("# special <x> 5\n# pattern gpt2\n" + ranks, "own.tiktoken"),
              HasSubstr("<x> cannot have the id 5"));
}

}  // namespace
}  // namespace hyscale::data
