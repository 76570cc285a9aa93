#include "cluster/gpu_lease.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

#include "cluster/command.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {
namespace {

constexpr double kLookSeconds = 0.05;
constexpr const char* kProgram = "hold-gpus";

/// A lock that a program started in this one's place keeps: its descriptor stays open.
class InheritedLock {
 public:
  /// Tries once, or waits; `held` tells whether it was free.
  InheritedLock(const std::string& path, int how) : fd_(::open(path.c_str(), O_RDWR | O_CREAT, 0600)) {
    if (fd_ < 0)
      throw IoError({.what = fmt::format("cannot open {}: {}", path, std::strerror(errno)),
                     .remedy = "make its directory writable, or name another one with HYSCALE_GPU_LEASES"});
    held_ = ::flock(fd_, how) == 0;
  }
  ~InheritedLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  InheritedLock(InheritedLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)), held_(other.held_) {}
  InheritedLock& operator=(InheritedLock&&) = delete;
  bool held() const { return held_; }
  void leave_open() { fd_ = -1; }

 private:
  int fd_;
  bool held_ = false;
};

using Locks = std::vector<InheritedLock>;

std::string lease_directory() {
  const char* named = std::getenv("HYSCALE_GPU_LEASES");
  std::string directory = named != nullptr && *named != '\0' ? named : fmt::format("/tmp/hyscale-gpus-{}", ::getuid());
  make_writable_directory(directory);
  return directory;
}

std::string file_name(std::string gpu) {
  std::replace(gpu.begin(), gpu.end(), '/', '_');
  return gpu;
}

/// One place on the GPU: alone, or the `slot`-th of those that share it. Empty when it is taken.
Locks take_place(const std::string& directory, const std::string& gpu, int share, int slot) {
  Locks locks;
  const std::string path = directory + "/" + file_name(gpu);
  InheritedLock mode(path + ".mode", (share > 1 ? LOCK_SH : LOCK_EX) | LOCK_NB);
  if (!mode.held()) return locks;
  InheritedLock place(fmt::format("{}.place-{}", path, slot), LOCK_EX | LOCK_NB);
  if (!place.held()) return locks;
  locks.push_back(std::move(mode));
  locks.push_back(std::move(place));
  return locks;
}

/// All GPUs of the request or none: whoever held one while waiting for another could wait for ever. The emptiest first.
std::vector<std::string> take_gpus(const GpuRequest& request, const std::string& directory, Locks& held) {
  const InheritedLock one_at_a_time(directory + "/mutex", LOCK_EX);
  std::vector<std::string> taken;
  for (int slot = 0; slot < request.share; ++slot)
    for (const std::string& gpu : request.of) {
      if (static_cast<int>(taken.size()) == request.count) return taken;
      if (std::find(taken.begin(), taken.end(), gpu) != taken.end()) continue;
      Locks locks = take_place(directory, gpu, request.share, slot);
      if (locks.empty()) continue;
      taken.push_back(gpu);
      for (InheritedLock& lock : locks) held.push_back(std::move(lock));
    }
  if (static_cast<int>(taken.size()) == request.count) return taken;
  held.clear();
  return {};
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');)
    if (!word.empty()) words.push_back(word);
  return words;
}

/// Arguments: COUNT SHARE GPU,… -- JOB…
std::pair<GpuRequest, std::vector<std::string>> parse(const std::vector<std::string>& arguments) {
  constexpr size_t kOwn = 4;
  if (arguments.size() <= kOwn || arguments[kOwn - 1] != "--")
    throw ConfigError(Problem{.what = "hold-gpus is started by study submit alone"});
  const GpuRequest request{
      .count = std::atoi(arguments[0].c_str()), .share = std::atoi(arguments[1].c_str()), .of = split(arguments[2])};
  if (request.count < 1 || request.share < 1 || static_cast<int>(request.of.size()) < request.count)
    throw ConfigError(
        {.what = fmt::format("a run that needs {} GPUs cannot have them of {}", arguments[0], request.of.size())});
  return {request, {arguments.begin() + kOwn, arguments.end()}};
}

[[noreturn]] void become(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  std::fprintf(stderr, "study: cannot start %s: %s\n", words[0], std::strerror(errno));
  std::_Exit(kNoSuchProgram);
}

}  // namespace

std::vector<std::string> parse_gpu_list(const std::string& text) {
  std::vector<std::string> uuids;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t begin = line.find("(UUID: "), end = line.find(')', begin == std::string::npos ? 0 : begin);
    if (line.starts_with("GPU ") && begin != std::string::npos && end != std::string::npos)
      uuids.push_back(line.substr(begin + 7, end - begin - 7));
  }
  return uuids;
}

std::vector<std::string> find_gpus() {
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) return split(visible);
  const CommandOutput said = run_command({"nvidia-smi", "-L"}, {});
  return said.exit_code == 0 ? parse_gpu_list(said.out) : std::vector<std::string>{};
}

std::vector<std::string> holding_gpus(const GpuRequest& request) {
  return {kProgram, std::to_string(request.count), std::to_string(request.share),
          fmt::format("{}", fmt::join(request.of, ",")), "--"};
}

int hold_gpus(const std::vector<std::string>& arguments) {
  const auto [request, job] = parse(arguments);
  const std::string directory = lease_directory();
  Locks held;
  std::vector<std::string> gpus;
  while ((gpus = take_gpus(request, directory, held)).empty()) Clock::system().sleep(kLookSeconds);
  for (InheritedLock& lock : held) lock.leave_open();
  ::setenv("CUDA_VISIBLE_DEVICES", fmt::format("{}", fmt::join(gpus, ",")).c_str(), 1);
  become(job);
}

}  // namespace hyscale::cluster
