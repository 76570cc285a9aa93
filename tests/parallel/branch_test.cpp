#include <filesystem>
#include <gmock/gmock.h>

#include "core/base/files.h"
#include "storage/files/checkpoint.h"
#include "tests/parallel/worker_process.h"

namespace hyscale::parallel {
namespace {

using storage::RunDirectory;
using ::testing::HasSubstr;

const std::vector<std::string> kBranch{"--set", "train.tokens=71680", "--set", "train.schedule.cooldown_tokens=20480"};

std::vector<std::string> branch(std::vector<std::string> more) {
  more.insert(more.end(), kBranch.begin(), kBranch.end());
  return more;
}

TEST(Branch, IsTheStandAloneRunBitForBit) {
  const Workshop shop;
  const RunDirectory trunk{shop.out("trunk")}, alone{shop.out("alone")}, off{shop.out("branch")};
  // the micro-batch is another than the default: the branch takes it over
  ASSERT_EQ(
      shop.run(shop.train("trunk", {"--checkpoint-at", "51200", "--checkpoint-every", "30", "--micro-batch", "4"}))
          .status,
      0);
  ASSERT_EQ(shop.run(shop.train("alone", branch({"--micro-batch", "4"}))).status, 0);
  const std::string point = storage::checkpoint_path(trunk, 100);
  const Outcome made = shop.run(shop.train("branch", branch({"--from", point})));
  ASSERT_EQ(made.status, 0) << made.said;
  EXPECT_THAT(made.said, HasSubstr("begins after step 100 of the trunk"));
  expect_same_curve(alone, off);
  expect_same_checkpoint(alone, off, 140);
}

TEST(Branch, RefusesATrunkThatDiffersAndNamesTheField) {
  const Workshop shop;
  const RunDirectory trunk{shop.out("trunk")};
  ASSERT_EQ(shop.run(shop.train("trunk", {"--checkpoint-at", "51200,97280"})).status, 0);
  const std::string point = storage::checkpoint_path(trunk, 100);
  const Outcome other = shop.run(shop.train("a", branch({"--from", point, "--set", "train.optimizer.lr=2e-3"})));
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.said, HasSubstr("train.optimizer.lr is 0.001 there and 0.002 here"));
  const Outcome late =
      shop.run(shop.train("b", {"--from", storage::checkpoint_path(trunk, 190), "--set", "train.tokens=204800"}));
  EXPECT_EQ(late.status, 2);
  EXPECT_THAT(late.said, HasSubstr("at step 162 the learning rate was"));
  const Outcome beyond =
      shop.run(shop.train("c", {"--from", storage::checkpoint_path(trunk, 190), "--set", "train.tokens=51200"}));
  EXPECT_EQ(beyond.status, 2);
  EXPECT_THAT(beyond.said, HasSubstr("beyond the end"));
}

TEST(Branch, RefusedLeavesNothingBehindSoThatASecondTryWorks) {
  const Workshop shop;
  const RunDirectory trunk{shop.out("trunk")}, off{shop.out("branch")};
  ASSERT_EQ(shop.run(shop.train("trunk", {"--checkpoint-at", "51200"})).status, 0);
  const std::string point = storage::checkpoint_path(trunk, 100);
  const Outcome missing = shop.run(shop.train("branch", branch({"--from", shop.path("nowhere.h5")})));
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.said, HasSubstr("there is no such checkpoint"));
  std::string torn = read_file(point);
  torn[torn.size() / 2] ^= 1;
  write_file_atomically(shop.path("torn.h5"), torn);
  const Outcome damaged = shop.run(shop.train("branch", branch({"--from", shop.path("torn.h5")})));
  EXPECT_EQ(damaged.status, 2);
  EXPECT_THAT(damaged.said, HasSubstr("torn.h5"));
  EXPECT_FALSE(std::filesystem::exists(off.path));
  const Outcome made = shop.run(shop.train("branch", branch({"--from", point})));
  EXPECT_EQ(made.status, 0) << made.said;
}

}  // namespace
}  // namespace hyscale::parallel
