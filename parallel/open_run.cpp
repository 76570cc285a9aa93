#include "parallel/open_run.h"

#include <filesystem>
#include <fmt/format.h>
#include <optional>

#include "core/base/error.h"
#include "core/base/log.h"
#include "parallel/execution.h"
#include "storage/files/checkpoint.h"

namespace hyscale::parallel {
namespace {

namespace fs = std::filesystem;
using storage::RunDirectory;

/// No worker was ever here, and the checkpoint is not one of ours.
void check_not_imported(const RunDirectory& run) {
  const std::vector<int64_t> steps = storage::list_checkpoints(run);
  if (fs::exists(run.exec_json()) || steps.empty()) return;
  const std::string path = storage::checkpoint_path(run, steps.back());
  if (storage::CheckpointReader(path).info().run_id != storage::kImportedRunId) return;
  throw ConfigError({.what = fmt::format("{} holds imported weights", path),
                     .why = "they have no optimizer state, and the run of this config starts from its seed",
                     .remedy = "train into another --out; eval, inspect and export work on imported weights"});
}

std::optional<Execution> execution_if_whole(const RunDirectory& run) {
  try {
    return read_execution(run);
  } catch (const DamagedFile& e) {
    log::warn(e.problems().front().what);
    return std::nullopt;
  }
}

/// The canonical form of the run that is in the directory.
std::string canonical_there(const RunDirectory& run, const RunIdentity& identity) {
  if (const auto before = execution_if_whole(run)) return before->canonical;
  return spec::canonical_form(spec::load_run_config(run.run_yaml()), identity.corpus);
}

void check_same_run(const RunDirectory& run, const RunIdentity& identity) {
  const auto difference = first_difference(canonical_there(run, identity), identity.canonical);
  if (!difference) return;
  throw ConfigError({.what = fmt::format("{} holds another run: {}", run.path, *difference),
                     .remedy = "give this run a directory of its own with --out"});
}

/// run.h5 is there and holds this run; a damaged one is named and made again from journal and checkpoints.
bool is_done(const RunDirectory& run, const RunIdentity& identity) {
  if (!fs::exists(run.run_h5())) return false;
  try {
    return storage::read_run_record(run.run_h5()).run_id == identity.run_id;
  } catch (const DamagedFile& e) {
    log::warn(e.problems().front().what + "; it is made again");
    return false;
  }
}

void check_not_diverged(const RunDirectory& run) {
  try {
    const auto status = storage::read_status(run);
    if (status && status->state == storage::WorkerState::diverged)
      throw DivergedError(
          {.what = fmt::format("{} has diverged: {}", run.path, status->message),
           .why = "the same config gives the same loss again",
           .remedy = "change the config (a lower learning rate, a longer warm-up): that is another run"});
  } catch (const DamagedFile& e) {
    log::warn(e.problems().front().what);
  }
}

const fs::file_time_type kProgramBegan = fs::file_time_type::clock::now();

/// A stop file from before this program began asked the worker before us; a younger one asks us.
void forget_old_stop(const RunDirectory& run) {
  std::error_code absent;
  const fs::file_time_type asked = fs::last_write_time(run.stop_file(), absent);
  if (!absent && asked < kProgramBegan) fs::remove(run.stop_file());
}

}  // namespace

OpenRun open_run(const TrainOptions& options, const RunIdentity& identity) {
  const RunDirectory run{options.out};
  const bool there = fs::exists(run.run_yaml());
  if (there && !options.resume)
    throw ConfigError({.what = fmt::format("{} already holds a run", run.path),
                       .remedy = "add --resume to carry it on, or choose another --out"});
  if (!there && options.resume)
    throw ConfigError({.what = fmt::format("--resume: {} holds no run ({} is missing)", run.path, run.run_yaml()),
                       .remedy = "leave --resume out to start the run there"});
  if (there) check_not_imported(run);
  make_writable_directory(run.path);
  make_writable_directory(run.checkpoints());
  OpenRun open{.directory = run, .lock = std::make_unique<FileLock>(run.lock(), FileLock::Wait::no)};
  if (!open.lock->held())
    throw IoError({.what = fmt::format("another worker trains in {}", run.path),
                   .remedy = "wait for it, or ask it to stop: touch " + run.stop_file()});
  storage::remove_leftovers(run);
  if (!there) {
    write_file_atomically(run.run_yaml(), identity.yaml);
    return open;
  }
  check_same_run(run, identity);
  check_not_diverged(run);
  if (read_file(run.run_yaml()) != identity.yaml) write_file_atomically(run.run_yaml(), identity.yaml);  // same run
  open.resumed = true;
  open.already_done = is_done(run, identity);
  forget_old_stop(run);
  return open;
}

}  // namespace hyscale::parallel
