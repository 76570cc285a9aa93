#include "parallel/gpu_sensors.h"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace hyscale::parallel {
namespace {

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == '\n') break;
    if (c == ',')
      fields.emplace_back();
    else if (c != ' ' || !fields.back().empty())
      fields.back() += c;
  }
  return fields;
}

std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str()) return std::nullopt;
  return value;
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 512> piece{};
  for (ssize_t count = 0; (count = ::read(descriptor, piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<size_t>(count));
  return text;
}

}  // namespace

GpuSensors parse_sensors(const std::string& line) {
  std::vector<std::string> fields = fields_of(line);
  fields.resize(4);
  return {.sm_clock_mhz = number(fields[0]),
          .power_watts = number(fields[1]),
          .temperature_celsius = number(fields[2]),
          .driver = fields[3]};
}

SensorQuery::SensorQuery(const std::string& bus) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
  std::vector<std::string> words{"nvidia-smi", "--id=" + bus,
                                 "--query-gpu=clocks.sm,power.draw.instant,temperature.gpu,driver_version",
                                 "--format=csv,noheader,nounits"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  if (::posix_spawnp(&pid_, "nvidia-smi", &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  pipe_ = ends[0];
}

SensorQuery::~SensorQuery() {
  if (pipe_ >= 0) ::close(pipe_);
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

bool SensorQuery::done() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = -1;
  return pid_ < 0;
}

GpuSensors SensorQuery::answer() { return parse_sensors(pipe_ < 0 ? "" : read_all(pipe_)); }

}  // namespace hyscale::parallel
