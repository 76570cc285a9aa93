#include "core/spec/corpus_manifest.h"

#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/spec/run_text.h"
#include "tests/support/scratch.h"

namespace hyscale::spec {

using testing::HasSubstr;
using testing::ThrowsMessage;

class CorpusManifestFile : public testing::Test {
 protected:
  void SetUp() override {
    manifest_ = {.name = "tiny",
                 .directory = scratch_.path(),
                 .tokenizer = "byte",
                 .vocabulary = 258,
                 .bos = 256,
                 .eos = 257,
                 .train_tokens = 1000,
                 .validation_tokens = 100,
                 .train_documents = 10,
                 .validation_documents = 2,
                 .train_bytes = 990,
                 .validation_bytes = 98,
                 .unigram_entropy = 3.14159265358979,
                 .identity = {std::string(64, 'a'), std::string(64, 'b')}};
  }
  std::string path() const { return manifest_.directory + "/manifest.json"; }

  tests::ScratchDirectory scratch_;
  CorpusManifest manifest_;
};

TEST_F(CorpusManifestFile, ReadsBackWhatWasWritten) {
  save_corpus_manifest(manifest_);
  const CorpusManifest read = load_corpus_manifest(manifest_.directory);
  EXPECT_EQ(read.directory, manifest_.directory);
  EXPECT_EQ(read.eos, 257);
  EXPECT_EQ(read.validation_bytes, 98);
  EXPECT_EQ(read.unigram_entropy, manifest_.unigram_entropy);
  EXPECT_EQ(read.identity.tokenizer_sha256, manifest_.identity.tokenizer_sha256);
}

TEST_F(CorpusManifestFile, AModelsVocabularyIsTheCorpusesOrPaddedByFewerThan128Ids) {
  for (const int64_t vocabulary : {258, 259, 384, 385}) EXPECT_FALSE(vocabulary_problem(vocabulary, manifest_));
  for (const int64_t vocabulary : {257, 386, 4096}) {
    const auto problem = vocabulary_problem(vocabulary, manifest_);
    ASSERT_TRUE(problem) << vocabulary;
    EXPECT_THAT(problem->what, HasSubstr(std::to_string(vocabulary)));
    EXPECT_THAT(problem->remedy, HasSubstr("set model.vocabulary to 258"));
  }
}

TEST_F(CorpusManifestFile, AMissingCorpusSaysHowToMakeIt) {
  EXPECT_THAT([&] { load_corpus_manifest(manifest_.directory); },
              ThrowsMessage<ConfigError>(HasSubstr("hybrid-worker data")));
}

TEST_F(CorpusManifestFile, ADamagedManifestIsToldFromAMissingOne) {
  save_corpus_manifest(manifest_);
  const std::string whole = read_file(path());
  for (const std::string& bad :
       {whole.substr(0, whole.size() / 2), with(whole, "\"vocabulary\": 258", "\"vocabulary\": 1"),
        with(whole, "\"train_tokens\"", "\"train_tokns\""), with(whole, "corpus/1", "corpus/7"),
        with(whole, "aaaa", "zzzz"), with(whole, "\"eos\": 257", "\"eos\": 258")}) {
    write_file_atomically(path(), bad);
    EXPECT_THAT([&] { load_corpus_manifest(manifest_.directory); }, ThrowsMessage<DamagedFile>(HasSubstr(path())))
        << bad;
  }
}

TEST(CorpusDirectory, IsBelowTheStoreUnlessAPathIsGiven) {
  EXPECT_EQ(corpus_directory("/store", "tiny"), "/store/corpora/tiny");
  EXPECT_EQ(corpus_directory("/store", "./tiny"), "./tiny");
}

}  // namespace hyscale::spec
