#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/backend.h"
#include "cluster/local.h"
#include "cluster/slurm_reading.h"

namespace hyscale::scheduler {

/// Tells what became of jobs that only their directories still speak of, whichever back end they were with.
class JobReader {
 public:
  explicit JobReader(const std::string& store);

  /// nullopt: the job was never handed to a back end.
  std::optional<cluster::JobHandle> handle_of(const std::string& job_directory);
  /// Asks Slurm about all those of `jobs` that were with it. Where no Slurm answers, `poll` says `unknown` of what has
  /// left no last word.
  void refresh(std::vector<cluster::JobHandle> jobs);
  /// When Slurm took it (unix seconds); nullopt of other jobs, and where nobody has written it down.
  std::optional<double> submitted(const cluster::JobHandle& job);
  cluster::JobStatus poll(const cluster::JobHandle& job);

 private:
  cluster::SlurmReading& slurm();

  std::string store_;
  cluster::LocalBackend local_;
  std::unique_ptr<cluster::SlurmReading> slurm_;
};

}  // namespace hyscale::scheduler
