#include "scheduler/worker_job.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/process.h"

namespace hyscale::scheduler {

std::string find_worker() {
  const char* named = std::getenv("HYSCALE_WORKER");
  const std::string path = named != nullptr && *named != '\0'
                               ? std::filesystem::absolute(named).string()
                               : (std::filesystem::path(program_path()).parent_path() / "hybrid-worker").string();
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

cluster::Job worker_job(const std::string& store, const std::string& worker, const Settings& settings,
                        const Attempt& attempt) {
  const studies::Resources& r = settings.resources;
  const std::string& run_id = attempt.run.run_id;
  cluster::Job job{.directory = job_directory(store, run_id, attempt.number)};
  make_writable_directory(job.directory);
  const std::string config = job.directory + "/run.yaml";
  write_file_atomically(config, attempt.run.config);

  std::vector<std::string>& argv = job.argv;
  if (r.ranks > 1) {
    argv = {"mpirun", "-n", std::to_string(r.ranks)};
    job.stop_signal = SIGUSR1;  // at a SIGTERM mpirun ends at once and its ranks a second later
  }
  const auto add = [&](std::initializer_list<std::string> words) { argv.insert(argv.end(), words); };
  add({worker, "train", config, "--out", store + "/runs/" + run_id, "--store", store});
  add({"--device", r.device, "--threads", std::to_string(r.threads)});
  if (r.tp > 1) add({"--tp", std::to_string(r.tp)});
  const int64_t micro_batch = attempt.run.micro_batch > 0 ? attempt.run.micro_batch : r.micro_batch;
  if (micro_batch > 0) add({"--micro-batch", std::to_string(micro_batch)});
  add({"--max-epochs", "none"});  // the planner has held the run to the limits of its study
  if (!r.time.empty()) add({"--time-limit", r.time});
  if (attempt.resume) add({"--resume"});
  if (!attempt.from.empty()) add({"--from", attempt.from});
  if (!attempt.checkpoint_at.empty())
    add({"--checkpoint-at", fmt::format("{}", fmt::join(attempt.checkpoint_at, ","))});
  return job;
}

}  // namespace hyscale::scheduler
