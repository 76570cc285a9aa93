#include "cluster/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <unistd.h>

#include "tests/support/scratch.h"

namespace hyscale::cluster {
namespace {

using Level = Finding::Level;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kGoodComm =
    R"({"ranks": 2, "correct": true, "library": "Open MPI v4.1.4", "latency_microseconds": 3})";
constexpr const char* kConfig =
    "Configuration data as of 2026-01-01T00:00:00\n"
    "AccountingStorageType   = accounting_storage/slurmdbd\n"
    "MaxArraySize            = 1001\nMaxJobCount             = 10000\nSLURM_VERSION           = 22.05.8\n";

/// A place where everything works, until a test takes something away.
class PreflightTest : public testing::Test {
 protected:
  PreflightTest() {
    says("worker --version", "hybrid-worker 0.1.0");
    says("mpirun --version", "mpirun (Open MPI) 4.1.4");
    says("mpirun -n", kGoodComm);
    says("nvidia-smi", "GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA H200 (UUID: GPU-2)\n");
    says("scontrol", kConfig);
    says("sinfo", "main|1-00:00:00|up|gpu:h200:8\nshort|30:00|up|(null)\nold|infinite|down|(null)\n");
    says("sacct", "");
    says("srun", "MPI plugin types are...\n\tnone\n\tpmix\n");
    probe_.free_bytes = 1ull << 40;
    probe_.free_files = 1 << 20;
    probe_.write_seconds = 0.001;
    needs_ = {.worker = "worker", .store = "/store"};
  }
  void says(const std::string& command, const std::string& out, int exit_code = 0) {
    answers_[command] = {.exit_code = exit_code, .out = out, .err = ""};
  }
  void is_missing(const std::string& command) { says(command, "", 127); }

  std::vector<Finding> look() {
    const Site site{.run = [this](const std::vector<std::string>& argv, const CommandOptions&) -> CommandOutput {
                      std::string line;
                      for (const std::string& word : argv) line += (line.empty() ? "" : " ") + word;
                      for (const auto& [command, answer] : answers_)
                        if (line.starts_with(command)) return answer;
                      return {.exit_code = 127};
                    },
                    .probe = [this](const std::string&) { return probe_; }};
    return preflight(site, needs_);
  }
  Finding finding(const std::string& check) {
    for (const Finding& found : look())
      if (found.check == check) return found;
    ADD_FAILURE() << "nothing was found about " << check;
    return {};
  }
  void expect(const std::string& check, Level level, const std::string& what, const std::string& remedy) {
    const Finding found = finding(check);
    EXPECT_EQ(to_string(found.level), to_string(level)) << found.what;
    EXPECT_THAT(found.what, HasSubstr(what));
    EXPECT_THAT(found.remedy, HasSubstr(remedy));
  }

