#include "cluster/slurm_text.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace hyscale::cluster {
namespace {

TEST(SlurmText, ReadsEveryTaskOfAnArrayFromSqueue) {
  const SlurmRecords records = parse_squeue(
      "2|1|CANCELLED|2026-11-23T23:34:50|hyscale-s-1|DependencyNeverSatisfied\n"
      "1|0|RUNNING|2026-11-24T00:34:47|hyscale-s-0|None\n"
      "7|N/A|PENDING|N/A|other|Priority\n"
      "slurm_load_jobs error: something\n");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records.at({2, 1}).state, "CANCELLED");
  EXPECT_EQ(records.at({2, 1}).reason, "DependencyNeverSatisfied");
  EXPECT_GT(records.at({2, 1}).ended, 1.7e9);
  EXPECT_EQ(records.at({1, 0}).reason, "");
  EXPECT_EQ(records.at({1, 0}).name, "hyscale-s-0");
  EXPECT_EQ(records.at({7, 0}).ended, 0);
}

TEST(SlurmText, ReadsStatesAndRangesFromSacct) {
  const SlurmRecords records = parse_sacct(
      "12_3|CANCELLED by 1000|2026-11-24T00:01:02|hyscale-s-0|None|0:0\n"
      "12_[4-5,9%2]|PENDING|Unknown|hyscale-s-0|Priority|0:0\n"
      "13_0|OUT_OF_MEMORY|2026-11-24T00:01:02|hyscale-s-1|None|0:125\n");
  EXPECT_EQ(records.size(), 5u);
  EXPECT_EQ(records.at({12, 3}).state, "CANCELLED");
  EXPECT_EQ(records.at({12, 9}).state, "PENDING");
  EXPECT_EQ(records.at({13, 0}).signal, 125);
}

TEST(SlurmText, AlwaysTellsSacctSinceWhen) {
  for (const auto& argv :
       {sacct_argv(std::vector<std::string>{"a", "b"}, 1.7e9), sacct_argv(std::vector<int64_t>{1, 2}, 1.7e9)})
    EXPECT_NE(std::find_if(argv.begin(), argv.end(), [](const auto& a) { return a.starts_with("--starttime=20"); }),
              argv.end());
}

TEST(SlurmText, FindsTheIdInWhatSbatchSays) {
  EXPECT_EQ(parse_sbatch("12\n"), 12);
  EXPECT_EQ(parse_sbatch("12;cluster\n"), 12);
  EXPECT_EQ(parse_sbatch("Welcome to our cluster\n345\n"), 345);
  EXPECT_EQ(parse_sbatch("sbatch: error\n"), std::nullopt);
}

TEST(SlurmText, ReadsTheClustersLimits) {
  const SlurmCluster cluster = parse_config(
      "AccountingStorageType   = accounting_storage/slurmdbd\nClusterName             = fake\n"
      "MaxArraySize            = 2001\nBOOT_TIME               = 2026-11-24T00:01:02\n");
  EXPECT_EQ(cluster.name, "fake");
  EXPECT_EQ(cluster.max_array_size, 2001);
  EXPECT_TRUE(cluster.accounting);
  EXPECT_GT(cluster.started, 1.7e9);
  EXPECT_EQ(parse_config("").started, 0);
  EXPECT_FALSE(parse_config("AccountingStorageType = accounting_storage/none\n").accounting);
}

TEST(SlurmText, WritesIndicesAsRangesAndReadsThemBack) {
  EXPECT_EQ(to_ranges({0, 1, 2, 4, 7, 8}), "0-2,4,7-8");
  EXPECT_EQ(parse_ranges("0-2,4,7-8%3"), (std::vector<int64_t>{0, 1, 2, 4, 7, 8}));
  EXPECT_EQ(parse_ranges("3-x"), std::nullopt);
}

TEST(SlurmText, NamesEachKindOfPmiOnce) {
  EXPECT_EQ(parse_mpi_list("MPI plugin types are...\n\tpmix\n\tnone\n\tpmi2\nspecific pmix plugin versions "
                           "available: pmix_v4\n"),
            (std::vector<std::string>{"pmix", "pmi2", "pmix_v4"}));
}

}  // namespace
}  // namespace hyscale::cluster
