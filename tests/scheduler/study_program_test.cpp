// The program `study` with real processes: a stand-in trains, everything else is as people use it.

#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cluster/spawn.h"
#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/spec/corpus_manifest.h"
#include "storage/db/database.h"

namespace hyscale::scheduler {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr int kSlots = 3;

constexpr const char* kBase = R"(format: hyscale.run/1
model:
  vocabulary: 257
  context: 64
  d_model: 32
  mixers:
    A: {kind: attention, heads: 2, kv_heads: 2, head_dim: 16, rope: {theta: 10000}}
  stack: A
  ffn: {kind: swiglu, d_ff: 64}
data: {corpus: tiny, seed: 0}
train:
  tokens: 65536
  batch_tokens: 512
  optimizer: {kind: adamw, lr: 1e-3}
  schedule: {kind: trapezoid, warmup_tokens: 5120, cooldown_tokens: 10240}
  precision: fp32
  seed: 0
)";

std::string spec_text(const std::string& name, const std::string& budgets) {
  return fmt::format(R"(format: hyscale.study/1
study: {}
base: base.yaml
families:
  transformer: {{stack: A}}
sizes: [50K, 100K, 200K, 400K]
budgets: {{flops: [{}]}}
learning_rate: {{at: 100K, value: 3e-3, exponent: -0.25}}
batch: {{tokens: 512}}
schedule: {{kind: trapezoid, warmup: 0.2, cooldown: 0.2, branch: true}}
resources: {{device: cpu, threads: 1}}
)",
                     name, budgets);
}

struct Answer {
  int code = -1;
  std::string text;  // standard output and error
};

struct Witness {
  int starts = 0, done = 0;
};

class StudyProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hyscale-study-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
    store_ = root_ + "/store";
    const std::string bin = std::getenv("HYSCALE_BIN_DIR");
    study_ = bin + "/study";
    ::setenv("HYSCALE_WORKER", (fs::path(bin).parent_path() / "tests" / "stand_in_worker").c_str(), 1);
    write(root_ + "/base.yaml", kBase);
    write_spec("1e11, 2e11");
    fs::create_directories(store_ + "/corpora/tiny");
    spec::save_corpus_manifest({.name = "tiny",
                                .directory = store_ + "/corpora/tiny",
                                .tokenizer = "byte",
                                .vocabulary = 257,
                                .bos = 256,
                                .eos = 256,
                                .train_tokens = 100'000'000,
                                .validation_tokens = 100'000,
                                .train_documents = 10,
                                .validation_documents = 1,
                                .train_bytes = 100'000'000,
                                .validation_bytes = 100'000,
                                .unigram_entropy = 3.0,
                                .identity = {std::string(64, 'a'), std::string(64, 'b')}});
  }
  void TearDown() override {
    study({"cancel", "s", "--grace", "2"});
    fs::remove_all(root_);
  }

  static void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  void write_spec(const std::string& budgets, const std::string& name = "s") {
    write(root_ + "/" + name + ".yaml", spec_text(name, budgets));
  }

  pid_t start(std::vector<std::string> arguments, const std::string& output) {
    std::vector<std::string> argv{study_, "--store", store_};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return cluster::spawn(argv, {.output = output});
  }
  Answer study(std::vector<std::string> arguments) {
    const std::string output = root_ + "/answer.txt";
    fs::remove(output);
    int status = 0;
    ::waitpid(start(std::move(arguments), output), &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_file(output)};
  }
  Answer submit_and_wait(const std::string& name = "s") {
    return study({"submit", root_ + "/" + name + ".yaml", "--slots", std::to_string(kSlots), "--wait"});
  }
  /// The same, empty while there is no such study.
  nlohmann::json status_if_any(const std::string& name) {
    const Answer answer = study({"status", name, "--json"});
    return answer.code == 0 ? nlohmann::json::parse(answer.text) : nlohmann::json::object();
  }
  nlohmann::json status(const std::string& name = "s") {
    return nlohmann::json::parse(study({"status", name, "--json"}).text);
  }
  std::vector<std::string> run_ids() {
    const auto plan = nlohmann::json::parse(study({"plan", root_ + "/s.yaml", "--json"}).text);
    std::set<std::string> ids;
    for (const auto& run : plan.at("runs")) ids.insert(run.at("run_id").get<std::string>());
    return {ids.begin(), ids.end()};
  }
  void script(const std::string& run, const std::string& words) {
    fs::create_directories(store_ + "/script");
    write(store_ + "/script/" + run, words);
  }
  void script_all(const std::string& words) {
    for (const std::string& run : run_ids()) script(run, words);
  }

  /// What the workers saw; fails when one run ran twice at once, or more runs than slots at once.
  std::map<std::string, Witness> witnessed(int slots = kSlots) {
    std::map<std::string, Witness> seen;
    int running = 0;
    std::ifstream file(store_ + "/witness.txt");
    for (std::string what, run, rest; file >> what >> run && std::getline(file, rest);) {
      EXPECT_NE(what, "twice") << run << " was launched while it ran";
      if (what == "start") ++seen[run].starts, ++running;
      if (what.starts_with("end")) --running;
      if (what == "end0") ++seen[run].done;
      EXPECT_LE(running, slots);
    }
    return seen;
  }
  template <class Condition>
  bool eventually(Condition condition) {
    for (int i = 0; i < 500; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  std::string root_, store_, study_;
};

TEST_F(StudyProgramTest, TrainsEveryRunOnceAndNothingWhenSubmittedAgain) {
  const Answer first = submit_and_wait();
  ASSERT_EQ(first.code, 0) << first.text;
  EXPECT_THAT(first.text, HasSubstr("8 new runs, 0 already done"));
  auto seen = witnessed();
  EXPECT_EQ(seen.size(), 8u);
  for (const auto& [run, w] : seen) EXPECT_EQ(w.starts, 1) << run;
  const Answer again = submit_and_wait();
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.text, HasSubstr("0 new runs, 8 already done"));
  EXPECT_EQ(witnessed().size(), 8u);
  const storage::Database database(store_, storage::Database::Mode::read);
  for (const auto& row : database.results("s")) EXPECT_GT(row.validation_loss, 2.0) << row.run_id;
}

