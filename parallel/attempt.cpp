#include "parallel/attempt.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "core/base/program.h"
#include "core/kernels/instruction_set.h"
#include "core/spec/corpus_manifest.h"
#include "parallel/gpu_memory.h"
#include "parallel/threads.h"

namespace hyscale::parallel {
namespace {

void check_vocabulary(const spec::RunConfig& config, const spec::DataManifest& data) {
  if (auto problem = spec::vocabulary_problem(config.model.vocabulary, data)) throw ConfigError(std::move(*problem));
}

/// A check, not a result: passing over the same text too often is mostly a mistake in the budget.
void check_epochs(const TrainOptions& options, const spec::RunConfig& config, const data::Mixture& data) {
  const auto epochs =
      data.plan(config.model.context, batch_sequences(config), config.data.seed).epochs(config.train.steps());
  Problems problems;
  for (size_t i = 0; i < epochs.size(); ++i)
    if (options.max_epochs > 0 && epochs[i] > options.max_epochs)
      problems.add({.what = fmt::format("this run passes {:.2f} times over corpus {}, more than --max-epochs {:g}",
                                        epochs[i], data.manifest().parts[i].name, options.max_epochs),
                    .why = "text that is repeated many times teaches less than its tokens suggest",
                    .remedy = fmt::format("train on fewer tokens, add text, or allow it with --max-epochs {:.0f}",
                                          std::ceil(epochs[i]))});
  problems.throw_if_any();
}

std::string directories(const spec::DataManifest& data) {
  std::string text;
  for (const auto& part : data.parts) text += (text.empty() ? "" : ", ") + part.corpus.directory;
  return text;
}

std::set<int64_t> pinned_steps(const TrainOptions& options, const spec::TrainConfig& train) {
  Problems problems;
  std::set<int64_t> steps;
  for (const int64_t tokens : options.checkpoint_tokens) {
    if (tokens <= 0 || tokens > train.tokens || tokens % train.batch_tokens != 0)
      problems.add({.what = fmt::format("--checkpoint-at {}: no step of this run ends there", tokens),
                    .remedy = fmt::format("give multiples of train.batch_tokens ({}) up to {}", train.batch_tokens,
                                          train.tokens)});
    steps.insert(tokens / train.batch_tokens);
  }
  problems.throw_if_any();
  return steps;
}

/// A setting as the attempt or the trunk before had it; "" when there is none.
std::string setting_before(const TrainOptions& options, const std::string& name) {
  const storage::RunDirectory own{options.out};
  for (const auto& run : {own, options.from.empty() ? own : directory_of_checkpoint(options.from)}) {
    try {
      if (const auto before = read_execution(run)) return before->settings.at(name);
    } catch (const std::exception&) {
      // damaged or of another version: named when the directory is opened
    }
  }
  return "";
}

/// As told; else as it was before, when that is here.
std::string choose_device(const TrainOptions& options) {
  if (options.device != "auto") return options.device;
  const std::string before = setting_before(options, "device");
  return before == "cpu" || (before == "cuda" && cuda_devices() > 0) ? before : "auto";
}

/// As told; else as it was before, when it divides the ranks; else 1.
int choose_tp(const TrainOptions& options, int ranks) {
  if (options.tp > 0) return options.tp;
  const int before = std::atoi(setting_before(options, "tp").c_str());
  return before > 0 && ranks % before == 0 ? before : 1;
}

/// As told; else as it was before; else what a GPU's memory holds, or the CPU's usual one.
int64_t choose_micro_batch(const Attempt& attempt) {
  const spec::RunConfig& config = attempt.identity.config;
  const int64_t local = batch_sequences(config) / attempt.mesh.dp;
  if (attempt.options.micro_batch > 0) return std::min(attempt.options.micro_batch, local);
  const int64_t before = std::atoll(setting_before(attempt.options, "micro_batch").c_str());
  if (before > 0 && before <= local) return before;
  if (attempt.device.gpu == nullptr) return std::min(spec::usual_micro_batch(config.model.context), local);
  return fitting_micro_batch(config.model, config.train.precision, attempt.options.step.recompute, local,
                             attempt.device.gpu->memory_use().free);
}

}  // namespace

Attempt::Attempt(const TrainOptions& given, World& all)
    : options(given),
      world(all),
      stop(storage::RunDirectory{given.out}.stop_file(), clock.steady_seconds(), given.time_limit, clock) {}

void prepare(Attempt& a) {
  const TrainOptions& options = a.options;
  spec::RunConfig config = spec::load_run_config(options.run_file, options.overrides);
  a.device = open_device(choose_device(options), config.train.precision, options.deterministic, a.world.ranks().size());
  a.data.emplace(config.data, spec::store_directory(options.store));
  check_vocabulary(config, a.data->manifest());
  check_epochs(options, config, *a.data);
  a.identity = identify(std::move(config), a.data->manifest().identity);
  a.mesh = make_mesh(a.world.ranks().size(), choose_tp(options, a.world.ranks().size()), a.identity.config);
  check_on_one_host(a.mesh, a.world.first_on_host());
  const ThreadPlan threads = set_threads(options.threads, a.world.local_ranks(), options.pin);
  a.plan = {.micro_batch = choose_micro_batch(a),
            .checkpoint_every = options.checkpoint_every,
            .pinned = pinned_steps(options, a.identity.config.train),
            .keep = options.keep,
            .eval_every = options.eval_every};
  a.execution = {.run_id = a.identity.run_id,
                 .canonical = a.identity.canonical,
                 .settings = {{"device", std::string(a.device.word())},
                              {"dp", std::to_string(a.mesh.dp)},
                              {"tp", std::to_string(a.mesh.tp)},
                              {"micro_batch", std::to_string(a.plan.micro_batch)},
                              {"threads", std::to_string(threads.threads)},
                              {"deterministic", options.deterministic ? "yes" : "no"},
                              {"branches", options.step.side_by_side ? "side-by-side" : "in-turn"}},
                 .provenance = {{"commit", build_commit()},
                                {"build", build_flags()},
                                {"kernels", kernels::instruction_set()},
                                {"host", host_name()},
                                {"cpu", cpu_model()},
                                {"recompute", spec::kRecomputes[static_cast<size_t>(options.step.recompute)]},
                                {"gpu", a.device.gpu != nullptr ? a.device.gpu->name() : ""},
                                {"mpi", a.world.library()},
                                {"placement", threads.how},
                                {"corpus", directories(a.data->manifest())},
                                {"from", options.from},
                                {"train_seed", std::to_string(a.identity.config.train.seed)},
                                {"data_seed", std::to_string(a.identity.config.data.seed)}}};
}

void open_directory(Attempt& a) {
  if (!a.leads()) return;
  std::optional<StartPoint> branch;  // looked at before anything is made: a refused branch leaves no directory behind
  if (!a.options.resume && !a.options.from.empty()) branch = branch_from(a.options.from, a.identity);
  a.open = open_run(a.options, a.identity);
  const storage::RunDirectory& run = a.open->directory;
  if (a.open->already_done) return;
  a.start = branch ? std::move(*branch) : find_start(*a.open, a.identity, a.options.from);
  const auto before = a.start.branch ? directory_of_checkpoint(a.options.from) : run;
  if (a.start.step > 0)
    if (const auto execution = read_execution(before))
      for (const std::string& difference : inexact_differences(*execution, a.execution))
        log::warn(fmt::format("the last bits of the curve may change: {}", difference));
  std::set<int64_t> pinned = storage::read_pinned(run);
  pinned.insert(a.plan.pinned.begin(), a.plan.pinned.end());
  storage::write_pinned(run, pinned);
  a.plan.pinned = pinned;
  write_execution(run, a.execution);
}

}  // namespace hyscale::parallel
