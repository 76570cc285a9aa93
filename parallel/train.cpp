#include "parallel/train.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>
#include <new>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "core/base/program.h"
#include "core/spec/accounting.h"
#include "parallel/alike.h"
#include "parallel/attempt.h"
#include "parallel/commands.h"
#include "parallel/gpu_memory.h"
#include "parallel/together.h"

namespace hyscale::parallel {
namespace {

constexpr int64_t kLogLines = 100;    // of a whole run, unless --log-every says otherwise
constexpr int64_t kFewestSteps = 10;  // between two lines: a line costs tens of microseconds, a tiny step milliseconds

std::string message_of(const std::exception& e) {
  const auto* error = dynamic_cast<const Error*>(&e);
  return error != nullptr ? error->problems().front().what : e.what();
}

std::string place_of(const Attempt& a) {
  if (a.device.gpu != nullptr) return fmt::format("{} in {}", a.device.gpu->name(), a.device.precision());
  return a.execution.provenance.at("placement") + " on cpu";
}

std::unique_ptr<Recorder> make_recorder(Attempt& a) {
  if (!a.leads()) return nullptr;
  const spec::TrainConfig& train = a.identity.config.train;
  const int64_t log_every =
      a.options.log_every > 0 ? a.options.log_every : std::max(kFewestSteps, train.steps() / kLogLines);
  const spec::Account account = spec::account(a.identity.config.model);
  auto recorder = std::make_unique<Recorder>(RecorderPlan{.directory = a.open->directory,
                                                          .run_id = a.identity.run_id,
                                                          .run_yaml = a.identity.yaml,
                                                          .execution = a.execution,
                                                          .attempt = a.start.attempt,
                                                          .steps = train.steps(),
                                                          .batch_tokens = train.batch_tokens,
                                                          .log_every = log_every,
                                                          .ranks = a.world.ranks().size(),
                                                          .flops_per_token = account.train_flops_per_token.with_head,
                                                          .peak_gflops = a.options.peak_gflops,
                                                          .started = a.clock.unix_seconds()},
                                             std::move(a.start.curve), a.start.step, a.start.branch, a.clock);
  recorder->say(fmt::format("run {}: {} parameters, {} steps of {} tokens; {} x {}{}, micro-batch {}",
                            a.identity.run_id.substr(0, 12), account.params.total, train.steps(), train.batch_tokens,
                            a.world.ranks().size(), place_of(a),
                            a.device.note.empty() ? "" : " (chosen: " + a.device.note + ")", a.plan.micro_batch));
  if (a.start.step > 0)
    recorder->say(fmt::format("attempt {} begins after step {}{}", a.start.attempt, a.start.step,
                              a.start.branch ? " of the trunk, " + a.options.from : ""));
  return recorder;
}

void write_last_status(const Attempt& a, storage::WorkerState state, ExitCode code, const std::string& message) {
  try {
    const storage::RunDirectory run{a.options.out};
    storage::RunStatus status = storage::read_status(run).value_or(storage::RunStatus{});
    status.run_id = a.identity.run_id;
    status.state = state;
    status.exit_code = static_cast<int>(code);
    status.message = message;
    status.heartbeat = a.clock.unix_seconds();
    storage::write_status(run, status);
  } catch (const Error& second) {
    log::warn(second.problems().front().what);  // the first error is the one to report
  }
}

/// The last status of an attempt that an error ended, in whatever part of its life and on whatever rank.
void finish_with_error(const Attempt& a, Recorder* recorder, const std::exception& e) {
  const ExitCode code = code_of(e);
  const auto state = code == ExitCode::diverged ? storage::WorkerState::diverged : storage::WorkerState::failed;
  if (recorder != nullptr) return recorder->finish(state, static_cast<int>(code), message_of(e));
  const bool ours = a.leads() ? a.open.has_value() && !a.open->already_done : a.world.ranks().size() > 1;
  if (ours) write_last_status(a, state, code, message_of(e));
}

ExitCode run_attempt(Attempt& a, Recorder* recorder) {
  Collective& ranks = a.world.ranks();
  int64_t begin[2] = {a.start.step, a.start.branch ? 1 : 0};
  ranks.broadcast(std::as_writable_bytes(std::span(begin)), 0);
  TrainState state(a.identity.config, a.device, *a.groups, a.options.step,
                   a.options.overlap && a.world.has_threads() ? &*a.reducer_groups : nullptr);
  if (begin[0] == 0)
    state.initialise(a.identity.config.train.seed);
  else
    state.load(a.start.checkpoint.get());
  a.start.checkpoint.reset();
  const storage::RunDirectory run{a.options.out};
  CheckpointWriter writer(state, *a.writer_groups, a.world.has_threads(), a.clock);
  Trainer trainer(a.identity, *a.data, state, writer, *a.groups, run, a.plan, recorder, a.stop, a.clock);
  const StopReason reason = trainer.run(begin[0], begin[1] != 0);
  std::array<int64_t, 1> peak{peak_memory_bytes()};
  ranks.all_reduce_max(peak);
  if (recorder != nullptr) recorder->peak_memory(peak[0]);
  const bool done = reason == StopReason::none;
  const ExitCode code = done ? ExitCode::done : ExitCode::requeue;
  if (recorder != nullptr)
    recorder->finish(done ? storage::WorkerState::done : storage::WorkerState::stopped, static_cast<int>(code),
                     done ? "" : fmt::format("stopped and checkpointed: {}; --resume carries on", sentence(reason)));
  return code;
}

/// Says what would fit when the GPU's memory does not suffice.
ExitCode run_in_memory(Attempt& a, Recorder* recorder) {
  try {
    return run_attempt(a, recorder);
  } catch (const OutOfMemory& e) {
    if (a.device.gpu == nullptr) throw;
    throw explain(e, a.identity.config, a.plan.micro_batch, a.options.step.recompute, a.device.gpu->memory_use());
  }
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
  World world(options.hang_limit);
  log::set_quiet(options.quiet || world.ranks().rank() != 0);
  Attempt attempt(options, world);
  together(world.ranks(), [&] { prepare(attempt); });
  together(world.ranks(), [&] { check_alike(attempt.execution, attempt.mesh, world.ranks()); });
  together(world.ranks(), [&] {
    try {
      open_directory(attempt);
    } catch (const std::exception& e) {
      finish_with_error(attempt, nullptr, e);
      throw;
    }
  });
  attempt.groups.emplace(world.groups(attempt.mesh));
  attempt.writer_groups.emplace(world.groups_of_a_thread(attempt.mesh));
  attempt.reducer_groups.emplace(world.groups_of_a_thread(attempt.mesh));
  int64_t already_done = attempt.leads() && attempt.open->already_done ? 1 : 0;
  world.ranks().broadcast(std::as_writable_bytes(std::span(&already_done, 1)), 0);
  if (already_done != 0) {
    if (attempt.leads()) say_already_done(attempt);
    return ExitCode::done;
  }
  world.on_hang([&attempt](const std::string& message) {
    write_last_status(attempt, storage::WorkerState::failed, ExitCode::failed, message);
  });
  std::unique_ptr<Recorder> recorder;
  try {
    recorder = make_recorder(attempt);
    return run_in_memory(attempt, recorder.get());
  } catch (const DivergedError& e) {  // on all ranks at once
    // all is said before the first one leaves
    together(world.ranks(), [&] {
      if (!attempt.leads()) return;
      finish_with_error(attempt, recorder.get(), e);
      report(kProgram, e);
    });
    return e.code();
  } catch (const std::exception& e) {
    finish_with_error(attempt, recorder.get(), e);
    end_all_ranks(world, e);
  }
}

}  // namespace hyscale::parallel