TEST_F(StudyProgramTest, StartsBranchesFromTheirTrunksCheckpoint) {
  ASSERT_EQ(submit_and_wait().code, 0);
  const storage::Database database(store_, storage::Database::Mode::read);
  const std::string witness = read_file(store_ + "/witness.txt");
  int branches = 0;
  for (const auto& cell : database.cells("s")) {
    if (cell.role != "branch") continue;
    ++branches;
    EXPECT_THAT(witness,
                HasSubstr(fmt::format("{}/runs/{}/checkpoints/step-{:09}.h5", store_, cell.parent, cell.branch_step)));
  }
  EXPECT_EQ(branches, 4);
}

TEST_F(StudyProgramTest, ReusesWhatAnotherStudyHasTrained) {
  ASSERT_EQ(submit_and_wait().code, 0);
  write_spec("1e11, 2e11", "other");
  const Answer answer = submit_and_wait("other");
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(answer.text, HasSubstr("0 new runs, 8 already done"));
  EXPECT_EQ(status("other").at("counts").at("done"), 8);
}

TEST_F(StudyProgramTest, AddsTheNewCellsOfAChangedSpecAndKeepsTheOld) {
  ASSERT_EQ(submit_and_wait().code, 0);
  write_spec("1e11, 4e11");
  const Answer diff = study({"diff", "s", root_ + "/s.yaml"});
  EXPECT_THAT(diff.text, HasSubstr("train.tokens"));
  const Answer answer = submit_and_wait();
  EXPECT_EQ(answer.code, 0) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("the spec has changed"));
  EXPECT_GT(status().at("runs_total").get<int>(), 8);
  for (const auto& [run, w] : witnessed()) EXPECT_EQ(w.done, 1) << run;
}

TEST_F(StudyProgramTest, PlansWhatASweepDecidesOnceItIsDoneAndCountsWhatIsDone) {
  std::string spec = read_file(root_ + "/s.yaml");
  spec.replace(spec.find("exponent: -0.25"), 15, "exponent: -0.25, sweep: {scale: [0.5, 1], for: [50K], carry: true}");
  write(root_ + "/s.yaml", spec);
  const auto plan = [&] { return nlohmann::json::parse(study({"plan", root_ + "/s.yaml", "--json"}).text); };
  EXPECT_EQ(plan().at("waiting").size(), 6u);
  EXPECT_EQ(plan().at("estimate").at("runs"), 4);
  EXPECT_TRUE(plan().at("estimate").at("hours").is_null());  // nothing tells
  const Answer answer = submit_and_wait();
  EXPECT_EQ(answer.code, 0) << answer.text;
  const auto after = plan();
  EXPECT_EQ(after.at("waiting").size(), 0u);
  EXPECT_EQ(after.at("runs").size(), 10u);
  EXPECT_EQ(after.at("already_done").size(), 10u);
  EXPECT_EQ(after.at("done_by").at("s"), 10);
  EXPECT_EQ(after.at("estimate").at("runs"), 0);
  EXPECT_EQ(after.at("estimate").at("hours"), 0);
  for (const auto& [run, w] : witnessed()) EXPECT_EQ(w.starts, 1) << run;
}

