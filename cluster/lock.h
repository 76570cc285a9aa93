#pragma once

#include <string>
#include <utility>

namespace hyscale::cluster {

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// An flock on the file that a child may inherit (kLockDescriptor): free once every process that has it is gone.
/// Waits for it; throws IoError when the file cannot be made or a signal came in between.
Descriptor take_lock(const std::string& path);
/// Whether somebody holds it; a file that is not there is free.
bool is_locked(const std::string& path);

}  // namespace hyscale::cluster