  std::map<std::string, CommandOutput> answers_;
  StoreProbe probe_;
  Needs needs_;
};

TEST_F(PreflightTest, FindsEverythingGoodWhereItIs) {
  needs_ = {.worker = "worker",
            .ranks = 2,
            .gpus = true,
            .gpus_per_run = 2,
            .slurm = true,
            .partition = "main",
            .seconds = 7200,
            .runs = 100,
            .bytes = 1 << 30};
  for (const Finding& found : look()) {
    EXPECT_EQ(found.level, Level::good) << found.check << ": " << found.what;
    EXPECT_THAT(found.remedy, IsEmpty());
  }
}

TEST_F(PreflightTest, NamesAWorkerThatDoesNotStart) {
  is_missing("worker --version");
  expect("worker", Level::failure, "does not start", "HYSCALE_WORKER");
}

TEST_F(PreflightTest, NeedsMpiOnlyForRunsOfSeveralRanks) {
  is_missing("mpirun --version");
  expect("mpi", Level::note, "no mpirun", "");
  needs_.ranks = 2;
  expect("mpi", Level::failure, "no mpirun", "install OpenMPI");
}

TEST_F(PreflightTest, SaysWhyMpiDoesNotLaunch) {
  says("mpirun -n", "There are not enough slots available in the system", 1);
  expect("mpi", Level::warning, "not enough slots", "oversubscribe");
  needs_.ranks = 2;
  says("mpirun -n", "mpirun has detected an attempt to run as root.", 1);
  expect("mpi", Level::failure, "as root", "OMPI_ALLOW_RUN_AS_ROOT");
  says("mpirun -n", "worker: error while loading shared libraries: libmpi.so.40", 127);
  expect("mpi", Level::failure, "libmpi.so.40", "LD_LIBRARY_PATH");
}

TEST_F(PreflightTest, NoticesRanksThatDoNotSeeEachOther) {
  needs_.ranks = 2;
  says("mpirun -n", R"({"ranks": 1, "correct": true})");
  expect("mpi", Level::failure, "do not see each other", "was built with");
  says("mpirun -n", "no JSON at all");
  expect("mpi", Level::failure, "do not see each other", "was built with");
}

TEST_F(PreflightTest, NoticesACollectiveThatAddsUpWrong) {
  needs_.ranks = 2;
  says("mpirun -n", R"({"ranks": 2, "correct": false})");
  expect("mpi", Level::failure, "sums are wrong", "OMPI_MCA");
}

TEST_F(PreflightTest, NeedsGpusOnlyWhereRunsDo) {
  is_missing("nvidia-smi");
  expect("gpus", Level::note, "no GPU", "");
  needs_.gpus = true;
  expect("gpus", Level::failure, "no GPU", "driver");
  needs_.slurm = true;
  expect("gpus", Level::note, "no GPU", "");
}

TEST_F(PreflightTest, NoticesADriverThatDoesNotAnswerAndTooFewGpus) {
  needs_.gpus = true, needs_.gpus_per_run = 4;
  expect("gpus", Level::failure, "asks for 4 GPUs, this machine has 2", "resources.gpus");
  says("nvidia-smi", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9);
  expect("gpus", Level::failure, "couldn't communicate", "driver is loaded");
}

TEST_F(PreflightTest, NoticesAStoreThatCannotBeWritten) {
  probe_.problem = "cannot write /store: Permission denied";
  expect("store", Level::failure, "Permission denied", "--store");
}

TEST_F(PreflightTest, NoticesAClockThatIsOff) {
  probe_.skew_seconds = -5;
  expect("clock", Level::warning, "5.00 s", "chrony");
  probe_.skew_seconds = 20;
  expect("clock", Level::failure, "20.00 s", "chrony");
}

TEST_F(PreflightTest, NoticesLocksThatDoNotExclude) {
  probe_.flock_excludes = false;
  expect("locks", Level::failure, "flock", "nolock");
  probe_.flock_excludes = true, probe_.record_excludes = false;
  expect("locks", Level::failure, "fcntl", "nolock");
}

TEST_F(PreflightTest, NoticesASlowFileSystem) {
  probe_.write_seconds = 0.4;
  expect("latency", Level::warning, "400.0 ms", "faster");
}

TEST_F(PreflightTest, WeighsTheSpaceAgainstWhatTheRunsLeave) {
  probe_.free_bytes = 1 << 20;
  expect("disk", Level::warning, "free", "checkpoints");
  probe_.free_bytes = 10ull << 30, needs_.bytes = 20ull << 30;
  expect("disk", Level::failure, "20.0 GiB", "study gc");
  needs_.bytes = 1;
  probe_.free_files = 100, needs_.runs = 1000;
  expect("disk", Level::failure, "free", "--store");
}

TEST_F(PreflightTest, NeedsSlurmOnlyWhereRunsGoThere) {
  is_missing("scontrol");
  expect("slurm", Level::note, "not here", "");
  needs_.slurm = true;
  expect("slurm", Level::failure, "not here", "login node");
  answers_["scontrol"] = {
      .exit_code = 1, .out = "", .err = "slurm_load_ctl_conf error: Unable to contact slurm controller"};
  expect("slurm", Level::failure, "Unable to contact", "scontrol ping");
}

TEST_F(PreflightTest, ChecksThePartitionItsStateItsTimeLimitAndItsGpus) {
  needs_.slurm = true, needs_.partition = "nowhere";
  expect("partition", Level::failure, "'nowhere'", "main, short, old");
  needs_.partition = "old";
  expect("partition", Level::failure, "not up", "another");
  needs_.partition = "short", needs_.seconds = 3600;
  expect("partition", Level::failure, "more time", "resources.time");
  needs_.seconds = 60, needs_.gpus = true;
  expect("partition", Level::failure, "no GPUs in: short", "slurm.partition");
}

TEST_F(PreflightTest, KnowsThatAnyOfSeveralPartitionsMayTakeTheRuns) {
  needs_.slurm = true, needs_.partition = "short,main", needs_.seconds = 3600;
  expect("partition", Level::good, "main", "");
  needs_.partition = "main,nowhere";
  expect("partition", Level::failure, "'nowhere'", "main, short, old");
}

TEST_F(PreflightTest, WarnsOfLimitsOfTheClusterThatTheStudyMeets) {
  needs_.slurm = true, needs_.runs = 20'000;
  expect("slurm limits", Level::warning, "MaxJobCount 10000", "throttle");
  says("scontrol", "MaxArraySize = 0\nMaxJobCount = 10\n");
  expect("slurm limits", Level::failure, "MaxArraySize 0", "arrays");
}

TEST_F(PreflightTest, SaysWhetherAccountingIsOnAndAnswers) {
  says("sacct", "", 1);
  expect("accounting", Level::warning, "does not answer", "nothing fails");
  says("scontrol", "AccountingStorageType = accounting_storage/none\nMaxArraySize = 1001\nMaxJobCount = 10000\n");
  expect("accounting", Level::note, "off", "nothing fails");
}

TEST_F(PreflightTest, SaysWhenSrunCannotStartRanks) {
  needs_.slurm = true, needs_.ranks = 4;
  says("srun", "none\npmi2\n");
  expect("slurm mpi", Level::note, "no PMIx", "mpirun");
  needs_.mpi = {"srun", "--mpi=pmix"};
  expect("slurm mpi", Level::failure, "no PMIx", "mpirun");
}

TEST_F(PreflightTest, NeverFailsForAClusterThatIsNotAskedFor) {
  says("scontrol", "MaxArraySize = 0\n");
  needs_.partition = "nowhere";
  for (const Finding& found : look()) EXPECT_NE(found.level, Level::failure) << found.check << ": " << found.what;
}

TEST(SlurmTimes, AreReadInAllTheirForms) {
  EXPECT_EQ(slurm_seconds("90"), 5400);
  EXPECT_EQ(slurm_seconds("30:00"), 1800);
  EXPECT_EQ(slurm_seconds("02:00:00"), 7200);
  EXPECT_EQ(slurm_seconds("1-12"), 36 * 3600);
  EXPECT_EQ(slurm_seconds("2-00:30:00"), 2 * 86400 + 1800);
  for (const char* none : {"infinite", "n/a", "", "UNLIMITED"}) EXPECT_EQ(slurm_seconds(none), 0) << none;
}

TEST(StoreProbe, MeasuresARealDirectoryAndLeavesNothingBehind) {
  const tests::ScratchDirectory scratch;
  const StoreProbe probe = probe_store(scratch.path());
  EXPECT_EQ(probe.problem, "");
  EXPECT_TRUE(probe.flock_excludes);
  EXPECT_TRUE(probe.record_excludes);
  EXPECT_GT(probe.write_seconds, 0);
  EXPECT_GT(probe.free_bytes, 0u);
  EXPECT_THAT(scratch.entries(), IsEmpty());
}

TEST(StoreProbe, SaysWhyAStoreCannotBeWritten) {
  const tests::ScratchDirectory scratch;
  scratch.write("file", "in the way");
  EXPECT_THAT(probe_store(scratch / "file/store").problem, Not(IsEmpty()));
}

}  // namespace
}  // namespace hyscale::cluster
