#include "core/data/mixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "core/base/error.h"
#include "core/spec/mixture.h"
#include "core/tensor/memory.h"
#include "tests/data/prepare_support.h"

namespace hyscale::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class MixtureTest : public testing::Test {
 protected:
  void SetUp() override {
    prepare_named("books", numbered_documents(400));
    prepare_named("code", numbered_documents(200, 1000));
  }
  void prepare_named(const std::string& name, const std::string& lines, const std::string& tokenizer = "byte") const {
    prepare({.inputs = {scratch_.write(name + ".jsonl", lines)},
             .tokenizer = tokenizer,
             .out = scratch_ / ("corpora/" + name),
             .validation_fraction = 0.2});
  }
  static spec::DataConfig mixed(double books, double code) {
    return {.corpus = {}, .mixture = {{"books", books}, {"code", code}}};
  }
  ScratchDirectory scratch_;
  std::string store_ = scratch_ / "";
};

TEST_F(MixtureTest, ReadsEachCorpusInTheOrderThatItHasAlone) {
  const Mixture both(mixed(0.75, 0.25), store_);
  const BatchPlan plan = both.plan(16, 8, 3);
  std::vector<BatchPlan> alone;
  for (const Corpus& corpus : both.corpora())
    alone.emplace_back(std::vector<BatchPlan::Part>{{.tokens = corpus.size(false)}}, 16, 1, 3);
  std::vector<int64_t> taken(2);
  for (int64_t step = 0; step < 300; ++step)
    for (int64_t row = 0; row < 8; ++row) {
      const auto place = plan.place(step, row);
      const auto expected = alone[place.corpus].place(taken[place.corpus]++, 0);
      ASSERT_EQ(place.begin, expected.begin);
      ASSERT_EQ(place.epoch, expected.epoch);
    }
  const size_t books = both.manifest().parts[0].name == "books" ? 0 : 1;
  EXPECT_EQ(taken[books], 300 * 6);
  EXPECT_DOUBLE_EQ(plan.epochs(300)[books], 1800.0 / static_cast<double>(plan.windows(books)));
}

TEST_F(MixtureTest, RefusesToKeepDocumentsApartThatItCannotTellApart) {
  spec::DataConfig data = mixed(1, 1);
  data.cross_document = false;
  EXPECT_NO_THROW(Mixture(data, store_));
  spec::CorpusManifest code = spec::load_corpus_manifest(scratch_ / "corpora/code");
  code.tokenizer = spec::kNoTokenizer;
  code.bos = code.eos = -1;
  code.train_documents = 1;
  spec::save_corpus_manifest(code);
  EXPECT_THAT([&] { spec::load_data_manifest(data, store_); },
              ThrowsMessage<ConfigError>(HasSubstr("corpus code does not say where documents begin")));
  data.cross_document = true;
  EXPECT_NO_THROW(spec::load_data_manifest(data, store_));
}

TEST_F(MixtureTest, GivesStepKTheSameBatchWhateverWasReadBefore) {
  const Mixture both(mixed(2, 1), store_);
  const BatchPlan used = both.plan(16, 6, 0), fresh = both.plan(16, 6, 0);
  OwnedTensor inputs(DType::i32, {6, 16}), targets(DType::i32, {6, 16}), again(DType::i32, {6, 16});
  for (const int64_t step : {0, 40, 3, 11}) fill_batch(both.corpora(), used, step, 0, inputs, targets);
  fill_batch(both.corpora(), fresh, 11, 0, again, targets);
  const auto *a = inputs.tensor().as<int32_t>(), *b = again.tensor().as<int32_t>();
  EXPECT_TRUE(std::equal(a, a + 96, b));
}

TEST_F(MixtureTest, HasOneIdentityForEverySpellingOfItsShares) {
  const auto weights = [&](const spec::DataConfig& data) {
    std::map<std::string, double> found;
    for (const auto& [sha256, weight] : spec::load_data_manifest(data, store_).identity.mixture) found[sha256] = weight;
    return found;
  };
  const auto expected = weights(mixed(0.7, 0.3));
  EXPECT_EQ(weights(mixed(7, 3)), expected);
  EXPECT_EQ(weights({.corpus = {}, .mixture = {{"code", 30}, {"books", 70}}}), expected);
  EXPECT_NE(weights(mixed(0.3, 0.7)), expected);
}

TEST_F(MixtureTest, RefusesTokenizersThatDifferAndACorpusThatIsThereTwice) {
  prepare_named("merged", numbered_documents(300, 5000), "bpe:300");
  prepare_named("again", numbered_documents(400));
  const spec::DataConfig data{.corpus = {}, .mixture = {{"books", 1}, {"merged", 1}, {"again", 1}, {"absent", 1}}};
  EXPECT_THAT([&] { Mixture(data, store_); },
              ThrowsMessage<ConfigError>(AllOf(
                  HasSubstr("corpora books and merged were made with different tokenizers (byte, 258 and bpe, 300"),
                  HasSubstr("corpora books and again hold the same tokens"), HasSubstr("there is no corpus in"))));
}

TEST_F(MixtureTest, NamesTheCorpusThatIsShorterThanOneSequence) {
  const Mixture both(mixed(1, 1), store_);
  EXPECT_THAT([&] { both.plan(8000, 1, 0); },
              ThrowsMessage<ConfigError>(AllOf(HasSubstr("corpus code has"), testing::Not(HasSubstr("corpus books")))));
}

TEST_F(MixtureTest, CountsEpochsOfTheCorpusThatIsPassedOverMost) {
  const auto data = spec::load_data_manifest(mixed(1, 1), store_);
  const auto most = data.epochs(20'000);
  EXPECT_EQ(most.corpus, "code");
  for (const auto& part : data.parts)
    if (part.name == "code") {
      EXPECT_DOUBLE_EQ(most.count, 10'000.0 / static_cast<double>(part.corpus.train_tokens));
    }
}

TEST_F(MixtureTest, SaysHowEachCorpusIsReadAndWhatIsNeverSeen) {
  const Mixture both(mixed(3, 1), store_);
  const auto lines = both.describe(both.plan(16, 8, 3));
  ASSERT_EQ(lines.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const auto& part = both.manifest().parts[i];
    EXPECT_THAT(lines[i], HasSubstr("windows of 16 + 1 tokens"));
    EXPECT_THAT(lines[i], HasSubstr(part.name == "books" ? "(75% of the sequences)" : "(25% of the sequences)"));
    EXPECT_THAT(lines[i], HasSubstr("the last " + std::to_string((part.corpus.train_tokens - 1) % 16) + " of"));
  }
}

}  // namespace
}  // namespace hyscale::data
