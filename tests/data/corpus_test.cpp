#include "core/data/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "core/base/error.h"
#include "core/data/permutation.h"
#include "core/tensor/memory.h"
#include "tests/data/prepare_support.h"

namespace hyscale::data {
namespace {

using testing::Each;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::ThrowsMessage;

class PreparedCorpusTest : public testing::Test {
 protected:
  void SetUp() override {
    prepare({.inputs = {scratch_.write("text.jsonl", numbered_documents(200))},
             .tokenizer = "byte",
             .out = directory_,
             .validation_fraction = 0.3});
  }
  ScratchDirectory scratch_;
  std::string directory_ = scratch_ / "corpus";
};

std::vector<int32_t> values(const Tensor& tensor) {
  const auto* data = tensor.as<int32_t>();
  return {data, data + tensor.numel()};
}

TEST(Permutation, VisitsEachIndexOnceForAnySize) {
  for (const int64_t size : {1, 2, 3, 5, 16, 17, 1000, 4097}) {
    const Permutation order(size, 7, 0);
    std::set<int64_t> seen;
    for (int64_t i = 0; i < size; ++i) seen.insert(order(i));
    EXPECT_EQ(static_cast<int64_t>(seen.size()), size);
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), size - 1);
  }
}

TEST(Permutation, LeavesNoTraceOfTheOldOrder) {
  constexpr int64_t kSize = 10000;
  const Permutation order(kSize, 1, 0);
  double correlation = 0;
  int64_t kept_neighbours = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    correlation += (static_cast<double>(i) / kSize - 0.5) * (static_cast<double>(order(i)) / kSize - 0.5);
    if (i > 0 && order(i) == order(i - 1) + 1) ++kept_neighbours;
  }
  EXPECT_NEAR(correlation * 12 / kSize, 0, 0.05);  // five standard errors
  EXPECT_LT(kept_neighbours, 10);                  // one is expected
}

TEST(BatchPlan, ShowsEveryWindowOncePerEpoch) {
  const BatchPlan plan({{.tokens = 1001}}, /*context=*/10, /*batch_sequences=*/4, /*seed=*/3);
  ASSERT_EQ(plan.windows(), 100);
  std::multiset<int64_t> begins;
  for (int64_t step = 0; step < 25; ++step)
    for (int64_t row = 0; row < 4; ++row) {
      EXPECT_EQ(plan.place(step, row).epoch, 0);
      begins.insert(plan.place(step, row).begin);
    }
  std::multiset<int64_t> expected;
  for (int64_t window = 0; window < 100; ++window) expected.insert(window * 10);
  EXPECT_EQ(begins, expected);
  EXPECT_EQ(plan.place(25, 0).epoch, 1);
}

TEST(BatchPlan, StartsANewEpochInTheMiddleOfABatchWhenWindowsDoNotDivide) {
  const BatchPlan plan({{.tokens = 61}}, /*context=*/10, /*batch_sequences=*/4, /*seed=*/3);
  EXPECT_EQ(plan.place(1, 1).epoch, 0);
  EXPECT_EQ(plan.place(1, 2).epoch, 1);
}

TEST(BatchPlan, OrdersSeedsAndEpochsDifferently) {
  const auto order = [](int64_t seed, int64_t epoch) {
    const BatchPlan plan({{.tokens = 1001}}, 10, 100, seed);
    std::vector<int64_t> begins;
    for (int64_t row = 0; row < 100; ++row) begins.push_back(plan.place(epoch, row).begin);
    return begins;
  };
  EXPECT_EQ(order(3, 0), order(3, 0));
  EXPECT_NE(order(3, 0), order(3, 1));
  EXPECT_NE(order(3, 0), order(4, 0));
}

TEST(BatchPlan, RefusesACorpusShorterThanOneSequence) {
  EXPECT_THAT([] { BatchPlan({{.tokens = 10}}, 10, 1, 0); }, ThrowsMessage<ConfigError>(HasSubstr("needs 11")));
}

TEST_F(PreparedCorpusTest, GivesStepKTheSameBatchWhateverWasReadBeforeAndHoweverRowsAreSplit) {
  const Corpus corpus(directory_);
  const BatchPlan plan({{.tokens = corpus.size(false)}}, 16, 6, 1);
  OwnedTensor inputs(DType::i32, {6, 16}), targets(DType::i32, {6, 16});
  fill_batch({&corpus, 1}, plan, 11, 0, inputs, targets);
  const auto whole_inputs = values(inputs), whole_targets = values(targets);
  for (const int64_t ranks : {2, 3}) {
    const int64_t rows = 6 / ranks;
    OwnedTensor part_inputs(DType::i32, {rows, 16}), part_targets(DType::i32, {rows, 16});
    std::vector<int32_t> joined_inputs, joined_targets;
    for (int64_t rank = ranks - 1; rank >= 0; --rank) {
      fill_batch({&corpus, 1}, plan, rank, 0, part_inputs, part_targets);  // something else first
      fill_batch({&corpus, 1}, plan, 11, rank * rows, part_inputs, part_targets);
      const auto in = values(part_inputs), out = values(part_targets);
      joined_inputs.insert(joined_inputs.begin(), in.begin(), in.end());
      joined_targets.insert(joined_targets.begin(), out.begin(), out.end());
    }
    EXPECT_EQ(joined_inputs, whole_inputs);
    EXPECT_EQ(joined_targets, whole_targets);
  }
}

