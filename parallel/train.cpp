#include "parallel/train.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <optional>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "core/base/program.h"
#include "core/spec/accounting.h"
#include "core/spec/corpus_manifest.h"
#include "parallel/commands.h"
#include "parallel/mesh.h"
#include "parallel/mpi_collective.h"
#include "parallel/restore.h"
#include "parallel/threads.h"
#include "parallel/trainer.h"

namespace hyscale::parallel {
namespace {

constexpr int64_t kMicroBatchTokens = 16384;  // a forward pass of about this many tokens keeps the caches warm
constexpr int64_t kLogLines = 100;            // of a whole run, unless --log-every says otherwise

/// Everything one attempt holds, in the order in which it comes to be.
struct Attempt {
  Attempt(const TrainOptions& given, World& all) : options(given), world(all) {}
  const TrainOptions& options;
  World& world;
  const Clock& clock = Clock::system();
  double started = clock.steady_seconds();
  RunIdentity identity;
  std::optional<data::Corpus> corpus;
  Mesh mesh;
  Execution execution;
  TrainerPlan plan;
  std::optional<OpenRun> open;  // rank 0 only
  StartPoint start;             // checkpoint and curve on rank 0 only
  bool leads() const { return world.ranks().rank() == 0; }
};

/// Runs `work` on every rank. When it throws anywhere, the lowest such rank throws that error and the others end with
/// its status, so that a person reads one message and no rank waits for another.
template <class F>
void together(Collective& ranks, F work) {
  std::exception_ptr error;
  int64_t code = 0;
  try {
    work();
  } catch (const Error& e) {
    error = std::current_exception();
    code = static_cast<int64_t>(e.code());
  } catch (...) {
    error = std::current_exception();
    code = static_cast<int64_t>(ExitCode::failed);
  }
  constexpr int64_t kNobody = std::numeric_limits<int64_t>::min();
  std::array<int64_t, 1> first{error ? -static_cast<int64_t>(ranks.rank()) : kNobody};
  ranks.all_reduce_max(first);
  if (first[0] == kNobody) return;
  ranks.broadcast(std::as_writable_bytes(std::span(&code, 1)), static_cast<int>(-first[0]));
  if (error && first[0] == -ranks.rank()) std::rethrow_exception(error);
  throw CommandEnded{static_cast<ExitCode>(code)};
}

void check_device(const TrainOptions& options, const spec::RunConfig& config) {
  Problems problems;
  if (options.device == "cuda")
    problems.add({.what = "--device cuda: this build has no CUDA back end", .remedy = "use --device cpu"});
  if (config.train.precision != spec::Precision::fp32)
    problems.add({.what = "train.precision: the CPU back end computes in fp32 only",
                  .remedy = "set it with --set train.precision=fp32 (this is another run)"});
  problems.throw_if_any();
}

void check_vocabulary(const spec::RunConfig& config, const spec::CorpusManifest& manifest) {
  if (manifest.vocabulary > config.model.vocabulary)
    throw ConfigError({.what = fmt::format("model.vocabulary is {}, corpus {} has tokens up to {}",
                                           config.model.vocabulary, manifest.name, manifest.vocabulary - 1),
                       .remedy = fmt::format("set model.vocabulary to {}", manifest.vocabulary)});
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

/// Micro-batch: as told; else as the attempt or the trunk before had it; else about kMicroBatchTokens.
int64_t choose_micro_batch(const Attempt& attempt) {
  const TrainOptions& options = attempt.options;
  const spec::RunConfig& config = attempt.identity.config;
  const int64_t local = batch_sequences(config) / attempt.world.ranks().size();
  if (options.micro_batch > 0) return std::min(options.micro_batch, local);
  const storage::RunDirectory own{options.out};
  for (const auto& run : {own, options.from.empty() ? own : directory_of_checkpoint(options.from)}) {
    try {
      if (const auto before = read_execution(run)) {
        const int64_t value = std::atoll(before->settings.at("micro_batch").c_str());
        if (value > 0 && value <= local) return value;
      }
    } catch (const std::exception&) {
      // damaged or of another version: named when the directory is opened
    }
  }
  return std::clamp<int64_t>(kMicroBatchTokens / config.model.context, 1, local);
}

/// What each rank finds out alone: config, corpus, mesh, threads.
void prepare(Attempt& a) {
  const TrainOptions& options = a.options;
  spec::RunConfig config = spec::load_run_config(options.run_file, options.overrides);
  check_device(options, config);
  const std::string directory = spec::corpus_directory(spec::store_directory(options.store), config.data.corpus);
  a.corpus.emplace(directory);
  check_vocabulary(config, a.corpus->manifest());
  a.identity = identify(std::move(config), a.corpus->manifest().identity);
  a.mesh = make_mesh(a.world.ranks(), options.tp, a.identity.config);
  const ThreadPlan threads = set_threads(options.threads, a.world.local_ranks(), options.pin);
  a.plan = {.micro_batch = choose_micro_batch(a),
            .checkpoint_every = options.checkpoint_every,
            .pinned = pinned_steps(options, a.identity.config.train),
            .keep = options.keep,
            .eval_every = options.eval_every};
  a.execution = {.run_id = a.identity.run_id,
                 .canonical = a.identity.canonical,
                 .settings = {{"device", "cpu"},
                              {"dp", std::to_string(a.mesh.dp)},
                              {"tp", std::to_string(a.mesh.tp)},
                              {"micro_batch", std::to_string(a.plan.micro_batch)},
                              {"threads", std::to_string(threads.threads)},
                              {"deterministic", options.deterministic ? "yes" : "no"}},
                 .provenance = {{"commit", build_commit()},
                                {"build", build_flags()},
                                {"host", host_name()},
                                {"cpu", cpu_model()},
                                {"mpi", a.world.library()},
                                {"placement", threads.how},
                                {"corpus", directory},
                                {"from", options.from},
                                {"train_seed", std::to_string(a.identity.config.train.seed)},
                                {"data_seed", std::to_string(a.identity.config.data.seed)}}};
}

/// What rank 0 does to the directory before training.
void open_directory(Attempt& a) {
  if (!a.leads()) return;
  a.open = open_run(a.options, a.identity);
  const storage::RunDirectory& run = a.open->directory;
  if (a.open->already_done) return;
  a.start = find_start(*a.open, a.identity, a.options.from);
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

std::unique_ptr<Recorder> make_recorder(Attempt& a) {
  if (!a.leads()) return nullptr;
  const spec::TrainConfig& train = a.identity.config.train;
  const int64_t log_every =
      a.options.log_every > 0 ? a.options.log_every : std::max<int64_t>(1, train.steps() / kLogLines);
  const spec::Account account = spec::account(a.identity.config.model);
  auto recorder = std::make_unique<Recorder>(RecorderPlan{.directory = a.open->directory,
                                                          .run_id = a.identity.run_id,
                                                          .run_yaml = a.identity.yaml,
                                                          .execution = a.execution,
                                                          .attempt = a.start.attempt,
                                                          .steps = train.steps(),
                                                          .batch_tokens = train.batch_tokens,
                                                          .log_every = log_every,
                                                          .flops_per_token = account.train_flops_per_token.with_head,
                                                          .peak_gflops = a.options.peak_gflops,
                                                          .started = a.clock.unix_seconds()},
                                             std::move(a.start.curve), a.start.step, a.start.branch, a.clock);
  recorder->say(fmt::format("run {}: {} parameters, {} steps of {} tokens; {} x {} on cpu{}, micro-batch {}",
                            a.identity.run_id.substr(0, 12), account.params.total, train.steps(), train.batch_tokens,
                            a.world.ranks().size(), a.execution.provenance.at("placement"),
                            a.options.device == "auto" ? " (chosen: this build has no CUDA)" : "", a.plan.micro_batch));
  if (a.start.step > 0)
    recorder->say(fmt::format("attempt {} begins after step {}{}", a.start.attempt, a.start.step,
                              a.start.branch ? " of the trunk, " + a.options.from : ""));
  return recorder;
}

/// The last status of an attempt that an error ended.
void finish_with_error(Recorder* recorder, const std::exception& e) {
  if (recorder == nullptr) return;
  const auto* error = dynamic_cast<const Error*>(&e);
  ExitCode code = error != nullptr ? error->code() : ExitCode::failed;
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) code = ExitCode::out_of_memory;
  const auto state = code == ExitCode::diverged ? storage::WorkerState::diverged : storage::WorkerState::failed;
  recorder->finish(state, static_cast<int>(code), error != nullptr ? error->problems().front().what : e.what());
}

ExitCode run_attempt(Attempt& a, Recorder* recorder) {
  Collective& ranks = a.world.ranks();
  int64_t begin[2] = {a.start.step, a.start.branch ? 1 : 0};
  ranks.broadcast(std::as_writable_bytes(std::span(begin)), 0);
  TrainState state(a.identity.config, ranks);
  if (begin[0] == 0)
    state.initialise(a.identity.config.train.seed);
  else
    state.load(a.start.checkpoint.get());
  a.start.checkpoint.reset();
  const storage::RunDirectory run{a.options.out};
  StopRequest stop(run.stop_file(), a.started, a.options.time_limit, a.clock);
  Trainer trainer(a.identity, *a.corpus, state, ranks, run, a.plan, recorder, stop, a.clock);
  const StopReason reason = trainer.run(begin[0], begin[1] != 0);
  const bool done = reason == StopReason::none;
  const ExitCode code = done ? ExitCode::done : ExitCode::requeue;
  if (recorder != nullptr)
    recorder->finish(done ? storage::WorkerState::done : storage::WorkerState::stopped, static_cast<int>(code),
                     done ? "" : fmt::format("stopped and checkpointed: {}; --resume carries on", sentence(reason)));
  return code;
}

/// A worker may be killed after run.h5 is there and before it has said so.
void say_already_done(const Attempt& a) {
  log::info(a.options.out + ": already done");
  const storage::RunDirectory& run = a.open->directory;
  storage::RunStatus status;
  if (auto before = storage::read_status(run)) status = *before;
  if (status.state == storage::WorkerState::done && status.run_id == a.identity.run_id) return;
  const storage::RunRecord record = storage::read_run_record(run.run_h5());
  status.run_id = record.run_id;
  status.state = storage::WorkerState::done;
  status.step = status.steps = a.identity.config.train.steps();
  status.tokens = a.identity.config.train.tokens;
  status.loss = record.steps.back().loss;
  status.heartbeat = a.clock.unix_seconds();
  status.exit_code = 0;
  status.message.clear();
  storage::write_status(run, status);
}

}  // namespace

ExitCode train(const TrainOptions& options) {
  World world;
  log::set_quiet(options.quiet || world.ranks().rank() != 0);
  Attempt attempt(options, world);
  std::unique_ptr<Recorder> recorder;
  together(world.ranks(), [&] { prepare(attempt); });
  together(world.ranks(), [&] { open_directory(attempt); });
  int64_t already_done = attempt.leads() && attempt.open->already_done ? 1 : 0;
  world.ranks().broadcast(std::as_writable_bytes(std::span(&already_done, 1)), 0);
  if (already_done != 0) {
    if (attempt.leads()) say_already_done(attempt);
    return ExitCode::done;
  }
  try {
    recorder = make_recorder(attempt);
    return run_attempt(attempt, recorder.get());
  } catch (const DivergedError& e) {  // on all ranks at once
    finish_with_error(recorder.get(), e);
    if (attempt.leads()) throw;
    throw CommandEnded{e.code()};
  } catch (const std::exception& e) {
    finish_with_error(recorder.get(), e);
    if (world.ranks().size() == 1) throw;
    std::fprintf(stderr, "hybrid-worker: rank %d: %s\n", world.ranks().rank(), e.what());
    const auto* error = dynamic_cast<const Error*>(&e);
    world.abort(static_cast<int>(error != nullptr ? error->code() : ExitCode::failed));  // frees the other ranks
  }
}

}  // namespace hyscale::parallel
