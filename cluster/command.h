#pragma once

#include <functional>
#include <string>
#include <vector>

namespace hyscale::cluster {

constexpr int kNoSuchProgram = 127;

/// What a program said and how it ended.
struct CommandOutput {
  int exit_code = 0;  // kNoSuchProgram; 124: it was killed because it took too long
  std::string out = {};
  std::string err = {};
};

struct CommandOptions {
  double seconds = 60;       // most it may take
  int lock_descriptor = -1;  // handed to the program as kLockDescriptor; -1: none
};

/// The seam to programs of the batch system: arguments in, output out. A test puts another one in its place.
using RunCommand = std::function<CommandOutput(const std::vector<std::string>& argv, const CommandOptions& options)>;

/// Runs the program found on PATH. Throws IoError only when the system has no process left to give.
CommandOutput run_command(const std::vector<std::string>& argv, const CommandOptions& options);

}  // namespace hyscale::cluster
