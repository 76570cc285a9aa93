#include "scheduler/worker_job.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>
#include <unistd.h>

#include "cluster/gpu_lease.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/process.h"
#include "storage/files/run_directory.h"

namespace hyscale::scheduler {

std::string worker_path() {
  const char* named = std::getenv("HYSCALE_WORKER");
  if (named != nullptr && *named != '\0') return std::filesystem::absolute(named).string();
  return (std::filesystem::path(program_path()).parent_path() / "hybrid-worker").string();
}

std::string find_worker() {
  const std::string path = worker_path();
  if (::access(path.c_str(), X_OK) != 0)
    throw ConfigError({.what = "there is no worker at " + path,
                       .remedy = "build hybrid-worker, or name it with HYSCALE_WORKER=/path/to/hybrid-worker"});
  return path;
}

std::string job_directory(const std::string& store, const std::string& run_id, int attempt) {
  return fmt::format("{}/jobs/{}/{}", store, run_id, attempt);
}

std::string cancel_mark(const std::string& store, const std::string& run_id, int attempt) {
  return job_directory(store, run_id, attempt) + "/cancelled";
}

std::string slurm_directory(const std::string& store) { return store + "/jobs/slurm"; }

namespace {

int64_t seconds_of(const std::string& time) {
  int64_t hours = 0, minutes = 0, seconds = 0;
  char colon = 0;
  std::istringstream(time) >> hours >> colon >> minutes >> colon >> seconds;
  return hours * 3600 + minutes * 60 + seconds;
}

/// What starts the ranks.
std::vector<std::string> launcher(const Settings& settings) {
  if (settings.resources.ranks <= 1) return {};
  std::vector<std::string> argv = rank_launcher(settings);
  argv.insert(argv.end(), {"-n", std::to_string(settings.resources.ranks)});
  return argv;
}

/// What a job in a queue knows beside its command: hours may pass, and it may be started more than once.
void prepare_for_queue(cluster::Job& job, const std::string& run, const Settings& settings, const Attempt& attempt) {
  const storage::RunDirectory directory{run};
  job.shape = shape_of(settings);
  job.after = attempt.after;
  if (!attempt.after.empty()) job.needs = attempt.from;
  job.begun = directory.run_yaml(), job.resume = "--resume";
  job.progress = directory.status_json();
  job.stop_signal = SIGUSR1;
}

std::string time_limit(const Settings& settings) {
  if (settings.on != "slurm") return settings.resources.time;
  const cluster::SlurmOptions options = slurm_options("", "", settings);
  return options.seconds > 0 ? std::to_string(options.seconds - options.signal_seconds) : "";
}

/// In front of the job: it waits for its GPUs, then becomes the job.
void wait_for_gpus(std::vector<std::string>& argv, const Settings& settings) {
  std::vector<std::string> holder =
      cluster::holding_gpus({.count = static_cast<int>(std::max<int64_t>(settings.resources.gpus, 1)),
                             .share = static_cast<int>(std::max<int64_t>(settings.resources.runs_per_gpu, 1)),
                             .of = settings.gpus});
  holder.insert(holder.begin(), program_path());
  argv.insert(argv.begin(), holder.begin(), holder.end());
}

}  // namespace

std::vector<std::string> rank_launcher(const Settings& settings) {
  if (settings.on != "slurm") return {"mpirun"};
  if (settings.slurm.mpi == "srun") return {"srun", "--mpi=pmix", "--exact"};
  // Several of them on the same cores would each bind to the first ones.
  if (settings.resources.runs_per_gpu > 1) return {"mpirun", "--bind-to", "none"};
  return {"mpirun"};
}

cluster::JobShape shape_of(const Settings& settings) {
  return {.nodes = static_cast<int>(settings.slurm.nodes),
          .tasks = static_cast<int>(settings.resources.ranks),
          .cpus_per_task = static_cast<int>(settings.resources.threads),
          .gpus = static_cast<int>(settings.resources.gpus)};
}

cluster::SlurmOptions slurm_options(const std::string& store, const std::string& study, const Settings& settings) {
  const studies::SlurmSpec& s = settings.slurm;
  cluster::SlurmOptions o{.label = study,
                          .directory = slurm_directory(store),
                          .keeper = {program_path(), "keep-task"},
                          .partition = s.partition,
                          .account = s.account,
                          .qos = s.qos,
                          .constraint = s.constraint,
                          .seconds = seconds_of(s.time.empty() ? settings.resources.time : s.time),
                          .signal_seconds = s.signal_seconds,
                          .gpu_type = s.gpu_type,
                          .extra = s.extra,
                          .modules = s.modules,
                          .prologue = s.prologue,
                          .pack = s.pack,
                          .side_by_side = settings.resources.runs_per_gpu,
                          .most_runs = s.throttle_runs,
                          .most_gpus = s.throttle_gpus};
  if (o.signal_seconds == 0) o.signal_seconds = std::clamp<int64_t>(o.seconds / 10, 10, 300);
  if (o.seconds > 0) o.signal_seconds = std::min(o.signal_seconds, o.seconds / 2);
  return o;
}

cluster::Job worker_job(const std::string& store, const std::string& worker, const Settings& settings,
                        const Attempt& attempt) {
  const studies::Resources& r = settings.resources;
  const std::string& run_id = attempt.run.run_id;
  const std::string run = store + "/runs/" + run_id;
  cluster::Job job{.directory = job_directory(store, run_id, attempt.number)};
  make_writable_directory(job.directory);
  const std::string config = job.directory + "/run.yaml";
  replace_file(config, attempt.run.config);

  std::vector<std::string>& argv = job.argv;
  argv = launcher(settings);
  if (!argv.empty()) job.stop_signal = SIGUSR1;  // at a SIGTERM mpirun ends at once and its ranks a second later
  if (settings.on == "slurm") {
    prepare_for_queue(job, run, settings, attempt);
    argv.insert(argv.end(), settings.slurm.container.begin(), settings.slurm.container.end());
  }
  const auto add = [&](std::initializer_list<std::string> words) { argv.insert(argv.end(), words); };
  add({worker, "train", config, "--out", run, "--store", store});
  add({"--device", r.device, "--threads", std::to_string(r.threads)});
  if (r.tp > 1) add({"--tp", std::to_string(r.tp)});
  const int64_t micro_batch = attempt.run.micro_batch > 0 ? attempt.run.micro_batch : r.micro_batch;
  if (micro_batch > 0) add({"--micro-batch", std::to_string(micro_batch)});
  add({"--max-epochs", "none"});  // the planner has held the run to the limits of its study
  if (const std::string limit = time_limit(settings); !limit.empty()) add({"--time-limit", limit});
  if (attempt.resume) add({"--resume"});
  if (!attempt.from.empty()) add({"--from", attempt.from});
  if (!attempt.checkpoint_at.empty())
    add({"--checkpoint-at", fmt::format("{}", fmt::join(attempt.checkpoint_at, ","))});
  if (!settings.gpus.empty()) wait_for_gpus(argv, settings);
  return job;
}

}  // namespace hyscale::scheduler
