#include "core/base/process.h"

#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace hyscale {

std::optional<ProcessIdentity> find_process(int64_t pid) {
  if (pid <= 0) return std::nullopt;
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The second field is the program's name in brackets and may hold anything: count fields from the last bracket.
  const size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(bracket + 1));
  std::string field;
  fields >> field;  // field 3: state
  if (field == "Z" || field == "X") return std::nullopt;
  for (int i = 4; i <= 22; ++i) fields >> field;
  if (!fields) return std::nullopt;
  return ProcessIdentity{pid, std::stoll(field)};
}

ProcessIdentity this_process() {
  const int64_t pid = ::getpid();
  return find_process(pid).value_or(ProcessIdentity{pid, 0});
}

bool is_alive(const ProcessIdentity& process) {
  const auto found = find_process(process.pid);
  return found && *found == process;
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

// Not getrusage alone: what it reports of a program includes the memory of the process that started it.
int64_t peak_memory_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * int64_t{1024};
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * int64_t{1024};
}

std::string program_path() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace hyscale
