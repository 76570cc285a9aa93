#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/token_file.h"
#include "core/data/tokenizer.h"
#include "tests/data/prepare_support.h"

namespace hyscale::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::ThrowsMessage;

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
template <class T>
std::string raw(const std::vector<int64_t>& ids) {
  return bytes_of(std::vector<T>(ids.begin(), ids.end()));
}
template <class T>
std::string npy(const char* type, const std::string& shape, const std::vector<int64_t>& ids) {
  std::string dictionary = "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  dictionary.resize(128 - 10 - 1, ' ');
  dictionary += '\n';
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + dictionary + raw<T>(ids);
}
template <class T>
std::string llmc(int32_t magic, int32_t version, const std::vector<int64_t>& ids) {
  std::vector<int32_t> header(256);
  header[0] = magic, header[1] = version, header[2] = static_cast<int32_t>(ids.size());
  return bytes_of(header) + raw<T>(ids);
}
/// Megatron's index of documents of these lengths, each one sequence, of uint16.
std::string megatron_index(const std::vector<int32_t>& lengths) {
  std::vector<int64_t> places, bounds{0};
  int64_t total = 0;
  for (const int32_t length : lengths) {
    places.push_back(total * 2);
    total += length;
    bounds.push_back(static_cast<int64_t>(bounds.size()));
  }
  const auto count = static_cast<int64_t>(lengths.size());
  return std::string("MMIDIDX\0\0", 9) + bytes_of<int64_t>({1}) + '\x08' + bytes_of<int64_t>({count, count + 1}) +
         bytes_of(lengths) + bytes_of(places) + bytes_of(bounds);
}

class ImportTokens : public testing::Test {
 protected:
  PrepareOptions options(const std::string& input, const std::string& out = "out") const {
    return {.inputs = {input}, .eos = "0", .out = scratch_ / out, .validation_fraction = 0.25, .vocabulary = 100};
  }
  PreparedCorpus import(const std::string& input, const std::string& out = "out") const {
    return prepare(options(input, out));
  }
  ScratchDirectory scratch_;
  const std::vector<int64_t> ids_{1, 2, 3, 0, 4, 5, 0, 6, 0, 7, 8, 9, 0};  // four documents that end with 0
};

TEST_F(ImportTokens, GivesOneIdentityToTheSameIdsInEveryFormat) {
  const auto identity = [&](const std::string& file, const std::string& content, const std::string& out) {
    const auto corpus = import(scratch_.write(file, content), out);
    EXPECT_EQ(corpus.manifest.train_tokens, 9) << file;
    EXPECT_THAT(all_tokens(Corpus(scratch_ / out), true), ElementsAre(7, 8, 9, 0)) << file;
    return corpus.manifest.identity.corpus_sha256;
  };
  const auto expected = identity("raw.bin", raw<uint16_t>(ids_), "raw");
  EXPECT_EQ(identity("a.npy", npy<uint16_t>("<u2", "13,", ids_), "u2"), expected);
  EXPECT_EQ(identity("b.npy", npy<uint32_t>("<u4", "13,", ids_), "u4"), expected);
  EXPECT_EQ(identity("c.npy", npy<int32_t>("<i4", "13,", ids_), "i4"), expected);
  EXPECT_EQ(identity("d.npy", npy<int64_t>("<i8", "13,", ids_), "i8"), expected);
  EXPECT_EQ(identity("llmc.bin", llmc<uint16_t>(20240520, 1, ids_), "llmc"), expected);
  EXPECT_EQ(identity("llama.bin", llmc<uint32_t>(20240801, 7, ids_), "llama"), expected);
  scratch_.write("m.idx", megatron_index({4, 3, 2, 4}));
  EXPECT_EQ(identity("m.bin", raw<uint16_t>(ids_), "megatron"), expected);
  auto copied = options(scratch_ / "d.npy", "copied");
  copied.copy = true;
  EXPECT_EQ(prepare(copied).manifest.identity.corpus_sha256, expected);
}

TEST_F(ImportTokens, UsesTheFileInPlaceUnlessTheyAreToBeCopied) {
  const auto file = scratch_.write("ids.bin", raw<uint16_t>(ids_));
  auto copied = options(file, "copied");
  copied.copy = true;
  import(file, "in-place"), prepare(copied);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "in-place/train.tokens"));
  std::filesystem::remove(file);
  EXPECT_THAT(all_tokens(Corpus(scratch_ / "copied"), false), ElementsAre(1, 2, 3, 0, 4, 5, 0, 6, 0));
  EXPECT_THAT([&] { Corpus(scratch_ / "in-place"); }, ThrowsMessage<IoError>(HasSubstr("ids.bin")));
}