TEST_F(StudyProgramTest, KeepsItsWarmUpsWhenASmallerBudgetJoins) {
  ASSERT_EQ(submit_and_wait().code, 0);
  const auto before = run_ids();
  write_spec("8e10, 1e11, 2e11");
  const Answer answer = submit_and_wait();
  ASSERT_EQ(answer.code, 0) << answer.text;
  const auto after = run_ids();
  EXPECT_EQ(after.size(), 12u);
  for (const std::string& run : before) EXPECT_THAT(after, testing::Contains(run));
  for (const auto& [run, w] : witnessed()) EXPECT_EQ(w.starts, 1) << run << " was trained again";
}

TEST_F(StudyProgramTest, PrintsTheSchemaOfASpec) {
  const auto schema = nlohmann::json::parse(study({"schema"}).text);
  EXPECT_TRUE(schema.at("properties").contains("budgets"));
}

TEST_F(StudyProgramTest, CarriesOnWhateverIsKilledWhenever) {
  const unsigned seed = 7;
  std::mt19937 random(seed);
  for (int i = 0; i < 12; ++i) {
    const pid_t submit = start({"submit", root_ + "/s.yaml", "--slots", "3"}, root_ + "/killed.txt");
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
    if (random() % 2 == 0) ::kill(submit, SIGKILL);
    int ignored = 0;
    ::waitpid(submit, &ignored, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
    if (const auto now = status_if_any("s"); now.contains("driver") && !now.at("driver").is_null())
      ::kill(now.at("driver").at("pid").get<pid_t>(), SIGKILL);
  }
  const Answer answer = submit_and_wait();
  EXPECT_EQ(answer.code, 0) << answer.text;
  const auto seen = witnessed();
  EXPECT_EQ(seen.size(), 8u);
  for (const auto& [run, w] : seen) EXPECT_EQ(w.done, 1) << run << " was trained to its end " << w.done << " times";
  EXPECT_EQ(status().at("counts").at("done"), 8);
}

TEST_F(StudyProgramTest, LaunchesEachRunOnceWhenSeveralProcessesDriveOneStudy) {
  std::vector<pid_t> submits;
  for (int i = 0; i < 4; ++i)
    submits.push_back(start({"submit", root_ + "/s.yaml", "--slots", "3", "--wait"}, root_ + "/several.txt"));
  for (const pid_t submit : submits) {
    int code = 0;
    ::waitpid(submit, &code, 0);
    EXPECT_EQ(WEXITSTATUS(code), 0) << read_file(root_ + "/several.txt");
  }
  for (const auto& [run, w] : witnessed()) EXPECT_EQ(w.starts, 1) << run;
}

TEST_F(StudyProgramTest, ReportsAFailedRunWithCauseAndLogAndRetriesItOnRequest) {
  const std::string run = run_ids().front();
  script(run, "exit1 exit1");
  const Answer failed = submit_and_wait();
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.text, HasSubstr("exit code 1: the script says exit 1"));
  const Answer logs = study({"logs", "s", run.substr(0, 10)});
  EXPECT_THAT(logs.text, HasSubstr("stand-in: exit 1"));
  EXPECT_THAT(study({"retry", "s", "--run", run}).text, HasSubstr("tried again"));
  EXPECT_EQ(study({"watch", "s"}).code, 0);
  EXPECT_EQ(witnessed()[run].starts, 3);
}

TEST_F(StudyProgramTest, RetriesAKilledWorkerAndNeverABadConfiguration) {
  const auto runs = run_ids();
  script(runs[0], "kill");
  script(runs[1], "exit2");
  EXPECT_EQ(submit_and_wait().code, 1);
  auto seen = witnessed();
  EXPECT_EQ(seen[runs[0]].starts, 2);
  EXPECT_EQ(seen[runs[1]].starts, 1);
}

