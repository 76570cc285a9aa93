#include "core/data/prepare.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/error.h"
#include "core/data/tokenizer.h"
#include "tests/data/prepare_support.h"

namespace hyscale::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

class Prepare : public testing::Test {
 protected:
  PrepareOptions options(const std::string& input, const std::string& out) const {
    return {.inputs = {input}, .tokenizer = "byte", .out = scratch_ / out, .validation_fraction = 0.2};
  }
  PreparedCorpus prepared(const std::string& input, const std::string& out) const {
    return prepare(options(input, out));
  }
  std::vector<std::string> texts_of(const std::string& out, bool validation) const {
    const Corpus corpus(scratch_ / out);
    const auto tokenizer = open_tokenizer(corpus.manifest());
    const auto tokens = all_tokens(corpus, validation);
    std::vector<std::string> texts;
    for (int64_t d = 0; d < corpus.documents(validation); ++d) {
      const auto begin = static_cast<size_t>(corpus.document_begin(validation, d));
      const auto end = static_cast<size_t>(corpus.document_begin(validation, d + 1));
      texts.push_back(tokenizer->decode(std::span(tokens).subspan(begin, end - begin)));
    }
    return texts;
  }
  std::vector<std::string> sorted_texts_of(const std::string& out, bool validation) const {
    auto texts = texts_of(out, validation);
    std::sort(texts.begin(), texts.end());
    return texts;
  }
  ScratchDirectory scratch_;
};

