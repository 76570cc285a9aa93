#include "parallel/restore.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"

namespace hyscale::parallel {
namespace {

/// Rows and evaluations of the first `step` steps.
void cut(storage::Curve& curve, int64_t step) {
  std::erase_if(curve.steps, [&](const storage::StepRow& row) { return row.step > step; });
  std::erase_if(curve.evals, [&](const storage::EvalRow& row) { return row.step > step; });
}

std::unique_ptr<storage::CheckpointReader> open_if_usable(const storage::RunDirectory& run, int64_t step,
                                                          const RunIdentity& identity, int64_t complete_until) {
  const std::string path = storage::checkpoint_path(run, step);
  if (step > complete_until) {
    log::warn(fmt::format("{} is passed over: the curve is complete up to step {} only", path, complete_until));
    return nullptr;
  }
  try {
    auto reader = std::make_unique<storage::CheckpointReader>(path);
    if (reader->info().run_id == identity.run_id && reader->info().step == step) return reader;
    log::warn(path + " is passed over: it belongs to another run or step");
  } catch (const DamagedFile& e) {
    log::warn(e.problems().front().what + "; the checkpoint before it is used");
  }
  return nullptr;
}

/// The trunk's identity: its config with our corpus. Another corpus there shows as another run id.
RunIdentity trunk_identity(const storage::CheckpointReader& reader, const RunIdentity& identity,
                           const std::string& from) {
  RunIdentity trunk = identify(spec::parse_run_config(reader.info().run_yaml, from), identity.corpus);
  if (trunk.run_id != reader.info().run_id)
    throw ConfigError({.what = fmt::format("--from {}: the trunk was trained on another corpus, or by a version with "
                                           "other numerics",
                                           from),
                       .why = "a branch is the stand-alone run of its budget",
                       .remedy = "train the trunk again, or run this config without --from"});
  return trunk;
}

std::unique_ptr<storage::CheckpointReader> open_trunk(const std::string& from) {
  const char* remedy =
      "name another checkpoint of the trunk, or leave --from out: that trains the same run from step 0";
  if (!std::filesystem::is_regular_file(from))
    throw ConfigError({.what = fmt::format("--from {}: there is no such checkpoint", from), .remedy = remedy});
  try {
    return std::make_unique<storage::CheckpointReader>(from);
  } catch (const DamagedFile& e) {
    throw ConfigError({.what = fmt::format("--from: {}", e.problems().front().what), .remedy = remedy});
  }
}

}  // namespace

storage::RunDirectory directory_of_checkpoint(const std::string& checkpoint) {
  return {std::filesystem::absolute(checkpoint).parent_path().parent_path().string()};
}

StartPoint branch_from(const std::string& from, const RunIdentity& identity) {
  StartPoint start;
  start.checkpoint = open_trunk(from);
  start.step = start.checkpoint->info().step;
  start.branch = true;
  check_branch(trunk_identity(*start.checkpoint, identity, from), identity, start.step, from);
  start.curve = storage::read_curve(directory_of_checkpoint(from));
  if (start.curve.complete_until() < start.step)
    throw ConfigError({.what = fmt::format("--from {}: the trunk's curve is complete up to step {} only", from,
                                           start.curve.complete_until()),
                       .why = "a branch's curve begins with the trunk's rows",
                       .remedy = "use an earlier checkpoint, or run this config without --from"});
  cut(start.curve, start.step);
  start.curve.attempts = 0;
  start.curve.busy_seconds = 0;
  return start;
}

StartPoint find_start(const OpenRun& open, const RunIdentity& identity, const std::string& from) {
  StartPoint start;
  start.curve = storage::stitch_curve(open.directory);
  for (const std::string& damage : start.curve.damage) log::warn(damage);
  start.attempt = start.curve.attempts + 1;
  std::vector<int64_t> steps = storage::list_checkpoints(open.directory);
  std::reverse(steps.begin(), steps.end());
  for (const int64_t step : steps) {
    start.checkpoint = open_if_usable(open.directory, step, identity, start.curve.complete_until());
    if (start.checkpoint == nullptr) continue;
    start.step = step;
    cut(start.curve, step);
    return start;
  }
  if (!from.empty()) {
    StartPoint branch = branch_from(from, identity);
    branch.attempt = start.attempt;
    return branch;
  }
  if (open.resumed) log::warn(open.directory.path + " has no checkpoint to resume from: starting at step 0");
  cut(start.curve, 0);
  return start;
}

}  // namespace hyscale::parallel
