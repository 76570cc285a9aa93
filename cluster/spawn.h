#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace hyscale::cluster {

struct SpawnOptions {
  std::string output = {};  // file that takes standard output and error, appended to; "": inherited
  bool new_session = false;
  int lock_descriptor = -1;                           // handed to the child as kLockDescriptor; -1: none
  int output_descriptor = -1, error_descriptor = -1;  // take standard output and error; -1: as `output` says
};

/// Starts a program with default signal handling, standard input empty and no descriptors but those above.
/// Throws IoError naming the program.
pid_t spawn(const std::vector<std::string>& argv, const SpawnOptions& options);

/// Starts a program that lives on after this one, in a session of its own (`study`'s detached driver).
void spawn_detached(const std::vector<std::string>& argv, const std::string& output);

}  // namespace hyscale::cluster
