#include "core/base/files.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/base/error.h"
#include "core/base/process.h"

namespace hyscale {
namespace {

std::string remedy_for(int error) {
  switch (error) {
    case ENOENT:
      return "check the spelling of the path";
    case EACCES:
    case EROFS:
    case EPERM:
      return "choose a place you may write to, or change its permissions";
    case ENOSPC:
    case EDQUOT:
      return "free some space; what was written before is intact, and the same command carries on";
    default:
      return "";
  }
}

[[noreturn]] void fail(const std::string& doing, const std::string& path, int error = errno) {
  throw IoError(
      {.what = fmt::format("cannot {} {}: {}", doing, path, std::strerror(error)), .remedy = remedy_for(error)});
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, const char* doing)
      : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail(doing, path);
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void write(std::string_view content) const {
    while (!content.empty()) {
      const ssize_t n = ::write(fd_, content.data(), content.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("write", path_);
      content.remove_prefix(static_cast<size_t>(n));
    }
  }
  void sync() const {
    if (::fsync(fd_) != 0 && errno != EINVAL) fail("flush", path_);
  }
  void sync_all() const {
    if (::syncfs(fd_) != 0) fail("flush the file system of", path_);
  }

 private:
  std::string path_;
  int fd_;
};

std::string parent_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

}  // namespace

std::string read_file(const std::string& path) {
  const Descriptor file(path, O_RDONLY, "read");
  std::string content;
  std::array<char, 1 << 16> block{};
  while (true) {
    const ssize_t n = ::read(file.get(), block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", path);
    if (n == 0) return content;
    content.append(block.data(), static_cast<size_t>(n));
  }
}

std::string temporary_name(const std::string& path) {
  return fmt::format("{}.tmp-{}-{}", path, host_name(), ::getpid());
}

void write_synced_file(const std::string& path, std::string_view content) {
  try {
    const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC, "create");
    file.write(content);
    file.sync();
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
}

void write_file_atomically(const std::string& path, std::string_view content) {
  const std::string temporary = temporary_name(path);
  write_synced_file(temporary, content);
  commit_file(temporary, path);
}

void replace_file(const std::string& path, std::string_view content) {
  const std::string temporary = temporary_name(path);
  Descriptor(temporary, O_WRONLY | O_CREAT | O_TRUNC, "create").write(content);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail("rename a finished file to", path, errno);
}

void sync_file_system(const std::string& path) { Descriptor(path, O_RDONLY, "open").sync_all(); }

void sync_file(const std::string& path) { Descriptor(path, O_RDONLY, "open").sync(); }
void sync_directory(const std::string& path) { Descriptor(path, O_RDONLY | O_DIRECTORY, "open").sync(); }

void commit_file(const std::string& temporary, const std::string& path) {
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail("rename a finished file to", path, error);
  }
  sync_directory(parent_of(path));
}

void make_writable_directory(const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) fail("create directory", path, failure.value());
  if (::access(path.c_str(), W_OK | X_OK) != 0) fail("write to directory", path);
}

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file(path, O_RDONLY, "open");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail("inspect", path);
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) fail("map", path);
  data_ = static_cast<const std::byte*>(address);
}
MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

FileLock::FileLock(const std::string& path, Wait wait)
    : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail("create lock file", path);
  const int flags = LOCK_EX | (wait == Wait::no ? LOCK_NB : 0);
  int result = 0;
  do result = ::flock(descriptor_, flags);
  while (result != 0 && errno == EINTR);
  held_ = result == 0;
  if (!held_ && errno != EWOULDBLOCK) {
    const int error = errno;
    ::close(descriptor_);
    fail("lock", path, error);
  }
}
FileLock::~FileLock() { ::close(descriptor_); }

}  // namespace hyscale
