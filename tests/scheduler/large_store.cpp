// Makes a store with one large study and a run directory for each of its runs, all through the project's own planner,
// registration and writers: what `study submit`, `status`, `list` and `collect` meet at scale.
//
//   large_store STORE RUNS            its runs wait in the database as planned, while their directories hold final
//   records large_store spec STORE RUNS       corpus and specs alone, to be submitted: STORE/large.yaml large_store
//   finish STORE          final records for all runs of the study as it was submitted, and in each job's
//                                     directory the end that a batch system's keeper leaves there
//
// The study is called `large`; tests/scheduler/scale and tests/slurm/many_runs time what is done with it.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>
#include <sys/wait.h>
#include <unistd.h>

#include "cluster/job_files.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/program.h"
#include "core/spec/corpus_manifest.h"
#include "scheduler/registration.h"
#include "storage/files/run_directory.h"
#include "studies/plan.h"

namespace {

using namespace hyscale;
namespace fs = std::filesystem;

constexpr int kSizes = 4, kBudgets = 5, kWriters = 4;
constexpr int64_t kSteps = 400;  // that a run's record holds

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

std::string spec_text(int runs) {
  std::vector<int> seeds(static_cast<size_t>(std::max(1, runs / (kSizes * kBudgets))));
  std::iota(seeds.begin(), seeds.end(), 0);
  return fmt::format(R"(format: hyscale.study/1
study: large
base: base.yaml
families:
  transformer: {{stack: A}}
sizes: [50K, 100K, 200K, 400K]
budgets: {{flops: [1e11, 2e11, 3e11, 4e11, 5e11]}}
seeds: {{default: [{}]}}
learning_rate: {{at: 100K, value: 3e-3, exponent: -0.25}}
batch: {{tokens: 512}}
schedule: {{kind: trapezoid, warmup: 0.2, cooldown: 0.2, branch: true}}
resources: {{device: cpu, threads: 1}}
slurm: {{partition: main, time: "01:00:00", throttle: {{runs: 64}}}}
)",
                     fmt::join(seeds, ", "));
}

void write_corpus(const std::string& directory) {
  fs::create_directories(directory);
  spec::save_corpus_manifest({.name = "tiny",
                              .directory = directory,
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

storage::RunRecord record_of(const storage::RunRow& run) {
  storage::RunRecord record{
      .run_id = run.run_id, .run_yaml = run.config, .steps = {}, .evals = {}, .provenance = {{"host", "here"}}};
  const int64_t step_tokens = std::max<int64_t>(run.figures.tokens / kSteps, 1);
  for (int64_t k = 1; k <= kSteps; ++k)
    record.steps.push_back({.step = k, .tokens = k * step_tokens, .loss = 3, .lr = run.figures.lr});
  record.evals.push_back({kSteps, run.figures.tokens, 2.0 + 1e6 / static_cast<double>(run.figures.tokens), 1.0, 0.01});
  return record;
}

void write_run(const std::string& store, const storage::RunRow& run) {
  const storage::RunDirectory directory{store + "/runs/" + run.run_id};
  fs::create_directories(directory.checkpoints());
  write_file_atomically(directory.run_yaml(), run.config);
  storage::RunStatus status;
  status.run_id = run.run_id, status.state = storage::WorkerState::done;
  status.step = status.steps = kSteps, status.tokens = run.figures.tokens;
  status.busy_seconds = 10, status.heartbeat = Clock::system().unix_seconds();
  storage::write_status(directory, status);
  storage::write_run_record(directory.run_h5(), record_of(run));
  if (!run.job_id.empty()) cluster::write_end({run.job_id}, {});
}

/// Several processes, because each run waits for the disk a few times.
void write_runs(const std::string& store, const std::vector<storage::RunRow>& runs) {
  std::vector<pid_t> writers;
  for (size_t w = 0; w < kWriters; ++w) {
    writers.push_back(::fork());
    if (writers.back() != 0) continue;
    ::_exit(run_program("large_store", [&] {
      for (size_t i = w; i < runs.size(); i += kWriters) write_run(store, runs[i]);
      return 0;
    }));
  }
  for (const pid_t writer : writers) {
    int status = 0;
    ::waitpid(writer, &status, 0);
    if (status != 0) std::exit(1);
  }
}

void write_spec(const std::string& store, int runs) {
  write_corpus(store + "/corpora/tiny");
  write_file_atomically(store + "/base.yaml", kBase);
  write_file_atomically(store + "/large.yaml", spec_text(runs));
}

void make_store(const std::string& store, int runs) {
  write_spec(store, runs);
  const studies::Plan plan = studies::make_plan(studies::load_study_spec(store + "/large.yaml"), store);
  const auto registration = scheduler::registration_of(plan, scheduler::resolve(plan.spec.resources, 1, 1));
  storage::Database database(store, storage::Database::Mode::create);
  scheduler::write_archive(store, registration, studies::plan_json(plan));
  scheduler::add_to_database(database, registration);
  write_runs(store, registration.runs);
  fmt::print("{} runs of study large in {}\n", registration.runs.size(), store);
}

void finish_runs(const std::string& store) {
  const auto runs = storage::Database(store, storage::Database::Mode::read).runs("large");
  write_runs(store, runs);
  fmt::print("{} runs of study large have ended in {}\n", runs.size(), store);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto store = [&](size_t at) { return fs::absolute(words.at(at)).string(); };
  return run_program("large_store", [&] {
    if (words.size() == 3 && words[0] == "spec")
      write_spec(store(1), std::stoi(words[2]));
    else if (words.size() == 2 && words[0] == "finish")
      finish_runs(store(1));
    else if (words.size() == 2)
      make_store(store(0), std::stoi(words[1]));
    else
      throw ConfigError({.what = "usage: large_store [spec] STORE RUNS, or large_store finish STORE"});
    return 0;
  });
}
