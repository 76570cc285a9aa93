#include "cluster/local.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <poll.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "cluster/job_files.h"
#include "cluster/lock.h"
#include "cluster/spawn.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {

namespace {

Descriptor open_process(const ProcessIdentity& process) {
  Descriptor fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(process.pid), 0)));
  // Looked at after opening: from here on the descriptor cannot mean a later process of the same number.
  if (fd.get() >= 0 && !is_alive(process)) return Descriptor(-1);
  return fd;
}

}  // namespace

LocalBackend::LocalBackend(std::vector<std::string> keeper) : keeper_(std::move(keeper)) {}
LocalBackend::~LocalBackend() { reap(); }

JobHandle LocalBackend::reserve(const Job& job) {
  reserved_.reset();
  make_writable_directory(job.directory);
  reserved_ = std::make_unique<Descriptor>(take_lock(JobFiles{job.directory}.lock()));
  return {.backend = name(), .host = host_name(), .id = job.directory};
}

std::vector<JobHandle> LocalBackend::launch(const std::vector<Reservation>& jobs) {
  const auto lock = std::move(reserved_);
  if (!lock || jobs.size() != 1) throw std::logic_error("a job is launched that was not reserved");
  const auto& [job, handle] = jobs.front();
  const JobFiles files{handle.id};
  write_command(files, job);
  std::vector<std::string> argv = keeper_;
  argv.push_back(files.directory);
  children_.push_back(spawn(argv, {.output = files.output(), .new_session = true, .lock_descriptor = lock->get()}));
  return {};
}

JobStatus LocalBackend::poll(const JobHandle& handle) {
  reap();
  if (handle.host != host_name()) return {.state = JobState::unknown};
  const JobFiles files{handle.id};
  if (!std::filesystem::exists(files.directory)) return {.state = JobState::gone};
  auto end = read_end(files);
  if (!end) {
    if (is_locked(files.lock())) return {.state = JobState::running};
    end = read_end(files);  // it may have ended between the two looks
  }
  if (!end) return {.state = JobState::gone};
  return {.state = JobState::ended, .exit_code = end->exit_code, .signal = end->signal};
}

void LocalBackend::cancel(const std::vector<JobHandle>& jobs, Cancel how) {
  for (const JobHandle& job : jobs) cancel_one(job, how);
}

void LocalBackend::cancel_one(const JobHandle& handle, Cancel how) {
  if (handle.host != host_name() || poll(handle).state != JobState::running) return;
  const auto processes = read_processes({handle.id});
  // The group keeps the keeper's number reserved while any of its members lives.
  if (processes && (is_alive(processes->keeper) || is_alive(processes->worker)))
    ::kill(static_cast<pid_t>(-processes->keeper.pid),
           how == Cancel::ask ? read_command({handle.id}).stop_signal : SIGKILL);
}

void LocalBackend::wait(const std::vector<JobHandle>& jobs, double seconds) {
  constexpr double kUnseen = 0.02;  // look again this soon at a job that cannot be waited for
  std::vector<Descriptor> open;
  std::vector<pollfd> watched;
  for (const JobHandle& job : jobs) {
    const auto processes = job.host == host_name() ? read_processes({job.id}) : std::nullopt;
    Descriptor fd = processes ? open_process(processes->keeper) : Descriptor(-1);
    if (fd.get() < 0) {
      seconds = std::min(seconds, kUnseen);
      continue;
    }
    watched.push_back({.fd = fd.get(), .events = POLLIN, .revents = 0});
    open.push_back(std::move(fd));
  }
  ::poll(watched.data(), watched.size(), static_cast<int>(seconds * 1000));
  reap();
}

void LocalBackend::reap() {
  std::erase_if(children_, [](pid_t child) { return ::waitpid(child, nullptr, WNOHANG) != 0; });
}

}  // namespace hyscale::cluster