TEST_F(StudyProgramTest, CancelsRunningAndPlannedRunsAndRunsThemAgainOnlyOnRequest) {
  script_all("slow");
  ASSERT_EQ(study({"submit", root_ + "/s.yaml", "--slots", "3"}).code, 0);
  ASSERT_TRUE(eventually([&] { return status().at("counts").value("running", 0) == 3; }));
  const Answer cancel = study({"cancel", "s"});
  EXPECT_EQ(cancel.code, 0) << cancel.text;
  EXPECT_EQ(status().at("counts").at("cancelled"), 8);
  EXPECT_EQ(submit_and_wait().code, 1) << "only retry wakes a cancelled run";
  script_all("");  // before the retry: its workers read their parts at once
  EXPECT_THAT(study({"retry", "s"}).text, HasSubstr("8 runs"));
  EXPECT_EQ(study({"watch", "s"}).code, 0);
}

TEST_F(StudyProgramTest, RebuildsALostDatabaseFromWhatTheStoreHolds) {
  const std::string bad = run_ids().front();
  script(bad, "exit2");
  ASSERT_EQ(submit_and_wait().code, 1);
  const auto before = storage::Database(store_, storage::Database::Mode::read).results("s");
  fs::remove(storage::database_path(store_));
  const Answer lost = study({"status", "s"});
  EXPECT_EQ(lost.code, 2);
  EXPECT_THAT(lost.text, HasSubstr("--rebuild"));
  EXPECT_THAT(study({"submit", root_ + "/s.yaml"}).text, HasSubstr("--rebuild")) << "never a silent new one";
  const Answer rebuilt = study({"collect", "s", "--rebuild"});
  EXPECT_EQ(rebuilt.code, 0) << rebuilt.text;
  const auto after = storage::Database(store_, storage::Database::Mode::read).results("s");
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].run_id, before[i].run_id);
    if (before[i].run_id == bad) {
      EXPECT_EQ(after[i].state, "failed") << "how its job ended says so";
    }
    if (before[i].state != "done") continue;
    EXPECT_EQ(after[i].state, "done");
    EXPECT_EQ(after[i].validation_loss, before[i].validation_loss);
  }
  EXPECT_EQ(submit_and_wait().code, 1) << "only retry wakes a failed run";
  EXPECT_EQ(study({"retry", "s"}).code, 0);
  EXPECT_EQ(study({"watch", "s"}).code, 0);
  for (const auto& [run, w] : witnessed()) EXPECT_EQ(w.done, 1) << run;
}

TEST_F(StudyProgramTest, TrainsARunAgainWhoseFinalRecordIsDamaged) {
  const std::string run = run_ids().front();
  ASSERT_EQ(submit_and_wait().code, 0);
  fs::resize_file(store_ + "/runs/" + run + "/run.h5", 100);
  fs::remove(storage::database_path(store_));
  EXPECT_THAT(study({"collect", "--rebuild"}).text, HasSubstr("7 of them done"));
  EXPECT_EQ(submit_and_wait().code, 0);
  EXPECT_EQ(witnessed()[run].done, 2);
}

TEST_F(StudyProgramTest, SaysWhatIsWrongWithACommandAndExitsWith2) {
  const Answer moon = study({"submit", root_ + "/s.yaml", "--on", "the-moon"});
  EXPECT_EQ(moon.code, 2);
  EXPECT_THAT(moon.text, HasSubstr("--on local"));
  EXPECT_EQ(study({"status", "nowhere"}).code, 2);
  EXPECT_EQ(study({"submit", root_ + "/missing.yaml"}).code, 2);
  EXPECT_EQ(study({"frobnicate"}).code, 2);
  for (const char* command :
       {"plan", "schema", "submit", "status", "watch", "logs", "cancel", "retry", "collect", "list", "diff"}) {
    const Answer help = study({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_THAT(help.text, HasSubstr("Example:")) << command;
  }
}

TEST_F(StudyProgramTest, ListsStudiesForMachines) {
  ASSERT_EQ(submit_and_wait().code, 0);
  const auto list = nlohmann::json::parse(study({"list", "--json"}).text);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].at("study"), "s");
  EXPECT_EQ(list[0].at("counts").at("done"), 8);
}

}  // namespace
}  // namespace hyscale::scheduler
