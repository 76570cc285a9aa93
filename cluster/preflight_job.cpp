#include "cluster/preflight_job.h"

#include <filesystem>
#include <fmt/format.h>
#include <optional>

#include "cluster/lock.h"
#include "cluster/slurm_files.h"
#include "cluster/slurm_script.h"
#include "cluster/slurm_text.h"
#include "cluster/slurm_verdict.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheck = "job";
constexpr double kAskSeconds = 1;
constexpr double kArrivalSeconds = 10;  // until a file that another host wrote is seen here

/// The directory of one such job, and all that it needs.
struct Place {
  BatchFiles files;
  std::string findings() const { return files.directory + "/findings.json"; }
  std::string lock() const { return files.directory + "/lock"; }
};

Place prepare(const PreflightJob& job) {
  const Place place{{temporary_name(job.options.directory + "/hyscale-doctor")}};
  make_writable_directory(place.files.directory);
  std::vector<std::string> argv = job.look;
  argv.insert(argv.end(), {"--inside", place.findings(), "--held", place.lock()});
  write_file_atomically(place.files.script(), one_job_script(job.options, place.files, job.shape, argv));
  return place;
}

void remove(const Place& place) {
  std::error_code ignored;
  fs::remove_all(place.files.directory, ignored);
}

std::string last_words(const std::string& text) {
  const size_t end = text.find_last_not_of(" \n");
  if (end == std::string::npos) return "it said nothing";
  const size_t begin = text.rfind('\n', end);
  return begin == std::string::npos ? text.substr(0, end + 1) : text.substr(begin + 1, end - begin);
}

Finding failure(const std::string& what, const std::string& remedy) {
  return {.check = kCheck, .level = Finding::Level::failure, .what = what, .remedy = remedy};
}

Finding refusal(const CommandOutput& said) {
  return failure("Slurm refuses such a job: " + last_words(said.err),
                 "mend the spec's slurm: and resources: sections; sinfo (nodes may be "
                 "down), sacctmgr show assoc and sacctmgr show qos say what there is");
}

/// Its state and reason while Slurm has it and it has not ended; nullopt afterwards.
std::optional<std::string> state_of(const RunCommand& run, int64_t id) {
  const CommandOutput said = run(squeue_argv(), {});
  if (said.exit_code != 0) return "Slurm does not answer";
  const auto records = parse_squeue(said.out);
  const auto record = records.find({.job = id});
  if (record == records.end() || !is_unfinished(record->second)) return std::nullopt;
  const std::string& reason = record->second.reason;
  return record->second.state + (reason.empty() || reason == "None" ? "" : " (" + reason + ")");
}

bool arrives(const std::string& file, const Clock& clock) {
  const double until = clock.steady_seconds() + kArrivalSeconds;
  while (!fs::exists(file) && clock.steady_seconds() < until) clock.sleep(kAskSeconds);
  return fs::exists(file);
}

std::string output_of(const Place& place) {
  const std::string file = place.files.directory + "/output.txt";
  return fs::exists(file) ? last_words(read_file(file)) : "it said nothing";
}

std::vector<Finding> wait_for_findings(const RunCommand& run, const Place& place, int64_t id, const PreflightJob& job,
                                       const std::function<void(const std::string&)>& show, const Clock& clock) {
  const double until = clock.steady_seconds() + job.patience;
  for (auto state = state_of(run, id); state && !fs::exists(place.findings()); state = state_of(run, id)) {
    const bool interrupted = job.interrupted();
    if (interrupted || clock.steady_seconds() > until) {
      run({"scancel", std::to_string(id)}, {});
      remove(place);
      if (interrupted) return {failure(fmt::format("job {} is cancelled: interrupted", id), "ask again")};
      return {failure(fmt::format("job {} has not ended after {:.0f} s: {}", id, job.patience, *state),
                      "wait longer (--patience SECONDS), or ask for less: nodes, GPUs, time, another partition")};
    }
    if (show) show(fmt::format("job {}: {}", id, *state));
    clock.sleep(kAskSeconds);
  }
  if (!arrives(place.findings(), clock))
    return {failure(fmt::format("job {} ended before it could look: {}", id, output_of(place)),
                    "see " + place.files.directory +
                        "/output.txt; the prologue, modules and container must work on the nodes, and the store and "
                        "the programs must lie where the nodes see them")};
  auto findings = findings_from_json(read_file(place.findings()));
  remove(place);
  return findings;
}

}  // namespace

Finding check_submission(const RunCommand& run, const PreflightJob& job) {
  const Place place = prepare(job);
  const CommandOutput said = run({"sbatch", "--test-only", place.files.script()}, {});
  remove(place);
  if (said.exit_code != 0) return refusal(said);
  return {.check = kCheck, .what = last_words(said.err + said.out)};
}

std::vector<Finding> preflight_in_job(const RunCommand& run, const PreflightJob& job,
                                      const std::function<void(const std::string& text)>& show, const Clock& clock) {
  const Place place = prepare(job);
  const Descriptor held = take_lock(place.lock());
  const CommandOutput said = run({"sbatch", "--parsable", place.files.script()}, {});
  const auto id = parse_sbatch(said.out);
  if (said.exit_code == 0 && id) return wait_for_findings(run, place, *id, job, show, clock);
  remove(place);
  return {refusal(said)};
}

}  // namespace hyscale::cluster
