#include "core/mixers/past.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/spec/accounting.h"
#include "tests/model/stacks.h"

namespace hyscale::model::tests {
namespace {

/// A model that goes on token by token, in pieces, or with sequences of unequal length, against its own forward pass.
class EveryStackGoesOn : public ::testing::TestWithParam<Stack> {
 protected:
  static constexpr int64_t kSequences = 3, kLength = 23;  // past the training length, 16

  /// Logits spread like a trained model's.
  EveryStackGoesOn() {
    model_.parameters().initialise(5);
    const Tensor embedding = model_.parameters().at("embedding.weight").weight;
    const auto rows = embedding.view<float, 2>();
    for (int64_t v = 0; v < rows.extent(0); ++v)
      for (int64_t i = 0; i < rows.extent(1); ++i) rows(v, i) *= 15;
  }

  int64_t vocabulary() const { return GetParam().config.vocabulary; }
  OwnedTensor whole_logits() {
    OwnedTensor logits(DType::f32, {kSequences * kLength, vocabulary()});
    model_.logits(TokenBatch{.inputs = batch_.inputs, .targets = batch_.targets}, logits);
    return logits;
  }
  /// Tokens [begin, begin + count) of sequences [first, first + sequences), dense.
  OwnedTensor tokens(int64_t first, int64_t sequences, int64_t begin, int64_t count) const {
    OwnedTensor piece(DType::i32, {sequences, count});
    const auto all = batch_.inputs.tensor().view<const int32_t, 2>();
    for (int64_t s = 0; s < sequences; ++s)
      for (int64_t t = 0; t < count; ++t) piece.tensor().view<int32_t, 2>()(s, t) = all(first + s, begin + t);
    return piece;
  }
  void expect_row(const Tensor& logits, int64_t row, const Tensor& whole, int64_t sequence, int64_t position) const {
    const auto got = logits.view<const float, 2>(), want = whole.view<const float, 2>();
    for (int64_t v = 0; v < vocabulary(); ++v)
      ASSERT_NEAR(got(row, v), want(sequence * kLength + position, v), 1e-4)
          << "sequence " << sequence << ", position " << position << ", token " << v;
  }
  /// Goes on with pieces of `length` tokens and compares every logit.
  void expect_in_pieces_of(int64_t length) {
    const OwnedTensor whole = whole_logits();
    Past past(kSequences, kLength);
    for (int64_t begin = 0; begin < kLength; begin += length) {
      const int64_t count = std::min(length, kLength - begin);
      OwnedTensor logits(DType::f32, {kSequences * count, vocabulary()});
      model_.go_on(tokens(0, kSequences, begin, count), past, 0, logits);
      for (int64_t s = 0; s < kSequences; ++s)
        for (int64_t t = 0; t < count; ++t) expect_row(logits, s * count + t, whole, s, begin + t);
    }
    EXPECT_EQ(past.length(0), kLength);
  }

  Model model_{GetParam().config, DType::f32};
  Batch batch_{kSequences, kLength, GetParam().config.vocabulary, 3};
};

TEST_P(EveryStackGoesOn, TokenByTokenAsInOnePass) { expect_in_pieces_of(1); }

TEST_P(EveryStackGoesOn, InPiecesAsInOnePass) {
  expect_in_pieces_of(7);
  expect_in_pieces_of(kLength);
}

TEST_P(EveryStackGoesOn, WithSequencesOfUnequalLength) {
  const OwnedTensor whole = whole_logits();
  Past past(kSequences, kLength);
  const std::vector<int64_t> prompts{9, 2, 5};
  for (int64_t s = 0; s < kSequences; ++s) {
    OwnedTensor last(DType::f32, {1, vocabulary()});
    model_.go_on(tokens(s, 1, 0, prompts[static_cast<size_t>(s)]), past, s, last);
    expect_row(last, 0, whole, s, past.length(s) - 1);
  }
  for (int step = 0; step < 12; ++step) {
    OwnedTensor next(DType::i32, {kSequences, 1}), logits(DType::f32, {kSequences, vocabulary()});
    for (int64_t s = 0; s < kSequences; ++s)
      next.tensor().view<int32_t, 2>()(s, 0) = batch_.inputs.tensor().view<const int32_t, 2>()(s, past.length(s));
    model_.go_on(next, past, 0, logits);
    for (int64_t s = 0; s < kSequences; ++s) expect_row(logits, s, whole, s, past.length(s) - 1);
  }
}

TEST_P(EveryStackGoesOn, HoldsWhatTheAccountingSays) {
  Past past(kSequences, kLength);
  OwnedTensor logits(DType::f32, {kSequences, vocabulary()});
  model_.go_on(tokens(0, kSequences, 0, 1), past, 0, logits);
  const spec::Account account = spec::account(GetParam().config, kLength);
  EXPECT_EQ(static_cast<double>(past.bytes()), kSequences * account.cache_bytes_per_sequence.actual);
}

TEST_P(EveryStackGoesOn, BeginsAnewWhenCleared) {
  Past past(kSequences, kLength);
  OwnedTensor first(DType::f32, {kSequences, vocabulary()}), again(DType::f32, {kSequences, vocabulary()});
  model_.go_on(tokens(0, kSequences, 0, 6), past, 0, first);
  past.clear();
  model_.go_on(tokens(0, kSequences, 0, 6), past, 0, again);
  for (int64_t s = 0; s < kSequences; ++s)
    for (int64_t v = 0; v < vocabulary(); ++v)
      EXPECT_EQ((first.tensor().view<const float, 2>()(s, v)), (again.tensor().view<const float, 2>()(s, v)));
}

INSTANTIATE_TEST_SUITE_P(Stacks, EveryStackGoesOn, ::testing::ValuesIn(stacks()),
                         [](const auto& instance) { return instance.param.name; });

TEST(GoingOn, RefusesMoreTokensThanTheCacheHolds) {
  const Stack stack = stacks().front();
  Model model(stack.config, DType::f32);
  model.parameters().initialise(5);
  Past past(1, 4);
  OwnedTensor tokens(DType::i32, {1, 5}), logits(DType::f32, {1, stack.config.vocabulary});
  EXPECT_THROW(model.go_on(tokens, past, 0, logits), ConfigError);
  EXPECT_EQ(past.length(0), 0);
}

}  // namespace
}  // namespace hyscale::model::tests
