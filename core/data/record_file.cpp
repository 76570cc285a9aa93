#include "core/data/record_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"

namespace hyscale::data {

[[noreturn]] static void fail(const char* doing, const std::string& path) {
  throw IoError({.what = fmt::format("cannot {} {}: {}", doing, path, std::strerror(errno)),
                 .remedy = "free some space or choose another --out, then run the same command again"});
}

RawFile::RawFile(const std::string& path, int64_t bytes)
    : path_(path), descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail("create", path);
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) fail("inspect", path);
  if (info.st_size < bytes)
    throw IoError({.what = fmt::format("{} is shorter than it was", path), .remedy = "remove its directory"});
  cut(bytes);
}
RawFile::~RawFile() { ::close(descriptor_); }

void RawFile::cut(int64_t bytes) {
  if (::ftruncate(descriptor_, bytes) != 0) fail("cut", path_);
  size_ = bytes;
}

void RawFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), size_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write", path_);
    bytes = bytes.subspan(static_cast<size_t>(n));
    size_ += n;
  }
}

void RawFile::read(int64_t begin, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(descriptor_, out.data(), out.size(), begin);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("read", path_);
    out = out.subspan(static_cast<size_t>(n));
    begin += n;
  }
}

void RawFile::sync() {
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL) fail("flush", path_);
}

}  // namespace hyscale::data
