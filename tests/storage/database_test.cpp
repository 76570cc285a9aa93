#include "storage/db/database.h"

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/support/scratch.h"

namespace hyscale::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class DatabaseTest : public testing::Test {
 protected:
  Database create() { return {store_, Database::Mode::create}; }
  std::string path() const { return database_path(store_); }

  /// One study with one run that fills two cells.
  void fill(Database& db) {
    db.put_study({.name = "s", .spec = "spec", .spec_sha256 = "hash", .base = "base", .commit = "c", .created = 1});
    RunRow run{.run_id = "r1", .config = "config"};
    run.figures = {.context = 128, .tokens = 1000, .params_total = 7, .flops_per_token_with_head = 6.0};
    EXPECT_TRUE(db.add_run(run));
    db.put_cell({.study = "s",
                 .run_id = "r1",
                 .family = "a",
                 .size = "1M",
                 .budget_flops = 1e9,
                 .role = "trunk",
                 .cluster = "r1",
                 .checkpoint_at = {100, 200}});
    db.put_cell({.study = "s", .run_id = "r1", .family = "b", .size = "1M", .budget_flops = 1e9, .cluster = "r1"});
  }

  template <class Thrown>
  std::string message_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Thrown& e) {
      return e.what();
    }
    ADD_FAILURE() << "nothing of the expected type was thrown";
    return "";
  }

  tests::ScratchDirectory scratch_;
  const std::string& store_ = scratch_.path();
};

void execute(const std::string& path, const std::string& sql) {
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &raw), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(raw);
  sqlite3_close(raw);
}

TEST_F(DatabaseTest, GivesBackWhatWasPut) {
  Database db = create();
  fill(db);
  RunRow run = *db.run("r1");
  run.state = "failed";
  run.cause = "fault";
  run.own_faults = 2;
  run.cancel_asked = true;
  db.update_run(run);
  const Database again(store_, Database::Mode::read);
  const RunRow read = *again.run("r1");
  EXPECT_EQ(read.config, "config");
  EXPECT_EQ(read.figures.context, 128);
  EXPECT_EQ(read.figures.params_total, 7);
  EXPECT_EQ(read.state, "failed");
  EXPECT_EQ(read.own_faults, 2);
  EXPECT_TRUE(read.cancel_asked);
  ASSERT_THAT(again.cells("s"), SizeIs(2));
  EXPECT_THAT(again.cells("s")[0].checkpoint_at, ElementsAre(100, 200));
  EXPECT_THAT(again.runs("s"), SizeIs(1)) << "a run that fills two cells is one run";
  EXPECT_THAT(again.studies_of("r1"), ElementsAre("s"));
  EXPECT_FALSE(again.run("r2").has_value());
}

TEST_F(DatabaseTest, KeepsARunThatIsAddedAgain) {
  Database db = create();
  fill(db);
  RunRow run = *db.run("r1");
  run.state = "done";
  db.update_run(run);
  EXPECT_FALSE(db.add_run({.run_id = "r1", .config = "other"}));
  EXPECT_EQ(db.run("r1")->state, "done");
  EXPECT_EQ(db.run("r1")->config, "config");
}

TEST_F(DatabaseTest, ShowsTheLastEvaluationOfADoneRunAndNaNBeforeThat) {
  Database db = create();
  fill(db);
  ASSERT_THAT(db.results("s"), SizeIs(2));
  EXPECT_TRUE(std::isnan(db.results("s")[0].validation_loss));
  db.put_result("r1", {.evals = {{10, 500, 3.0, 4.0, 0.1}, {20, 1000, 2.5, 3.5, 0.05}}, .provenance = {{"host", "h"}}});
  RunRow run = *db.run("r1");
  run.state = "done";
  db.update_run(run);
  const ResultRow row = db.results("s")[1];
  EXPECT_EQ(row.family, "b");
  EXPECT_DOUBLE_EQ(row.validation_loss, 2.5);
  EXPECT_DOUBLE_EQ(row.standard_error, 0.05);
  EXPECT_DOUBLE_EQ(row.flops_with_head, 6000.0);
  EXPECT_EQ(row.directory, store_ + "/runs/r1");
}