TEST_F(ImportTokens, ReadsWindowsAcrossSeveralFiles) {
  auto shards = options(scratch_.write("a.bin", raw<uint16_t>({1, 2, 0})));
  shards.inputs.push_back(scratch_.write("b.npy", npy<int64_t>("<i8", "4,", {3, 4, 5, 0})));
  shards.validation_files = {scratch_.write("c.bin", raw<uint16_t>({6, 0}))};
  prepare(shards);
  const Corpus corpus(scratch_ / "out");
  std::vector<int32_t> window(4);
  corpus.read(false, 1, window);
  EXPECT_THAT(window, ElementsAre(2, 0, 3, 4));
  EXPECT_THAT(all_tokens(corpus, true), ElementsAre(6, 0));
  EXPECT_EQ(corpus.document_begin(false, 1), 3);
  EXPECT_NO_THROW(corpus.verify());
}

TEST_F(ImportTokens, FindsDocumentsByRowByIndexByEosOrElseByBos) {
  const auto begins = [&](const PrepareOptions& asked) {
    prepare(asked);
    const Corpus corpus(asked.out);
    std::vector<int64_t> found;
    for (const bool validation : {false, true})
      for (int64_t d = 0; d < corpus.documents(validation); ++d) found.push_back(corpus.document_begin(validation, d));
    std::filesystem::remove_all(asked.out);
    return found;
  };
  EXPECT_THAT(begins(options(scratch_.write("rows.npy", npy<uint16_t>("<u2", "3, 2", {1, 0, 2, 3, 4, 5})))),
              ElementsAre(0, 2, 0));
  scratch_.write("m.idx", megatron_index({1, 2, 3}));
  EXPECT_THAT(begins(options(scratch_.write("m.bin", raw<uint16_t>({1, 0, 2, 3, 4, 5})))), ElementsAre(0, 1, 0));
  EXPECT_THAT(begins(options(scratch_.write("eos.bin", raw<uint16_t>({1, 0, 2, 0, 3, 4})))), ElementsAre(0, 2, 0));
  auto by_bos = options(scratch_.write("bos.bin", raw<uint16_t>({9, 1, 9, 2, 3, 9, 4})));
  by_bos.bos = "9";
  EXPECT_THAT(begins(by_bos), ElementsAre(0, 2, 0));
  by_bos.eos = "9";  // one token between documents: it begins them where the file begins with it
  EXPECT_THAT(begins(by_bos), ElementsAre(0, 2, 0));
}

TEST_F(ImportTokens, CutsAStreamWithoutDocumentsAtAToken) {
  auto stream = options(scratch_.write("ids.bin", raw<uint16_t>({1, 2, 3, 4, 5, 6, 7, 8})));
  const auto corpus = prepare(stream);
  EXPECT_EQ(corpus.manifest.train_tokens, 6);
  EXPECT_EQ(corpus.manifest.validation_tokens, 2);
}

TEST_F(ImportTokens, KeepsSoManyValidationTokensAndNoDocumentMore) {
  auto by_tokens = options(scratch_.write("ids.bin", raw<uint16_t>(ids_)));
  by_tokens.validation_tokens = 5;
  EXPECT_EQ(prepare(by_tokens).manifest.validation_tokens, 6);
}

