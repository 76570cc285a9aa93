#include "cluster/slurm_task.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <nlohmann/json.hpp>

#include "cluster/command.h"
#include "cluster/job_files.h"
#include "cluster/lock.h"
#include "cluster/slurm_files.h"
#include "cluster/spawn.h"
#include "core/base/error.h"
#include "core/base/exit_code.h"
#include "core/base/files.h"

namespace hyscale::cluster {
namespace {

namespace fs = std::filesystem;

constexpr int kRequeue = static_cast<int>(ExitCode::requeue);

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// How far the job has come; -1: it has not said.
int64_t step_of(const Job& job) {
  try {
    return job.progress.empty() ? -1 : nlohmann::json::parse(read_file(job.progress)).at("step").get<int64_t>();
  } catch (const std::exception&) {
    return -1;
  }
}

struct Running {
  JobFiles files;
  Job job;
  Descriptor lock;
  pid_t worker = 0;
  int launch = 1, silent = 0;
  int64_t step = -1;  // at its start
};

class Task {
 public:
  explicit Task(const BatchFiles& batch)
      : id_(fmt::format("{}_{}", environment("SLURM_ARRAY_JOB_ID"), environment("SLURM_ARRAY_TASK_ID"))) {
    const TaskList list = read_tasks(batch);
    const auto mine = list.jobs.find(std::atoll(environment("SLURM_ARRAY_TASK_ID").c_str()));
    if (mine == list.jobs.end())
      throw ConfigError({.what = fmt::format("{} has no task {}", batch.tasks(), environment("SLURM_ARRAY_TASK_ID")),
                         .remedy = "this is started by Slurm, for a study that was submitted to it"});
    jobs_ = mine->second;
    side_by_side_ = static_cast<size_t>(std::max<int64_t>(list.side_by_side, 1));
    sigemptyset(&heard_);
    for (const int signal : {SIGUSR1, SIGTERM, SIGCHLD}) sigaddset(&heard_, signal);
    sigprocmask(SIG_BLOCK, &heard_, nullptr);
  }

  int run() {
    size_t next = 0;
    while (next < jobs_.size() || !running_.empty()) {
      while (next < jobs_.size() && running_.size() < side_by_side_ && !asked_) start({jobs_[next++]});
      if (running_.empty()) break;
      hear();
    }
    const bool left_over = next < jobs_.size();
    if ((left_over || !again_.empty()) && !terminated_ && requeue()) return kRequeue;
    return left_over && status_ == 0 ? kRequeue : status_;
  }

 private:
  void start(const JobFiles& files) {
    try {
      if (auto begun = begin(files)) running_.push_back(std::move(*begun));
    } catch (const Error& error) {
      std::fprintf(stderr, "study: %s\n", error.what());
      end(files, {.exit_code = kNoSuchProgram});
    }
  }

  /// nullopt: there is nothing to start.
  std::optional<Running> begin(const JobFiles& files) {
    Descriptor lock = wait_for_lock(files);
    if (lock.get() < 0) return std::nullopt;
    const auto before = read_end(files);
    if (before && !before->requeued && !fs::exists(files.terminated())) return settle(before->exit_code), std::nullopt;
    if (fs::exists(files.revoked())) return settle(kRequeue), std::nullopt;
    Job job = read_command(files);
    if (!job.needs.empty() && !fs::exists(job.needs) && (job.begun.empty() || !fs::exists(job.begun))) {
      end(files, {.exit_code = kRequeue, .cause = EndCause::not_begun});
      return std::nullopt;
    }
    const auto processes = read_processes(files);
    const int launch = processes ? processes->launch + 1 : 1;
    const bool spoke = fs::exists(files.terminated()) || (before && processes && before->launch == processes->launch);
    const int silent = processes ? processes->silent + (spoke ? 0 : 1) : 0;
    const bool resumes = !job.begun.empty() && fs::exists(job.begun);
    if (resumes && std::find(job.argv.begin(), job.argv.end(), job.resume) == job.argv.end())
      job.argv.push_back(job.resume);
    for (const std::string& old : {files.ended(), files.terminated()}) fs::remove(old);
    if (!job.working_directory.empty() && ::chdir(job.working_directory.c_str()) != 0)
      throw IoError({.what = "cannot enter " + job.working_directory});
    const int64_t step = step_of(job);
    const pid_t worker = spawn(job.argv, {.output = files.output(), .lock_descriptor = lock.get()});
    write_processes(files, {.keeper = this_process(),
                            .worker = find_process(worker).value_or(ProcessIdentity{worker, 0}),
                            .host = host_name(),
                            .slurm_job = id_,
                            .launch = launch,
                            .silent = silent});
    return Running{files, std::move(job), std::move(lock), worker, launch, silent, step};
  }

