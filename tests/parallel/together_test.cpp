#include "parallel/together.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "parallel/commands.h"

namespace hyscale::parallel {
namespace {

/// One rank of two, the other of which is made up: rank 0 has an error and ends with status 2.
class OneOfTwo final : public Collective {
 public:
  explicit OneOfTwo(int rank) : rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return 2; }
  void barrier() override {}
  void broadcast(std::span<std::byte> bytes, int root) override {
    EXPECT_EQ(root, 0);
    said_before_ = testing::internal::GetCapturedStderr();
    const ExitCode code = ExitCode::bad_input;
    if (rank_ != root) std::ranges::copy(std::as_bytes(std::span(&code, 1)), bytes.begin());
  }
  void all_reduce_sum(std::span<float>) override {}
  void all_reduce_sum(std::span<double>) override {}
  void all_reduce_max(std::span<int64_t> values) override { values[0] = 0; }
  void all_reduce_max(std::span<float>) override {}
  void all_reduce_max(std::span<double>) override {}
  void reduce_scatter_sum(std::span<float>) override {}
  void reduce_scatter_sum(std::span<float>, std::span<const size_t>) override {}
  void all_gather(std::span<float>) override {}

  const std::string& said_before() const { return said_before_; }  // the ranks learned how they end

 private:
  int rank_;
  std::string said_before_;
};

ExitCode ending(OneOfTwo& rank, const std::function<void()>& work) {
  testing::internal::CaptureStderr();
  try {
    together(rank, work);
  } catch (const CommandEnded& ended) {
    return ended.code;
  }
  return ExitCode::done;
}

void refuse() {
  throw ConfigError(Problem{.what = "a batch of 8 does not split over 3 ranks", .remedy = "use a divisor"});
}

TEST(Together, SaysTheErrorBeforeAnotherRankCanLeave) {
  OneOfTwo first(0);
  EXPECT_EQ(ending(first, refuse), ExitCode::bad_input);
  EXPECT_EQ(first.said_before(), "hybrid-worker: a batch of 8 does not split over 3 ranks\n  try:     use a divisor\n");
}

TEST(Together, EndsTheOtherRanksInSilenceWithErrorsOfTheirOwnOrWithout) {
  OneOfTwo well(1), failing(1);
  EXPECT_EQ(ending(well, [] {}), ExitCode::bad_input);
  EXPECT_EQ(well.said_before(), "");
  EXPECT_EQ(ending(failing, refuse), ExitCode::bad_input);
  EXPECT_EQ(failing.said_before(), "");
}

}  // namespace
}  // namespace hyscale::parallel