std::string gzipped(const std::string& text) {
  std::string out(text.size() + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
std::string zstd_compressed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

TEST_F(Prepare, GivesEqualHashesForPlainGzipAndZstdInput) {
  const std::string text = numbered_documents(20000);  // more than one buffer of any decoder
  const size_t half = text.find('\n', text.size() / 2) + 1;
  const auto plain = prepared(scratch_.write("a.jsonl", text), "plain");
  const auto gzip = prepared(scratch_.write("a.jsonl.gz", gzipped(text)), "gzip");
  const auto zstd = prepared(scratch_.write("a.jsonl.zst", zstd_compressed(text)), "zstd");
  const auto members =
      prepared(scratch_.write("b.jsonl.gz", gzipped(text.substr(0, half)) + gzipped(text.substr(half))), "members");
  const auto frames = prepared(
      scratch_.write("b.jsonl.zst", zstd_compressed(text.substr(0, half)) + zstd_compressed(text.substr(half))),
      "frames");
  for (const auto& other : {gzip, zstd, members, frames})
    EXPECT_EQ(other.manifest.identity.corpus_sha256, plain.manifest.identity.corpus_sha256);
}

TEST_F(Prepare, CountsExactly) {
  const auto corpus = prepared(scratch_.write("a.txt", "one\n\f\ntwo äö\n\f\nthree\n\f\nfour\n\f\nfive\n"), "out");
  const auto& m = corpus.manifest;
  EXPECT_EQ(m.train_documents + m.validation_documents, 5);
  EXPECT_EQ(m.train_bytes + m.validation_bytes, 4 + 9 + 6 + 5 + 5);
  EXPECT_EQ(m.train_tokens + m.validation_tokens, 29 + 2 * 5);
  EXPECT_EQ(m.vocabulary, 258);
}

TEST_F(Prepare, MeasuresTheUnigramEntropyOfTheValidationTokens) {
  const auto corpus = prepared(scratch_.write("a.jsonl", numbered_documents(100)), "out");
  std::map<int32_t, double> counts;
  const auto tokens = all_tokens(Corpus(scratch_ / "out"), true);
  for (const int32_t token : tokens) counts[token] += 1.0 / static_cast<double>(tokens.size());
  double entropy = 0;
  for (const auto& [token, share] : counts) entropy -= share * std::log(share);
  EXPECT_NEAR(corpus.manifest.unigram_entropy, entropy, 1e-12);
}

TEST_F(Prepare, SplitsTheSameWayWhateverTheOrderOfTheInputs) {
  const auto a = scratch_.write("a.jsonl", numbered_documents(200)),
             b = scratch_.write("b.jsonl", numbered_documents(200, 200));
  for (const int64_t tokens : {0, 2000}) {
    auto forward = options(a, "forward"), backward = options(b, "backward");
    forward.inputs.push_back(b), backward.inputs.push_back(a);
    forward.validation_tokens = backward.validation_tokens = tokens;
    prepare(forward), prepare(backward);
    EXPECT_EQ(sorted_texts_of("forward", true), sorted_texts_of("backward", true));
    EXPECT_EQ(sorted_texts_of("forward", false), sorted_texts_of("backward", false));
    std::filesystem::remove_all(forward.out), std::filesystem::remove_all(backward.out);
  }
}

TEST_F(Prepare, KeepsDuplicatesOnOneSide) {
  for (const int64_t tokens : {0, 1500}) {
    auto twice = options(scratch_.write("a.jsonl", numbered_documents(100) + numbered_documents(100)), "out");
    twice.validation_tokens = tokens;
    prepare(twice);
    const auto train = sorted_texts_of("out", false), validation = sorted_texts_of("out", true);
    std::vector<std::string> both;
    std::set_intersection(train.begin(), train.end(), validation.begin(), validation.end(), std::back_inserter(both));
    EXPECT_THAT(both, IsEmpty());
    EXPECT_EQ(train.size() + validation.size(), 200u);
    std::filesystem::remove_all(twice.out);
  }
}

TEST_F(Prepare, KeepsAtLeastTheValidationTokensAskedForAndNoDocumentMore) {
  auto by_tokens = options(scratch_.write("a.jsonl", numbered_documents(500)), "out");
  by_tokens.validation_tokens = 1000;
  const auto corpus = prepare(by_tokens);
  EXPECT_GE(corpus.manifest.validation_tokens, 1000);
  EXPECT_LT(corpus.manifest.validation_tokens, 1000 + 50);
  EXPECT_EQ(corpus.manifest.train_documents + corpus.manifest.validation_documents, 500);
}

TEST_F(Prepare, DrawsAnotherSplitWithAnotherSeed) {
  auto first = options(scratch_.write("a.jsonl", numbered_documents(200)), "first"), second = first;
  second.out = scratch_ / "second", second.seed = 1;
  prepare(first), prepare(second);
  EXPECT_NE(sorted_texts_of("first", true), sorted_texts_of("second", true));
}

TEST_F(Prepare, ListsEveryProblemWithItsPlaceAndLeavesNothing) {
  const auto bad = scratch_.write("bad.jsonl",
                                  "{\"text\": \"good\"}\n{\"text\": \"torn\n{\"other\": \"x\"}\n"
                                  "{\"text\": 5}\n{\"text\": \"a\xff\"}\n[1]\n");
  const auto latin = scratch_.write("latin.txt", "fine\nna\xefve\n");
  const auto empty = scratch_.write("empty.txt", "");
  const auto torn = scratch_.write("torn.jsonl.gz", gzipped(numbered_documents(1000)).substr(0, 500));
  auto all = options(bad, "out");
  all.inputs = {bad, latin, empty, torn};
  EXPECT_THAT([&] { prepare(all); },
              ThrowsMessage<ConfigError>(
                  AllOf(HasSubstr("bad.jsonl:2:15: not JSON"), HasSubstr("bad.jsonl:3:1: no field \"text\""),
                        HasSubstr("bad.jsonl:4:2: field \"text\" is no string"), HasSubstr("bad.jsonl:5:12: not UTF-8"),
                        HasSubstr("bad.jsonl:6:1: this line is no JSON object"), HasSubstr("latin.txt:2:3: not UTF-8"),
                        HasSubstr("empty.txt: no text in this file"), HasSubstr("torn.jsonl.gz: the gzip file ends"))));
  EXPECT_EQ(scratch_.entries().size(), 4u);
}

TEST_F(Prepare, CapsTheListOfProblemsAndCountsTheRest) {
  std::string lines;
  for (int i = 0; i < 50; ++i) lines += "{}\n";
  const auto bad = scratch_.write("bad.jsonl", lines);
  EXPECT_THAT([&] { prepared(bad, "out"); }, ThrowsMessage<ConfigError>(HasSubstr("and 30 more")));
}

TEST_F(Prepare, ReadsAnotherFieldAndSkipsBlankDocuments) {
  std::string lines = "{\"body\": \" \\n\"}\n";
  for (int i = 0; i < 50; ++i) lines += "{\"body\": \"text " + std::to_string(i) + "\", \"id\": 1}\n";
  auto other = options(scratch_.write("a.jsonl", lines), "out");
  other.field = "body";
  const auto corpus = prepare(other);
  EXPECT_EQ(corpus.blank_documents, 1);
  EXPECT_EQ(corpus.manifest.train_documents + corpus.manifest.validation_documents, 50);
}

TEST_F(Prepare, FindsTextFilesInDirectoriesInTheOrderOfTheirNames) {
  std::filesystem::create_directories(scratch_ / "books/more");
  scratch_.write("books/b.jsonl", numbered_documents(50));
  scratch_.write("books/more/c.jsonl", numbered_documents(50, 50));
  scratch_.write("books/cover.png", "no text");
  const auto tree = prepared(scratch_ / "books", "tree");
  const auto flat = prepared(scratch_.write("flat.jsonl", numbered_documents(100)), "flat");
  EXPECT_EQ(tree.manifest.identity.corpus_sha256, flat.manifest.identity.corpus_sha256);
}

TEST_F(Prepare, SaysAlreadyThereForTheSameContentAndRefusesOther) {
  const auto a = scratch_.write("a.jsonl", numbered_documents(100)),
             b = scratch_.write("b.jsonl", numbered_documents(90));
  EXPECT_FALSE(prepared(a, "out").already_there);
  EXPECT_TRUE(prepared(a, "out").already_there);
  EXPECT_THAT([&] { prepared(b, "out"); },
              ThrowsMessage<ConfigError>(AllOf(HasSubstr("holds another corpus"), HasSubstr("choose another --out"))));
  EXPECT_THAT([&] { prepared(b, "a.jsonl"); }, ThrowsMessage<ConfigError>(HasSubstr("is no corpus")));
  EXPECT_EQ(Corpus(scratch_ / "out").documents(false) + Corpus(scratch_ / "out").documents(true), 100);
  EXPECT_EQ(scratch_.entries().size(), 3u);
}

TEST_F(Prepare, RefusesAnInputOfOneDocumentWithTheRemedy) {
  EXPECT_THAT([&] { prepared(scratch_.write("a.txt", "only one\n"), "out"); },
              ThrowsMessage<ConfigError>(HasSubstr("form feed")));
  EXPECT_THAT(scratch_.entries(), ElementsAre("a.txt"));
}

TEST_F(Prepare, LeavesNothingWhenTheDiskIsFull) {
  const auto input = scratch_.write("a.jsonl", numbered_documents(2000));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 50'000, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THAT([&] { prepared(input, "out"); }, ThrowsMessage<IoError>(HasSubstr("train.tokens")));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(scratch_.entries(), ElementsAre("a.jsonl"));
}

TEST_F(Prepare, RefusesAPlaceItCannotWriteTo) {
  const auto input = scratch_.write("a.jsonl", numbered_documents(20));
  EXPECT_THAT([&] { prepared(input, "a.jsonl/out"); }, ThrowsMessage<IoError>(HasSubstr("a.jsonl")));
  EXPECT_THAT(scratch_.entries(), ElementsAre("a.jsonl"));
}

TEST_F(Prepare, LeavesNothingWhenItIsInterrupted) {
  const auto input = scratch_.write("a.jsonl", numbered_documents(2000));
  EXPECT_THROW(prepare_corpus(options(input, "out"), [](const PrepareProgress&) { throw std::runtime_error("stop"); }),
               std::runtime_error);
  EXPECT_THAT(scratch_.entries(), ElementsAre("a.jsonl"));
}

}  // namespace
}  // namespace hyscale::data
