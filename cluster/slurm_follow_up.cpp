// The job behind all others of a study.

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "cluster/slurm.h"
#include "cluster/slurm_script.h"
#include "cluster/slurm_text.h"
#include "cluster/slurm_verdict.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {

namespace fs = std::filesystem;

SlurmBackend::Unfinished SlurmBackend::unfinished_arrays() const {
  const CommandOutput queue = run_(squeue_argv(), {});
  if (queue.exit_code != 0)
    throw IoError({.what = "Slurm does not answer: " + queue.err, .remedy = "try again when scontrol ping says UP"});
  std::map<int64_t, std::pair<std::string, int64_t>> arrays;  // name and unfinished tasks
  for (const auto& [task, record] : parse_squeue(queue.out))
    if (is_unfinished(record) && is_array_of(options_.label, record.name))
      arrays[task.job].first = record.name, ++arrays[task.job].second;
  Unfinished all;
  for (const auto& [job, array] : arrays) {
    const auto submitted = read_submitted({options_.directory + "/" + array.first});
    const int64_t throttle = submitted ? submitted->throttle : 0;
    all.jobs.push_back(job);
    all.at_once += throttle > 0 ? std::min(throttle, array.second) : array.second;
  }
  return all;
}

void SlurmBackend::follow_up(const FollowUp& job) {
  take_out_follow_up();
  const auto behind = unfinished_arrays().jobs;
  const BatchFiles files = follow_up_files();
  make_writable_directory(files.directory);
  write_file_atomically(files.script(), follow_up_script(options_, files, job));
  std::vector<std::string> argv{"sbatch", "--parsable"};
  if (!behind.empty()) argv.push_back("--dependency=" + dependency(0, behind));
  argv.push_back(files.script());
  const CommandOutput said = run_(argv, {});
  const auto id = parse_sbatch(said.out);
  if (said.exit_code != 0 || !id) {
    fs::remove(follow_up_due());
    throw ConfigError({.what = "Slurm refuses the job " + files.name() + ": " + said.err,
                       .remedy = "name a partition for it, or leave it out; the script is " + files.script()});
  }
  write_submitted(files, {.job = *id, .time = clock_.unix_seconds()});
  fs::remove(follow_up_due());
}

bool SlurmBackend::is_follow_up_due() const { return fs::exists(follow_up_due()); }

void SlurmBackend::withdraw_follow_up() {
  take_out_follow_up();
  fs::remove(follow_up_due());
}

void SlurmBackend::take_out_follow_up() {
  if (const auto before = read_submitted(follow_up_files()))
    run_({"scancel", "--quiet", "--state=PENDING", std::to_string(before->job)}, {});
}

}  // namespace hyscale::cluster
