#include "cluster/local.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <stdexcept>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "cluster/job_files.h"
#include "cluster/spawn.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

namespace {

Descriptor take_lock(const JobFiles& files) {
  Descriptor lock(::open(files.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  // Somebody who polls holds it for an instant, hence the waiting form.
  if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX) != 0)
    throw IoError({.what = fmt::format("cannot lock {}: {}", files.lock(), std::strerror(errno))});
  return lock;
}

bool is_locked(const JobFiles& files) { return !FileLock(files.lock(), FileLock::Wait::no).held(); }

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
  reserved_ = std::make_unique<Descriptor>(take_lock({job.directory}));
  return {.backend = name(), .host = host_name(), .id = job.directory};
}

void LocalBackend::launch(const Job& job, const JobHandle& handle) {
  const JobFiles files{handle.id};
  const auto lock = std::move(reserved_);
  if (!lock) throw std::logic_error("a job is launched that was not reserved");
  write_command(files, {.argv = job.argv, .working_directory = job.working_directory, .stop_signal = job.stop_signal});
  std::vector<std::string> argv = keeper_;
  argv.push_back(files.directory);
  children_.push_back(spawn(argv, {.output = files.output(), .new_session = true, .lock_descriptor = lock->get()}));
}

JobStatus LocalBackend::poll(const JobHandle& handle) {
  reap();
  if (handle.host != host_name()) return {.state = JobState::unknown};
  const JobFiles files{handle.id};
  if (!std::filesystem::exists(files.directory)) return {.state = JobState::gone};
  auto end = read_end(files);
  if (!end) {
    if (is_locked(files)) return {.state = JobState::running};
    end = read_end(files);  // it may have ended between the two looks
  }
  if (!end) return {.state = JobState::gone};
  return {.state = JobState::ended, .exit_code = end->exit_code, .signal = end->signal};
}

void LocalBackend::cancel(const JobHandle& handle, Cancel how) {
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
