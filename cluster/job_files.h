#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "core/base/process.h"

namespace hyscale::cluster {

/// What a job of the local back end leaves in its directory (docs/formats.md). `lock` is held (flock) from before
/// the launch until the last process of the job is gone; its descriptor is inherited, so there is no gap.
struct JobFiles {
  std::string directory = {};
  std::string command() const { return directory + "/job.json"; }      // written by launch
  std::string started() const { return directory + "/started.json"; }  // written by the keeper once the worker runs
  std::string ended() const { return directory + "/exit.json"; }       // written by the keeper when the worker ended
  std::string output() const { return directory + "/output.txt"; }     // standard output and error of the worker
  std::string lock() const { return directory + "/lock"; }
};

/// The descriptor on which keeper and worker inherit the lock.
inline constexpr int kLockDescriptor = 3;

struct JobCommand {
  std::vector<std::string> argv = {};
  std::string working_directory = {};
  int stop_signal = SIGTERM;
};
struct JobProcesses {
  ProcessIdentity keeper = {};  // leads the process group
  ProcessIdentity worker = {};
};
struct JobEnd {
  int exit_code = 0;
  int signal = 0;
};

void write_command(const JobFiles& files, const JobCommand& command);
JobCommand read_command(const JobFiles& files);  // throws IoError, DamagedFile
void write_processes(const JobFiles& files, const JobProcesses& processes);
void write_end(const JobFiles& files, const JobEnd& end);
/// nullopt while the file is not there. Throws DamagedFile.
std::optional<JobProcesses> read_processes(const JobFiles& files);
std::optional<JobEnd> read_end(const JobFiles& files);

}  // namespace hyscale::cluster
