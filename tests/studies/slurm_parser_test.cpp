#include <gmock/gmock.h>

#include "core/base/error.h"
#include "tests/studies/study_fixture.h"

namespace hyscale::studies {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class SlurmSection : public StudyFixture {
 protected:
  SlurmSpec slurm(const std::string& section) {
    study_ += "slurm: " + section + "\n";
    return read().slurm.value();
  }
  std::string refusal(const std::string& section) {
    const std::string before = study_;
    std::string words;
    try {
      slurm(section);
    } catch (const ConfigError& e) {
      words = e.what();
    }
    study_ = before;
    return words;
  }
};

TEST_F(SlurmSection, ReadsEveryKey) {
  const SlurmSpec s =
      slurm(R"({partition: "gpu,long", account: lab@site, qos: high, constraint: "a100&ib", time: "120:00:00",
  signal_seconds: 90, nodes: 2, gpu_type: h200, mpi: srun, pack: 4, extra: ["--mem=8G", "--exclusive"],
  modules: [openmpi/4.1], container: [apptainer, exec, /images/my image.sif], prologue: "ulimit -c 0\nexport A='b c'",
  throttle: {runs: 64, gpus: 32}, report: false, report_partition: cpu})");
  EXPECT_EQ(s.partition, "gpu,long");
  EXPECT_EQ(s.account, "lab@site");
  EXPECT_EQ(s.constraint, "a100&ib");
  EXPECT_EQ(s.time, "120:00:00");
  EXPECT_EQ(s.signal_seconds, 90);
  EXPECT_EQ(s.mpi, "srun");
  EXPECT_THAT(s.extra, ElementsAre("--mem=8G", "--exclusive"));
  EXPECT_THAT(s.container, ElementsAre("apptainer", "exec", "/images/my image.sif"));
  EXPECT_THAT(s.prologue, ElementsAre("ulimit -c 0", "export A='b c'"));
  EXPECT_EQ(s.throttle_gpus, 32);
  EXPECT_FALSE(s.report);
  EXPECT_EQ(s.report_partition, "cpu");
}

TEST_F(SlurmSection, IsNotThereUnlessItIsWritten) {
  EXPECT_FALSE(read().slurm.has_value());
  EXPECT_TRUE(slurm("{partition: main}").report) << "a report is written unless somebody says no";
}

TEST_F(SlurmSection, RefusesWhatABatchScriptOrAShellWouldReadOtherwise) {
  for (const char* section :
       {"{partition: 'gpu; rm -rf /'}", "{account: '$(id)'}", "{qos: 'a b'}", "{partition: '--uid=0'}",
        "{constraint: \"a\\nb\"}", "{gpu_type: 'h200:8 --x'}", "{report_partition: '`id`'}", "{modules: ['a; b']}",
        "{extra: ['--comment=a b']}", "{extra: ['mem=8G']}"})
    EXPECT_THAT(refusal(section), HasSubstr("study.yaml:")) << section;
}

TEST_F(SlurmSection, RefusesOptionsThatTheStudySetsItself) {
  for (const char* option : {"--array=0-9", "--no-requeue", "--signal=B:TERM@5", "--time=1", "--wrap=x"})
    EXPECT_THAT(refusal(std::string("{extra: [\"") + option + "\"]}"), HasSubstr("set by the study itself")) << option;
}

TEST_F(SlurmSection, RefusesTimesOtherThanHoursMinutesSeconds) {
  for (const char* time : {"90", "1-00:00:00", "02:60:00", "2:00", "aa:00:00"})
    EXPECT_THAT(refusal(std::string("{time: \"") + time + "\"}"), HasSubstr("no time limit")) << time;
}

TEST_F(SlurmSection, NamesEveryViolationAtOnce) {
  EXPECT_THAT(refusal("{partition: \"a b\", mpi: prun, nodes: 0, throttel: {runs: 1}}"),
              AllOf(HasSubstr("partition"), HasSubstr("mpi"), HasSubstr("nodes"), HasSubstr("throttel")));
}

}  // namespace hyscale::studies