  /// Another copy of this task may still run the job: a controller that was killed starts a task twice, and a node
  /// that Slurm thinks dead goes on computing.
  Descriptor wait_for_lock(const JobFiles& files) {
    make_writable_directory(files.directory);
    while (is_locked(files.lock())) {
      timespec second{.tv_sec = 1, .tv_nsec = 0};
      note(::sigtimedwait(&heard_, nullptr, &second));
      if (asked_ || terminated_) return settle(kRequeue), Descriptor(-1);
    }
    return take_lock(files.lock());
  }

  void hear() {
    note(::sigwaitinfo(&heard_, nullptr));
    int status = 0;
    for (pid_t child = 0; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto found =
          std::find_if(running_.begin(), running_.end(), [&](const Running& r) { return r.worker == child; });
      if (found == running_.end()) continue;
      const Running done = std::move(*found);
      running_.erase(found);
      take_in(done, status);
    }
  }

  void note(int signal) {
    if (signal == SIGUSR1) {
      asked_ = true;
      for (const Running& r : running_) ::kill(r.worker, r.job.stop_signal);
    }
    if (signal == SIGTERM) {
      terminated_ = asked_ = true;
      for (const Running& r : running_) replace_file(r.files.terminated(), "");
    }
  }

  void take_in(const Running& r, int status) {
    JobEnd how{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
               .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
               .launch = r.launch,
               .silent = r.silent};
    // Slurm may be about to say that it ends the task; a worker gets that signal at the same time.
    timespec moment{.tv_sec = 0, .tv_nsec = 200'000'000};
    if (how.exit_code != 0 && !terminated_) {
      sigset_t term;
      sigemptyset(&term), sigaddset(&term, SIGTERM);
      if (::sigtimedwait(&term, nullptr, &moment) == SIGTERM) {
        note(SIGTERM);
        replace_file(r.files.terminated(), "");
      }
    }
    how.requeued =
        how.exit_code == kRequeue && !terminated_ && !fs::exists(r.files.revoked()) && step_of(r.job) > r.step;
    if (how.requeued) again_.push_back({r.files, how});
    end(r.files, how);
  }

  void end(const JobFiles& files, const JobEnd& how) {
    write_end(files, how);
    settle(how.exit_code);
  }
  void settle(int code) {
    if (status_ == 0) status_ = code;
  }

  /// Slurm ends this task and starts it again later. False: it would not.
  bool requeue() {
    const CommandOutput said = run_command({"scontrol", "requeue", environment("SLURM_JOB_ID")}, {});
    // Asked twice, because its first answer came too late, Slurm says that the job waits already.
    if (said.exit_code == 0 || said.err.find("pending execution") != std::string::npos) {
      timespec most{.tv_sec = 120, .tv_nsec = 0};
      sigset_t term;
      sigemptyset(&term), sigaddset(&term, SIGTERM);
      ::sigtimedwait(&term, nullptr, &most);
      return true;
    }
    std::fprintf(stderr, "study: scontrol requeue: %s", said.err.c_str());
    for (auto& [files, how] : again_) {
      how.requeued = false;
      write_end(files, how);
    }
    return false;
  }

  struct Again {
    JobFiles files;
    JobEnd how;
  };
  std::string id_;
  std::vector<std::string> jobs_;
  size_t side_by_side_ = 1;
  sigset_t heard_{};
  std::vector<Running> running_;
  std::vector<Again> again_;
  bool asked_ = false, terminated_ = false;
  int status_ = 0;
};

}  // namespace

int keep_task(const std::string& batch_directory) { return Task({batch_directory}).run(); }

}  // namespace hyscale::cluster