TEST_F(DatabaseTest, ReadsAStudysRunsWithoutConfigsAndTheLastLossOfThoseThatAreDone) {
  Database db = create();
  fill(db);
  EXPECT_TRUE(db.losses("s").empty()) << "nothing is done";
  db.put_result("r1", {.evals = {{1, 10, 3.0, 1, 0}, {9, 90, 2.0, 1, 0}, {5, 50, 2.5, 1, 0}}});
  RunRow run = *db.run("r1");
  run.state = "done";
  db.update_run(run);
  EXPECT_EQ(db.losses("s"), (std::map<std::string, double>{{"r1", 2.0}}));
  EXPECT_TRUE(db.losses("another").empty());
  const auto rows = db.runs("s", Database::Configs::left_out);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].config, "");
  EXPECT_EQ(rows[0].state, "done");
  EXPECT_EQ(rows[0].figures.tokens, 1000);
  EXPECT_EQ(db.runs("s")[0].config, "config");
}

TEST_F(DatabaseTest, RollsBackEverythingWhenATransactionThrows) {
  Database db = create();
  EXPECT_THROW(db.transaction([&] {
    fill(db);
    throw std::runtime_error("stop");
  }),
               std::runtime_error);
  EXPECT_THAT(db.studies(), SizeIs(0));
  fill(db);
  EXPECT_THAT(db.studies(), SizeIs(1));
}

TEST_F(DatabaseTest, RefusesACellWhoseRunIsNotThere) {
  Database db = create();
  fill(db);
  EXPECT_THROW(db.put_cell({.study = "s", .run_id = "nowhere", .family = "a", .size = "1M"}), Error);
}

TEST_F(DatabaseTest, SurvivesSigkillInTheMiddleOfATransaction) {
  {
    Database db = create();
    fill(db);
  }
  const pid_t child = ::fork();
  if (child == 0) {
    Database db(store_, Database::Mode::write);
    db.transaction([&] {
      for (int i = 0; i < 5000; ++i) db.add_run({.run_id = "x" + std::to_string(i), .config = std::string(4096, 'x')});
      ::kill(::getpid(), SIGKILL);
    });
  }
  ::waitpid(child, nullptr, 0);
  Database db(store_, Database::Mode::write);
  EXPECT_FALSE(db.run("x0").has_value());
  EXPECT_TRUE(db.run("r1").has_value());
}

TEST_F(DatabaseTest, GivesTheLeaseToOneLivingHolderAtATime) {
  Database first = create();
  Database second(store_, Database::Mode::write);
  const auto lease = first.take_lease("drive:s", 30);
  ASSERT_TRUE(lease.has_value());
  EXPECT_FALSE(second.take_lease("drive:s", 30).has_value());
  EXPECT_EQ(second.lease_holder("drive:s")->process, this_process());
  EXPECT_TRUE(first.renew_lease(*lease, 30));
  first.release_lease(*lease);
  EXPECT_FALSE(second.lease_holder("drive:s").has_value());
  EXPECT_TRUE(second.take_lease("drive:s", 30).has_value());
  EXPECT_FALSE(first.renew_lease(*lease, 30)) << "an old holder must notice that it is one no more";
}

