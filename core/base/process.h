#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hyscale {

/// A process that no later one can be mistaken for: the kernel reuses pids, but not together with a start time.
struct ProcessIdentity {
  int64_t pid = 0;
  int64_t start = 0;  // clock ticks since boot (field 22 of /proc/PID/stat)
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// nullopt when there is no such process, or when it has ended and only waits to be reaped.
std::optional<ProcessIdentity> find_process(int64_t pid);
ProcessIdentity this_process();
bool is_alive(const ProcessIdentity& process);

std::string host_name();

/// The most memory this process has held at once, bytes (resident set).
int64_t peak_memory_bytes();

/// Absolute path of the running program.
std::string program_path();

}  // namespace hyscale
