#include "cluster/lock.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor take_lock(const std::string& path) {
  Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  // Somebody who polls holds it for an instant, hence the waiting form.
  if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX) != 0)
    throw IoError({.what = fmt::format("cannot lock {}: {}", path, std::strerror(errno))});
  return lock;
}

bool is_locked(const std::string& path) {
  return std::filesystem::exists(path) && !FileLock(path, FileLock::Wait::no).held();
}

}  // namespace hyscale::cluster
