#include "storage/files/journal.h"

#include <cmath>
#include <fstream>
#include <gmock/gmock.h>

#include "core/base/files.h"
#include "storage/files/curve.h"
#include "tests/storage/flip_bit.h"
#include "tests/support/scratch.h"

namespace hyscale::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::ScratchDirectory;

StepRow row(int64_t step, double loss = 0) {
  return {step, step * 512, loss == 0 ? 1.0 / static_cast<double>(step) : loss, 1e-3 / 3, 2.0 / 7, 0.004};
}

void write_attempt(const RunDirectory& run, int attempt, int64_t from, int64_t until, double loss = 0) {
  Journal journal(run.journal());
  journal.begin_attempt(attempt, from);
  for (int64_t step = from + 1; step <= until; ++step) journal.add(row(step, loss));
  journal.sync();
}

size_t line_start(const std::string& text, int line) {
  size_t at = 0;
  for (int i = 1; i < line; ++i) at = text.find('\n', at) + 1;
  return at;
}

TEST(Journal, GivesRowsBackBitForBit) {
  const ScratchDirectory dir;
  {
    Journal journal(dir / "journal");
    journal.begin_attempt(1, 0);
    journal.add(row(1, 0.1 + 0.2));
    journal.add(row(2, std::nan("")));
    journal.add(EvalRow{2, 1024, 1.0 / 3, 5e-324, 1e300});
    journal.flush();
  }
  const JournalContent content = read_journal(dir / "journal");
  EXPECT_THAT(content.damage, IsEmpty());
  ASSERT_THAT(content.attempts, SizeIs(1));
  ASSERT_THAT(content.attempts[0].steps, SizeIs(2));
  EXPECT_EQ(content.attempts[0].steps[0].loss, 0.1 + 0.2);
  EXPECT_EQ(content.attempts[0].steps[0].grad_norm, 2.0 / 7);
  EXPECT_TRUE(std::isnan(content.attempts[0].steps[1].loss));
  EXPECT_EQ(content.attempts[0].evals[0].bits_per_byte, 5e-324);
}

TEST(Journal, KeepsTheLossesOfAMixturesCorpora) {
  const ScratchDirectory dir;
  {
    Journal journal(dir / "journal");
    journal.begin_attempt(1, 0);
    journal.add(
        EvalRow{2, 1024, 1.5, std::nan(""), 0.1, {{"\"odd\" name", 1.25, 2, 0.5}, {"b", 2, std::nan(""), 0.25}}});
    journal.add(EvalRow{3, 2048, 1.5, 1, 0.1});
    journal.flush();
  }
  const JournalContent content = read_journal(dir / "journal");
  ASSERT_THAT(content.attempts, SizeIs(1));
  ASSERT_THAT(content.attempts[0].evals, SizeIs(2));
  const EvalRow& eval = content.attempts[0].evals[0];
  EXPECT_TRUE(std::isnan(eval.bits_per_byte));
  ASSERT_THAT(eval.corpora, SizeIs(2));
  EXPECT_EQ(eval.corpora[0].corpus, "\"odd\" name");
  EXPECT_EQ(eval.corpora[0].loss, 1.25);
  EXPECT_TRUE(std::isnan(eval.corpora[1].bits_per_byte));
  EXPECT_EQ(eval.corpora[1].standard_error, 0.25);
  EXPECT_THAT(content.attempts[0].evals[1].corpora, IsEmpty());
}

TEST(Journal, WithATornTailKeepsTheWholeLinesAndSaysSo) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  write_attempt(run, 1, 0, 10);
  const std::string whole = read_file(run.journal());
  for (size_t cut = 1; cut < 60; cut += 7) {
    std::ofstream(run.journal(), std::ios::trunc) << whole.substr(0, whole.size() - cut);
    const JournalContent content = read_journal(run.journal());
    ASSERT_THAT(content.damage, SizeIs(1)) << cut;
    EXPECT_THAT(content.damage[0], HasSubstr("torn"));
    EXPECT_THAT(content.attempts[0].steps, SizeIs(9));
  }
}