TEST_F(DatabaseTest, TakesOverTheLeaseOfAProcessThatIsGone) {
  { create(); }
  const pid_t child = ::fork();
  if (child == 0) {
    Database db(store_, Database::Mode::write);
    ::_exit(db.take_lease("drive:s", 3600) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(Database(store_, Database::Mode::write).take_lease("drive:s", 30).has_value());
}

TEST_F(DatabaseTest, TakesOverALeaseThatHasExpired) {
  Database db = create();
  ASSERT_TRUE(db.take_lease("drive:s", -1).has_value());
  EXPECT_TRUE(db.take_lease("drive:s", 30).has_value());
}

TEST_F(DatabaseTest, NamesTheRemedyForADamagedFileAndLeavesItAlone) {
  {
    Database db = create();
    fill(db);
  }
  const std::string garbage(8192, '?');
  std::ofstream(path(), std::ios::binary | std::ios::trunc) << garbage;
  EXPECT_THAT(message_of<DamagedFile>([&] { Database(store_, Database::Mode::create); }), HasSubstr("--rebuild"));
  EXPECT_EQ(read_file(path()), garbage);
}

TEST_F(DatabaseTest, NoticesATornFile) {
  {
    Database db = create();
    fill(db);
  }
  std::filesystem::resize_file(path(), std::filesystem::file_size(path()) / 2);
  EXPECT_THAT(message_of<DamagedFile>([&] { Database(store_, Database::Mode::write); }), HasSubstr("--rebuild"));
}

TEST_F(DatabaseTest, RefusesToMakeADatabaseAnewWhereOneWasLost) {
  std::filesystem::create_directories(store_ + "/studies/s");
  EXPECT_THAT(message_of<DamagedFile>([&] { create(); }), HasSubstr("--rebuild"));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(DatabaseTest, RefusesASchemaOfANewerProgram) {
  { create(); }
  execute(path(), "PRAGMA user_version = 99");
  EXPECT_THAT(message_of<ConfigError>([&] { Database(store_, Database::Mode::write); }), HasSubstr("newer program"));
}

TEST_F(DatabaseTest, KeepsTheLossesOfAMixturesCorporaAndWhatIsNotKnown) {
  Database db = create();
  fill(db);
  RunRow run = *db.run("r1");
  run.state = "done";
  db.update_run(run);
  db.put_result("r1", {.evals = {{.step = 5, .corpora = {{"old", 9, 9, 9}}},
                                 {.step = 10,
                                  .loss = 1.5,
                                  .bits_per_byte = std::nan(""),
                                  .corpora = {{"books", 1, 2, 3}, {"code", 2, std::nan(""), 4}}}}});
  const ResultRow row = db.results("s").at(0);
  EXPECT_TRUE(std::isnan(row.bits_per_byte));
  ASSERT_EQ(row.corpora.size(), 2u);
  EXPECT_EQ(row.corpora[0].corpus, "books");
  EXPECT_EQ(row.corpora[0].loss, 1);
  EXPECT_TRUE(std::isnan(row.corpora[1].bits_per_byte));
}

/// Takes the third schema's changes back.
constexpr const char* kSecondSchema = R"sql(
PRAGMA legacy_alter_table = ON;
DROP VIEW study_points;
CREATE TABLE second (
  position INTEGER PRIMARY KEY,
  study TEXT NOT NULL REFERENCES studies (name) ON DELETE CASCADE, run_id TEXT NOT NULL REFERENCES runs (run_id),
  family TEXT NOT NULL, size TEXT NOT NULL, seed INTEGER NOT NULL, lr REAL NOT NULL, budget_flops REAL NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('trunk', 'branch', 'alone')), parent TEXT NOT NULL, cluster TEXT NOT NULL,
  branch_step INTEGER NOT NULL, branch_tokens INTEGER NOT NULL, checkpoint_at TEXT NOT NULL,
  UNIQUE (study, run_id, family, size, budget_flops));
INSERT INTO second SELECT position, study, run_id, family, size, seed, lr, budget_flops, role, parent, cluster,
  branch_step, branch_tokens, checkpoint_at FROM cells;
DROP TABLE cells;
ALTER TABLE second RENAME TO cells;
CREATE INDEX cells_by_run ON cells (run_id);
ALTER TABLE rejected DROP COLUMN budget_kind;
ALTER TABLE rejected DROP COLUMN budget;
ALTER TABLE rejected DROP COLUMN axes;
ALTER TABLE rejected DROP COLUMN context;
CREATE VIEW study_points AS
  SELECT cells.position, cells.study, cells.run_id, cells.family, cells.size, runs.state, runs.cause, cells.role,
         cells.cluster, cells.seed, cells.lr, runs.context, runs.d_model, runs.layers, runs.d_ff, runs.params_total,
         runs.params_non_embedding, runs.params_without_head, runs.params_active, cells.budget_flops, runs.tokens,
         1.0 AS flops_paper, 1.0 AS flops_with_head, 1.0 AS flops_executed, 1.0 AS flops_six_n,
         runs.flops_per_token_with_head, runs.cache_bytes,
         last.loss AS validation_loss, last.bits_per_byte, last.standard_error, runs.busy_seconds
  FROM cells JOIN runs USING (run_id) LEFT JOIN evals AS last ON last.run_id = cells.run_id;
PRAGMA user_version = 2;
)sql";

TEST_F(DatabaseTest, KnowsTheBudgetsOfADatabaseOfTheSecondSchemaBeforeAndAfterItIsBroughtUpToDate) {
  {
    Database db = create();
    fill(db);
    db.put_rejected("s", {{.study = "s", .family = "a", .size = "1M", .reason = "no", .budget_flops = 2e9}});
  }
  execute(path(), kSecondSchema);
  for (const Database::Mode mode : {Database::Mode::read, Database::Mode::write}) {
    const Database db(store_, mode);
    EXPECT_EQ(db.cells("s").at(0).budget, 1e9);
    EXPECT_EQ(db.cells("s").at(0).budget_kind, "flops");
    EXPECT_EQ(db.results("s").at(1).budget, 1e9);
    EXPECT_EQ(db.results("s").at(1).axes, "");
    EXPECT_EQ(db.rejected("s").at(0).budget, 2e9);
  }
}

TEST_F(DatabaseTest, TellsHowFastRunsTrainedThatBeganAtTheirFirstStep) {
  Database db = create();
  for (const char* id : {"whole", "branch", "open"}) {
    RunRow run{.run_id = id, .state = "done", .busy_seconds = 4};
    run.figures = {.tokens = 100, .flops_per_token_executed = 2};
    db.add_run(run);
    if (std::string(id) != "open")
      db.put_result(id, {.evals = {{.step = 10, .loss = 1.5}},
                         .provenance = {{"device", "cuda"},
                                        {"gpu", "an H200"},
                                        {"cpu", "a cpu"},
                                        {"dp", "2"},
                                        {"tp", "1"},
                                        {"threads", "3"},
                                        {"from", std::string(id) == "branch" ? "trunk/step-5.h5" : ""}}});
  }
  const auto rows = db.throughputs();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].name, "an H200");
  EXPECT_EQ(rows[0].ranks, 2);
  EXPECT_EQ(rows[0].flops, 200);
  EXPECT_EQ(rows[0].seconds, 4);
  EXPECT_EQ(db.finished_runs().size(), 3u);
}

