#include "cluster/store_probe.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <limits>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {
namespace {

using Lock = std::function<bool(int)>;  // takes the lock of an open file without waiting

bool take_flock(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB) == 0; }

bool take_record_lock(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  return ::fcntl(fd, F_SETLK, &lock) == 0;
}

/// Whether another process can take the lock now.
bool another_gets(const std::string& path, const Lock& take) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    ::_exit(fd >= 0 && take(fd) ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool excludes(const std::string& path, const Lock& take) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const bool refused = fd >= 0 && take(fd) && !another_gets(path, take);
  if (fd >= 0) ::close(fd);
  return refused && another_gets(path, take);
}

/// The file system's clock as it stamps a file, against the middle of the two looks at ours.
double clock_skew(const std::string& path) {
  const double before = Clock::system().unix_seconds();
  write_synced_file(path, "x");
  const double after = Clock::system().unix_seconds();
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return 0;
  const double stamped = static_cast<double>(info.st_mtim.tv_sec) + 1e-9 * static_cast<double>(info.st_mtim.tv_nsec);
  return stamped - (before + after) / 2;
}

double median_write(const std::string& path) {
  constexpr int kWrites = 7;
  std::vector<double> seconds;
  for (int i = 0; i < kWrites; ++i) {
    const double began = Clock::system().steady_seconds();
    write_file_atomically(path, "what a heartbeat weighs, more or less");
    seconds.push_back(Clock::system().steady_seconds() - began);
  }
  std::nth_element(seconds.begin(), seconds.begin() + kWrites / 2, seconds.end());
  return seconds[kWrites / 2];
}

}  // namespace

StoreProbe probe_store(const std::string& directory) {
  StoreProbe probe;
  const std::string own = temporary_name(directory + "/doctor");
  try {
    make_writable_directory(own);
    probe.skew_seconds = clock_skew(own + "/clock");
    probe.flock_excludes = excludes(own + "/flock", take_flock);
    probe.record_excludes = excludes(own + "/record", take_record_lock);
    probe.write_seconds = median_write(own + "/write");
    struct statvfs info {};
    if (::statvfs(own.c_str(), &info) == 0) {
      probe.free_bytes = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
      probe.free_files = info.f_files == 0 ? std::numeric_limits<uint64_t>::max() : info.f_favail;
    }
  } catch (const Error& error) {
    probe.problem = error.problems().front().what;  // what to do about it is said by whoever judges
  }
  std::error_code ignored;
  std::filesystem::remove_all(own, ignored);
  return probe;
}

}  // namespace hyscale::cluster
