#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "cluster/backend.h"
#include "core/base/process.h"

namespace hyscale::cluster {

/// What a job leaves in its directory (docs/formats.md). `lock` is held (flock) while a process of the job lives; of a
/// local job from before its launch on: its descriptor is inherited, so there is no gap.
struct JobFiles {
  std::string directory = {};
  std::string command() const { return directory + "/job.json"; }      // written by launch
  std::string started() const { return directory + "/started.json"; }  // written by the keeper once the worker runs
  std::string ended() const { return directory + "/exit.json"; }       // written by the keeper when the worker ended
  std::string output() const { return directory + "/output.txt"; }     // standard output and error of the worker
  std::string lock() const { return directory + "/lock"; }
  // With Slurm only:
  std::string place() const { return directory + "/slurm.json"; }       // which task of which array
  std::string revoked() const { return directory + "/revoked"; }        // from here on it must not start (again)
  std::string terminated() const { return directory + "/terminated"; }  // Slurm has asked the job to end
};

/// The descriptor on which keeper and worker inherit the lock.
inline constexpr int kLockDescriptor = 3;

struct JobProcesses {
  ProcessIdentity keeper = {};  // leads the process group
  ProcessIdentity worker = {};
  std::string host = {};
  std::string slurm_job = {};  // "12_3"; "" elsewhere
  int launch = 1;              // counts the times that the batch system has started the job
  int silent = 0;              // launches before this one that ended without a word: their node went down
};
struct JobEnd {
  int exit_code = 0;
  int signal = 0;
  EndCause cause = EndCause::own_exit;
  bool requeued = false;  // the keeper has asked the batch system to start the job again
  int launch = 1, silent = 0;
};

void write_command(const JobFiles& files, const Job& job);
Job read_command(const JobFiles& files);  // throws IoError, DamagedFile
void write_processes(const JobFiles& files, const JobProcesses& processes);
void write_end(const JobFiles& files, const JobEnd& end);
/// nullopt while the file is not there. Throws DamagedFile.
std::optional<JobProcesses> read_processes(const JobFiles& files);
std::optional<JobEnd> read_end(const JobFiles& files);

}  // namespace hyscale::cluster