TEST_F(DatabaseTest, KeepsTwoCellsOfOneRunThatDifferInTheirAxesAlone) {
  Database db = create();
  fill(db);
  const CellRow cell{.study = "s", .run_id = "r1", .family = "c", .size = "1M", .budget_kind = "tokens", .budget = 1e6};
  for (const char* axes : {"model.mixers.A.window=64", "model.mixers.A.window=128", "model.mixers.A.window=128"}) {
    CellRow one = cell;
    one.axes = axes;
    db.put_cell(one);
  }
  ASSERT_EQ(db.cells("s").size(), 4u);
  EXPECT_EQ(db.results("s").at(3).axes, "model.mixers.A.window=128");
  EXPECT_EQ(db.results("s").at(3).budget_kind, "tokens");
}

TEST_F(DatabaseTest, BringsADatabaseOfTheFirstSchemaUpToDate) {
  {
    Database db = create();
    fill(db);
    RunRow run = *db.run("r1");
    run.state = "done";
    db.update_run(run);
    db.put_result("r1", {.evals = {{.step = 10, .loss = 1.5, .bits_per_byte = 2, .standard_error = 0.5}}});
  }
  // What version 1 had: cells of FLOPs alone, no table of corpora, and figures that must be there.
  execute(path(), kSecondSchema);
  execute(path(),
          "PRAGMA legacy_alter_table = ON; DROP TABLE eval_corpora; CREATE TABLE first (run_id TEXT NOT NULL "
          "REFERENCES runs (run_id) ON DELETE CASCADE,"
          " step INTEGER NOT NULL, tokens INTEGER NOT NULL, loss REAL NOT NULL, bits_per_byte REAL NOT NULL,"
          " standard_error REAL NOT NULL, PRIMARY KEY (run_id, step)); INSERT INTO first SELECT * FROM evals;"
          " DROP TABLE evals; ALTER TABLE first RENAME TO evals; PRAGMA user_version = 1;");
  EXPECT_EQ(Database(store_, Database::Mode::read).results("s").at(0).validation_loss, 1.5);
  Database db(store_, Database::Mode::write);
  EXPECT_EQ(db.results("s").at(0).bits_per_byte, 2);
  db.put_result("r1", {.evals = {{.step = 10, .loss = 1.25, .bits_per_byte = std::nan("")}}});
  EXPECT_EQ(db.results("s").at(0).validation_loss, 1.25);
}

