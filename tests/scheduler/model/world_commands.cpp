// What the commands of the model's Slurm say.

#include <array>
#include <ctime>
#include <fmt/format.h>
#include <regex>

#include "cluster/slurm_files.h"
#include "core/base/files.h"
#include "tests/scheduler/model/world.h"

namespace hyscale::scheduler::model {
namespace {

std::string local_time(double unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm time{};
  ::localtime_r(&seconds, &time);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &time);
  return text.data();
}

std::string option(const std::string& script, const std::string& name) {
  std::smatch found;
  const std::regex line("#SBATCH --" + name + "=(.*)");
  return std::regex_search(script, found, line) ? found[1].str() : "";
}

}  // namespace

cluster::CommandOutput World::answer(const std::vector<std::string>& argv) {
  if (argv[0] == "scontrol" && argv[1] == "show")
    return {.out = fmt::format("ClusterName = model\nMaxArraySize = 1001\nBOOT_TIME = {}\n"
                               "AccountingStorageType = accounting_storage/{}\n",
                               local_time(booted_), accounting_ ? "slurmdbd" : "none")};
  if (argv[0] == "sbatch") return sbatch(argv);
  if (argv[0] == "squeue") return queue();
  if (argv[0] == "sacct") return accounts(argv[5]);
  if (argv[0] == "scancel") scancel(argv);
  return {};
}

cluster::CommandOutput World::sbatch(const std::vector<std::string>& argv) {
  if (mishap == Mishap::killed_before) throw Killed{};
  const std::string script = read_file(argv.back());
  Array array{.name = option(script, "job-name"), .tasks = {}};
  for (const std::string& word : argv)
    if (word.starts_with("--dependency=aftercorr:")) array.after = std::stoll(word.substr(23));
  for (const auto& [index, jobs] : cluster::read_tasks({store_ + "/slurm/" + array.name}).jobs) {
    array.tasks[index].job = jobs.at(0);
    asked.insert(jobs.at(0));
  }
  const Mishap now = std::exchange(mishap, Mishap::none);
  if (now == Mishap::not_taken) return {.exit_code = 124};
  array.late = now == Mishap::taken_late ? 2 : 0;  // by when nobody expects it any more
  const int64_t id = next_++;
  arrays_.emplace(id, std::move(array));
  remove_orphans();
  if (now == Mishap::killed_after) throw Killed{};
  if (now != Mishap::none) return {.exit_code = 124};
  return {.out = std::to_string(id) + "\n"};
}

void World::remove_orphans() {
  for (auto& [id, array] : arrays_)
    for (auto& [index, task] : array.tasks) {
      if (array.after == 0 || task.state != "PENDING") continue;
      const std::string& trunk = arrays_.at(array.after).tasks.at(index).state;
      if (trunk == "PENDING" || trunk == "RUNNING" || trunk == "COMPLETED") continue;
      task.state = "CANCELLED", task.reason = "DependencyNeverSatisfied", task.ended = clock.now;
      if (!array.lost) task.truth.is = Truth::Is::ended, task.truth.cause = cluster::EndCause::not_begun;
    }
}

cluster::CommandOutput World::queue() const {
  if (deaf) return {.exit_code = 1};
  constexpr double kKept = 300;  // after its end, where sacct can tell of it later
  std::string lines;
  for (const auto& [id, array] : arrays_)
    for (const auto& [index, task] : array.tasks) {
      const bool has_ended = task.ended > 0 && task.state != "PENDING" && task.state != "RUNNING";
      if (array.lost || array.late > 0 || (has_ended && accounting_ && clock.now - task.ended > kKept)) continue;
      lines += fmt::format("{}|{}|{}|{}|{}|{}\n", id, index, task.state, has_ended ? local_time(task.ended) : "N/A",
                           array.name, task.reason);
    }
  return {.out = lines};
}

/// Of a lost array it was never told the end.
cluster::CommandOutput World::accounts(const std::string& which) const {
  if (deaf) return {.exit_code = 1};
  std::string lines;
  for (const auto& [id, array] : arrays_)
    for (const auto& [index, task] : array.tasks) {
      const std::string wanted = which.starts_with("--name=") ? array.name : std::to_string(id);
      if (array.late > 0 ||
          ("," + which.substr(which.find('=') + 1) + ",").find("," + wanted + ",") == std::string::npos)
        continue;
      lines += fmt::format("{}_{}|{}|{}|{}|{}|0:0\n", id, index, array.lost ? "PENDING" : task.state,
                           local_time(task.ended), array.name, task.reason);
    }
  return {.out = lines};
}

void World::scancel(const std::vector<std::string>& argv) {
  bool signal = false, waiting_only = false;
  std::string name;
  for (const std::string& word : argv) {
    signal = signal || word == "--signal=USR1";
    waiting_only = waiting_only || word == "--state=PENDING";
    if (word.starts_with("--name=")) name = word.substr(7);
    const size_t line = word.find('_');
    if (word.starts_with("--") || line == std::string::npos) continue;
    const auto found = arrays_.find(std::stoll(word.substr(0, line)));
    if (found == arrays_.end() || found->second.lost || (!name.empty() && found->second.name != name)) continue;
    Task& task = found->second.tasks.at(std::stoll(word.substr(line + 1)));
    if (task.state == "RUNNING" && signal) task.to_stop = true;
    if (task.state == "RUNNING" && !signal && !waiting_only) violation = "a running task is killed outright";
    if (task.state != "PENDING" || signal) continue;
    task.truth.cause = cluster::EndCause::cancelled_outside;
    end_task(task, "CANCELLED");
  }
}

}  // namespace hyscale::scheduler::model