TEST(Journal, CutsATornTailOffBeforeItWritesOn) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  write_attempt(run, 1, 0, 10);
  std::ofstream(run.journal(), std::ios::app) << "deadbeef {\"step\":11,\"tok";
  write_attempt(run, 2, 10, 12);
  const JournalContent content = read_journal(run.journal());
  EXPECT_THAT(content.damage, IsEmpty());
  EXPECT_THAT(content.attempts, SizeIs(2));
}

TEST(Journal, NamesTheLineWithAFlippedBit) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  write_attempt(run, 1, 0, 10);
  const size_t at = line_start(read_file(run.journal()), 6);  // the attempt's line, then steps: step 5
  for (const size_t offset : {0u, 8u, 9u, 20u, 40u}) {
    flip_bit(run.journal(), at + offset, 1);
    const Curve curve = stitch_curve(run);
    ASSERT_THAT(curve.damage, SizeIs(1));
    EXPECT_THAT(curve.damage[0], HasSubstr("journal:6"));
    EXPECT_EQ(curve.complete_until(), 4);
    EXPECT_THAT(curve.steps, SizeIs(9));
    flip_bit(run.journal(), at + offset, 1);
  }
}

TEST(Curve, OfNothingIsEmpty) {
  const ScratchDirectory dir;
  const Curve curve = stitch_curve({dir.path()});
  EXPECT_THAT(curve.steps, IsEmpty());
  EXPECT_EQ(curve.complete_until(), 0);
  EXPECT_EQ(curve.attempts, 0);
}

TEST(Curve, TakesTheLaterAttemptWhereTwoOverlap) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  write_attempt(run, 1, 0, 9, 1.0);
  write_attempt(run, 2, 7, 8, 2.0);
  const Curve curve = stitch_curve(run);
  ASSERT_THAT(curve.steps, SizeIs(8));
  EXPECT_EQ(curve.steps[6].loss, 1.0);
  EXPECT_EQ(curve.steps[7].loss, 2.0);
  EXPECT_EQ(curve.complete_until(), 8);
  EXPECT_EQ(curve.attempts, 2);
  EXPECT_DOUBLE_EQ(curve.busy_seconds, 10 * 0.004);
}

TEST(Curve, ComesFromAttemptFilesWhenTheJournalIsGone) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  RunRecord first{.run_id = "r", .run_yaml = "", .steps = {}, .evals = {}, .provenance = {}}, second = first;
  for (int64_t step = 1; step <= 9; ++step) first.steps.push_back(row(step, 1.0));
  for (int64_t step = 8; step <= 12; ++step) second.steps.push_back(row(step, 2.0));
  write_run_record(run.attempt(1), first);
  write_run_record(run.attempt(2), second);
  const Curve curve = stitch_curve(run);
  ASSERT_THAT(curve.steps, SizeIs(12));
  EXPECT_EQ(curve.steps[6].loss, 1.0);
  EXPECT_EQ(curve.steps[7].loss, 2.0);
}

TEST(Curve, IsStitchedAndTheDamageNamedWhenRunFileIsDamaged) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  write_attempt(run, 1, 0, 5);
  write_run_record(run.run_h5(), {.run_id = "r", .run_yaml = "", .steps = {row(1)}, .evals = {}, .provenance = {}});
  EXPECT_THAT(read_curve(run).steps, SizeIs(1));
  std::filesystem::resize_file(run.run_h5(), std::filesystem::file_size(run.run_h5()) / 2);
  const Curve curve = read_curve(run);
  EXPECT_THAT(curve.steps, SizeIs(5));
  ASSERT_THAT(curve.damage, SizeIs(1));
  EXPECT_THAT(curve.damage[0], HasSubstr("run.h5"));
}

}  // namespace
}  // namespace hyscale::storage