TEST_F(DatabaseTest, RefusesSomebodyElsesDatabase) {
  execute(path(), "CREATE TABLE photos (name TEXT)");
  EXPECT_THAT(message_of<DamagedFile>([&] { create(); }), HasSubstr("not a results database"));
}

TEST_F(DatabaseTest, CannotBeWrittenWhenOpenedForReading) {
  { create(); }
  Database db(store_, Database::Mode::read);
  EXPECT_THROW(db.put_study({.name = "s"}), Error);
}

TEST_F(DatabaseTest, SaysThatThereIsNoneYetWhenAskedToRead) {
  EXPECT_THAT(message_of<ConfigError>([&] { Database(store_, Database::Mode::read); }), HasSubstr("submit a study"));
}

TEST_F(DatabaseTest, TakesAFileWhoseMakerWasKilledForNone) {
  std::ofstream(path()).close();
  EXPECT_FALSE(has_database(store_));
  EXPECT_THAT(message_of<ConfigError>([&] { Database(store_, Database::Mode::read); }), HasSubstr("submit a study"));
  Database db = create();
  fill(db);
  EXPECT_TRUE(has_database(store_));
}

TEST_F(DatabaseTest, RebuildsBesideTheOldOneAndTellsWhoHasThatOpen) {
  Database old = create();
  fill(old);
  Database::rebuild(store_, [&](Database& fresh) { fill(fresh); });
  EXPECT_TRUE(old.replaced());
  EXPECT_THAT(Database(store_, Database::Mode::read).cells("s"), SizeIs(2));
}

TEST_F(DatabaseTest, IsNotRebuiltUnderALivingWriter) {
  Database db = create();
  const auto lease = db.take_lease("drive:s", 30);
  EXPECT_THROW(Database::rebuild(store_, [](Database&) {}), ConfigError);
  db.release_lease(*lease);
  EXPECT_NO_THROW(Database::rebuild(store_, [](Database&) {}));
}

TEST_F(DatabaseTest, KeepsTheOldFileWhenARebuildFails) {
  {
    Database db = create();
    fill(db);
  }
  EXPECT_THROW(Database::rebuild(store_, [](Database&) { throw std::runtime_error("no"); }), std::runtime_error);
  EXPECT_THAT(Database(store_, Database::Mode::read).cells("s"), SizeIs(2));
}

}  // namespace
}  // namespace hyscale::storage
