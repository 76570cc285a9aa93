#include "storage/files/run_directory.h"

#include <cmath>
#include <gmock/gmock.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/storage/flip_bit.h"
#include "tests/support/scratch.h"

namespace hyscale::storage {
namespace {

using ::testing::HasSubstr;
using tests::ScratchDirectory;

RunRecord a_record() {
  RunRecord record{.run_id = "abc", .run_yaml = "format: hyscale.run/1\n", .steps = {}, .evals = {}, .provenance = {}};
  for (int64_t step = 1; step <= 100; ++step)
    record.steps.push_back({step, step * 512, 5.0 / static_cast<double>(step) + 1e-17, 3e-3, 1.0 / 3.0, 0.004});
  record.steps.back().loss = std::nan("");
  record.evals = {{50, 25600, 1.25, 1.8, 0.01}, {100, 51200, 1.0 / 7.0, 1.7, 0.02}};
  record.provenance = {{"commit", "1a2b"}, {"empty", ""}};
  return record;
}

TEST(RunRecord, ComesBackBitForBit) {
  const ScratchDirectory dir;
  const RunRecord written = a_record();
  write_run_record(dir / "run.h5", written);
  const RunRecord read = read_run_record(dir / "run.h5");
  EXPECT_EQ(read.run_id, written.run_id);
  EXPECT_EQ(read.run_yaml, written.run_yaml);
  EXPECT_EQ(read.provenance, written.provenance);
  ASSERT_EQ(read.steps.size(), written.steps.size());
  for (size_t i = 0; i + 1 < read.steps.size(); ++i) {
    EXPECT_EQ(read.steps[i].loss, written.steps[i].loss);
    EXPECT_EQ(read.steps[i].tokens, written.steps[i].tokens);
  }
  EXPECT_TRUE(std::isnan(read.steps.back().loss));
  ASSERT_EQ(read.evals.size(), 2u);
  EXPECT_EQ(read.evals[1].loss, 1.0 / 7.0);
}

TEST(RunRecord, KeepsTheLossesOfAMixturesCorpora) {
  const ScratchDirectory dir;
  RunRecord written = a_record();
  for (EvalRow& row : written.evals) row.corpora = {{"books", row.loss + 1, 2, 0.5}, {"code", 2, std::nan(""), 0.25}};
  write_run_record(dir / "run.h5", written);
  const RunRecord read = read_run_record(dir / "run.h5");
  ASSERT_EQ(read.evals.size(), 2u);
  ASSERT_EQ(read.evals[0].corpora.size(), 2u);
  EXPECT_EQ(read.evals[0].corpora[0].loss, 2.25);
  EXPECT_EQ(read.evals[1].corpora[0].loss, 1.0 / 7.0 + 1);
  EXPECT_EQ(read.evals[1].corpora[1].corpus, "code");
  EXPECT_TRUE(std::isnan(read.evals[1].corpora[1].bits_per_byte));
  EXPECT_EQ(read.evals[1].corpora[1].standard_error, 0.25);
}

TEST(RunRecord, WithoutAnyRowComesBackEmpty) {
  const ScratchDirectory dir;
  write_run_record(dir / "run.h5", {});
  EXPECT_TRUE(read_run_record(dir / "run.h5").steps.empty());
}

TEST(RunRecord, NamesTheColumnWhoseBytesWereAltered) {
  const ScratchDirectory dir;
  const std::string path = dir / "run.h5";
  write_run_record(path, a_record());
  const std::string content = read_file(path);
  const double needle = a_record().steps[40].loss;
  const size_t at = content.find(std::string(reinterpret_cast<const char*>(&needle), sizeof(needle)));
  ASSERT_NE(at, std::string::npos);
  flip_bit(path, at);
  try {
    read_run_record(path);
    FAIL() << "an altered loss was not noticed";
  } catch (const DamagedFile& e) {
    EXPECT_THAT(e.what(), HasSubstr(path));
    EXPECT_THAT(e.what(), HasSubstr("/steps/loss"));
  }
}

TEST(RunRecord, NoticesAFlippedBitWhereverItIs) {
  const ScratchDirectory dir;
  const std::string path = dir / "run.h5";
  write_run_record(path, a_record());
  const size_t bytes = std::filesystem::file_size(path);
  for (size_t at = 0; at < bytes; at += 61) {
    flip_bit(path, at, static_cast<int>(at % 8));
    EXPECT_THROW(read_run_record(path), DamagedFile) << "byte " << at;
    flip_bit(path, at, static_cast<int>(at % 8));
  }
  EXPECT_NO_THROW(read_run_record(path));
}

TEST(RunRecord, NoticesEveryLengthItWasCutTo) {
  const ScratchDirectory dir;
  const std::string path = dir / "run.h5";
  write_run_record(path, a_record());
  for (size_t bytes = std::filesystem::file_size(path); bytes > 97; bytes -= 97) {
    std::filesystem::resize_file(path, bytes - 1);
    EXPECT_THROW(read_run_record(path), DamagedFile) << bytes - 1 << " bytes";
  }
}

TEST(RunStatus, ComesBackAndIsAbsentBeforeTheFirstWriting) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  EXPECT_FALSE(read_status(run).has_value());
  RunStatus status{
      .run_id = "abc", .state = WorkerState::stopped, .step = 7, .host = "here", .message = "asked \"to\""};
  status.loss = std::nan("");
  status.exit_code = 75;
  status.peak_memory_bytes = 123'456'789'012;
  write_status(run, status);
  const RunStatus read = read_status(run).value();
  EXPECT_EQ(read.state, WorkerState::stopped);
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.exit_code, 75);
  EXPECT_EQ(read.peak_memory_bytes, status.peak_memory_bytes);
  EXPECT_EQ(read.message, status.message);
  EXPECT_TRUE(std::isnan(read.loss));
}

TEST(RunStatus, ThatIsNoJsonIsReportedAsDamaged) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  for (const char* content : {"", "{", "{\"state\": \"asleep\"}", "[]"}) {
    write_file_atomically(run.status_json(), content);
    EXPECT_THROW(read_status(run), DamagedFile) << content;
  }
}

}  // namespace
}  // namespace hyscale::storage
