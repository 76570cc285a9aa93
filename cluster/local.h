#pragma once

#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "cluster/backend.h"

namespace hyscale::cluster {

class Descriptor;

/// Jobs as processes of this machine. Each has a keeper (keeper.h) in a session of its own and so outlives `study`.
///
/// What became of a job is read from its directory alone, never from a pid: exit.json there means ended; otherwise
/// the lock is held while a process of the job lives; a free lock without exit.json means gone.
class LocalBackend : public Backend {
 public:
  /// `keeper` is the command whose last argument, the job's directory, is appended: e.g. {"/usr/bin/study", "keep"}.
  explicit LocalBackend(std::vector<std::string> keeper);
  ~LocalBackend() override;

  std::string name() const override { return "local"; }
  JobHandle reserve(const Job& job) override;
  std::vector<JobHandle> launch(const std::vector<Reservation>& jobs) override;
  JobStatus poll(const JobHandle& handle) override;
  void cancel(const std::vector<JobHandle>& jobs, Cancel how) override;
  void wait(const std::vector<JobHandle>& jobs, double seconds) override;

 private:
  void cancel_one(const JobHandle& handle, Cancel how);
  void reap();

  std::vector<std::string> keeper_;
  std::unique_ptr<Descriptor> reserved_;  // holds the lock of the job to be launched
  std::vector<pid_t> children_;           // keepers that this process started and must reap
};

}  // namespace hyscale::cluster