TEST_F(ImportTokens, NamesEveryBadFileWithItsByteAndLeavesNothing) {
  auto all = options(scratch_.write("outside.bin", raw<uint16_t>({1, 2, 100, 300})));
  all.inputs.push_back(scratch_.write("negative.npy", npy<int32_t>("<i4", "2,", {5, -7})));
  all.inputs.push_back(scratch_.write("short.npy", npy<uint16_t>("<u2", "9,", {1, 2})));
  all.inputs.push_back(scratch_.write("float.npy", npy<float>("<f4", "2,", {1, 2})));
  all.inputs.push_back(scratch_.write("cube.npy", npy<uint16_t>("<u2", "1, 2, 1", {1, 2})));
  all.inputs.push_back(scratch_.write("half.bin", "abc"));
  all.inputs.push_back(scratch_.write("version.bin", llmc<uint16_t>(20240520, 3, {1})));
  scratch_.write("m.idx", megatron_index({2}).substr(0, 40));
  all.inputs.push_back(scratch_.write("m.bin", raw<uint16_t>({1, 2})));
  all.inputs.push_back(scratch_ / "absent.npy");
  EXPECT_THAT([&] { prepare(all); },
              ThrowsMessage<ConfigError>(AllOf(
                  HasSubstr("outside.bin: byte 4: id 100 is outside the vocabulary of 100 (the first of 2 such ids)"),
                  HasSubstr("negative.npy: byte 132: id -7 is outside"),
                  HasSubstr("short.npy: byte 132: the header promises 9 numbers"),
                  HasSubstr("float.npy: byte 10: the numbers are of type '<f4'"), HasSubstr("3 dimensions"),
                  HasSubstr("half.bin: byte 3: the file ends inside a number of 2 bytes"),
                  HasSubstr("version.bin: byte 4: llm.c's data version 3"),
                  HasSubstr("m.idx: byte 40: the file ends inside its header"), HasSubstr("there is no"))));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out"));
  EXPECT_THAT(scratch_.entries(), SizeIs(9));
}

TEST_F(ImportTokens, NoticesThatAFileWasWrittenToSince) {
  const auto file = scratch_.write("ids.bin", raw<uint16_t>(ids_));
  import(file);
  const auto later = std::filesystem::last_write_time(file) + std::chrono::hours(1);
  std::filesystem::last_write_time(file, later);
  EXPECT_NO_THROW(Corpus(scratch_ / "out"));  // touched, but with the same content
  auto other = ids_;
  other[0] = 42;
  scratch_.write("ids.bin", raw<uint16_t>(other));
  std::filesystem::last_write_time(file, later);
  EXPECT_THAT([&] { Corpus(scratch_ / "out"); }, ThrowsMessage<DamagedFile>(HasSubstr("not the ones")));
}

TEST_F(ImportTokens, PointsAnOldCorpusToFilesThatHaveMoved) {
  const auto file = scratch_.write("ids.bin", raw<uint16_t>(ids_));
  import(file);
  std::filesystem::rename(file, scratch_ / "moved.bin");
  EXPECT_TRUE(import(scratch_ / "moved.bin").already_there);
  EXPECT_NO_THROW(Corpus(scratch_ / "out"));
}

TEST_F(ImportTokens, KnowsBytesOfTextOnlyWithItsTokenizer) {
  const auto text = scratch_.write("ids.npy", npy<uint16_t>("<u2", "8,", {256, 'a', 'b', 257, 256, 'c', 'd', 257}));
  auto unknown = options(text, "unknown"), known = options(text, "known");
  unknown.vocabulary = 258, unknown.eos = "257";
  known.vocabulary = 0, known.eos = "", known.tokenizer = "byte";
  EXPECT_EQ(prepare(unknown).manifest.validation_bytes, 0);
  EXPECT_EQ(prepare(known).manifest.validation_bytes, 2);
  EXPECT_EQ(open_tokenizer(Corpus(known.out).manifest())->kind(), "byte");
  const auto none = open_tokenizer(Corpus(unknown.out).manifest());
  EXPECT_EQ(none->eos(), 257);
  EXPECT_THROW(none->decode({}), ConfigError);
}

TEST_F(ImportTokens, AsksForAVocabularyOrATokenizerButNotBoth) {
  auto neither = options(scratch_.write("ids.bin", raw<uint16_t>(ids_))), both = neither;
  neither.vocabulary = 0;
  both.tokenizer = "byte";
  EXPECT_THAT([&] { prepare(neither); }, ThrowsMessage<ConfigError>(HasSubstr("--vocabulary N")));
  EXPECT_THAT([&] { prepare(both); }, ThrowsMessage<ConfigError>(HasSubstr("leave out one")));
}

TEST_F(ImportTokens, RefusesTextAndIdsTogether) {
  auto mixed = options(scratch_.write("ids.bin", raw<uint16_t>(ids_)));
  mixed.inputs.push_back(scratch_.write("a.txt", "text"));
  EXPECT_THAT([&] { prepare(mixed); }, ThrowsMessage<ConfigError>(HasSubstr("some inputs are text")));
}

}  // namespace
}  // namespace hyscale::data