TEST_F(PreparedCorpusTest, MakesTargetsTheInputsShiftedByOne) {
  const Corpus corpus(directory_);
  const BatchPlan plan({{.tokens = corpus.size(false)}}, 16, 1, 1);
  OwnedTensor inputs(DType::i32, {1, 16}), targets(DType::i32, {1, 16});
  fill_batch({&corpus, 1}, plan, 5, 0, inputs, targets);
  std::vector<int32_t> window(17);
  corpus.read(false, plan.place(5, 0).begin, window);
  EXPECT_THAT(values(inputs), ElementsAreArray(window.begin(), window.end() - 1));
  EXPECT_THAT(values(targets), ElementsAreArray(window.begin() + 1, window.end()));
}

TEST_F(PreparedCorpusTest, SaysForEveryTokenWhereItsDocumentBegins) {
  const Corpus corpus(directory_);
  const auto bos = static_cast<int32_t>(corpus.manifest().bos);
  const BatchPlan plan({{.tokens = corpus.size(false)}}, 100, 4, 1);
  OwnedTensor inputs(DType::i32, {4, 100}), targets(DType::i32, {4, 100}), begins(DType::i32, {4, 100});
  int documents = 0;
  const auto expect_begins = [&] {
    const auto in = inputs.tensor().view<int32_t, 2>(), begin = begins.tensor().view<int32_t, 2>();
    for (int64_t row = 0; row < 4; ++row)
      for (int32_t t = 0, last = 0; t < 100; ++t) {
        if (in(row, t) == bos) last = t, ++documents;
        ASSERT_EQ(begin(row, t), last) << row << " " << t;
      }
  };
  for (int64_t step = 0; step < 5; ++step) {
    fill_batch({&corpus, 1}, plan, step, 0, inputs, targets, begins);
    expect_begins();
  }
  fill_validation(corpus, 0, inputs, targets, begins);
  expect_begins();
  EXPECT_GT(documents, 10);
}

TEST_F(PreparedCorpusTest, MakesEveryValidationTokenButTheFirstATargetExactlyOnce) {
  const Corpus corpus(directory_);
  const auto tokens = all_tokens(corpus, true);
  const auto size = static_cast<int64_t>(tokens.size());
  for (const int64_t context : {7L, 64L, size - 1, size, 2 * size}) {
    const int64_t windows = validation_windows(corpus, context);
    OwnedTensor inputs(DType::i32, {3, context}), targets(DType::i32, {3, context});
    std::vector<int32_t> seen;
    for (int64_t window = 0; window < windows; window += 3) {
      fill_validation(corpus, window, inputs, targets);
      for (const int32_t target : values(targets))
        if (target >= 0) seen.push_back(target);
    }
    EXPECT_THAT(seen, ElementsAreArray(tokens.begin() + 1, tokens.end())) << "context " << context;
    fill_validation(corpus, windows, inputs, targets);
    EXPECT_THAT(values(targets), Each(-1));
  }
}

TEST_F(PreparedCorpusTest, BeginsEveryDocumentWithBosAndEndsItWithEos) {
  const Corpus corpus(directory_);
  for (const bool validation : {false, true}) {
    const auto tokens = all_tokens(corpus, validation);
    ASSERT_GT(corpus.documents(validation), 0);
    for (int64_t d = 0; d < corpus.documents(validation); ++d) {
      EXPECT_EQ(tokens[static_cast<size_t>(corpus.document_begin(validation, d))], 256);
      EXPECT_EQ(tokens[static_cast<size_t>(corpus.document_begin(validation, d + 1)) - 1], 257);
    }
    EXPECT_EQ(corpus.document_begin(validation, corpus.documents(validation)), corpus.size(validation));
  }
  EXPECT_EQ(corpus.documents(false) + corpus.documents(true), 200);
}

TEST_F(PreparedCorpusTest, IsRefusedWhenATokenFileWasCutShort) {
  std::filesystem::resize_file(directory_ + "/train.tokens",
                               std::filesystem::file_size(directory_ + "/train.tokens") - 2);
  EXPECT_THAT([&] { Corpus{directory_}; },
              ThrowsMessage<DamagedFile>(AllOf(HasSubstr("train.tokens"), HasSubstr("prepare it again"))));
}

TEST_F(PreparedCorpusTest, IsRefusedWhenItsManifestBelongsToAnother) {
  prepare({.inputs = {scratch_.write("other.jsonl", numbered_documents(200, 1000))},
           .tokenizer = "byte",
           .out = scratch_ / "other",
           .validation_fraction = 0.3});
  std::filesystem::copy_file(scratch_ / "other/train.tokens", directory_ + "/train.tokens",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THROW(Corpus{directory_}, DamagedFile);
}

TEST_F(PreparedCorpusTest, NoticesOneAlteredTokenWhenVerified) {
  const Corpus corpus(directory_);
  corpus.verify();
  std::string content = read_file(directory_ + "/validation.tokens");
  content[1000] = static_cast<char>(content[1000] ^ 1);
  write_file_atomically(directory_ + "/validation.tokens", content);
  EXPECT_THAT([&] { Corpus(directory_).verify(); }, ThrowsMessage<DamagedFile>(HasSubstr("validation.tokens")));
}

TEST(Corpus, SaysHowToMakeOneWhereThereIsNone) {
  EXPECT_THAT([] { Corpus("/nowhere/at/all"); }, ThrowsMessage<ConfigError>(HasSubstr("hybrid-worker data")));
}

}  // namespace
}  // namespace hyscale::data
