#include "scheduler/job_reader.h"

#include <filesystem>

#include "cluster/job_files.h"
#include "cluster/slurm_files.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "scheduler/worker_job.h"

namespace hyscale::scheduler {

using cluster::JobFiles;
using cluster::JobHandle;

JobReader::JobReader(const std::string& store) : store_(store), local_({program_path(), "keep"}) {}

std::optional<JobHandle> JobReader::handle_of(const std::string& directory) {
  const JobFiles files{directory};
  if (const auto place = cluster::read_place(directory))
    return JobHandle{.backend = "slurm", .host = place->cluster, .id = directory};
  // A local job has its lock before anybody hears of it.
  if (!std::filesystem::exists(files.lock())) return std::nullopt;
  return JobHandle{.backend = local_.name(), .host = host_name(), .id = directory};
}

void JobReader::refresh(std::vector<JobHandle> jobs) {
  std::erase_if(jobs, [](const JobHandle& job) { return job.backend != "slurm"; });
  if (!jobs.empty()) slurm().refresh(jobs);
}

std::optional<double> JobReader::submitted(const JobHandle& job) {
  const auto place = job.backend == "slurm" ? cluster::read_place(job.id) : std::nullopt;
  const auto said = place ? cluster::read_submitted({place->batch}) : std::nullopt;
  return said ? std::optional(said->time) : std::nullopt;
}

cluster::JobStatus JobReader::poll(const JobHandle& job) {
  return job.backend == "slurm" ? slurm().poll(job) : local_.poll(job);
}

cluster::SlurmReading& JobReader::slurm() {
  if (slurm_) return *slurm_;
  std::optional<cluster::SlurmCluster> here;
  try {
    here = cluster::find_cluster(cluster::run_command);
  } catch (const Error& error) {
    log::warn(std::string("jobs that were with Slurm and have not said how they ended count as running: ") +
              error.what());
  }
  slurm_ = std::make_unique<cluster::SlurmReading>(slurm_directory(store_), std::move(here), cluster::run_command,
                                                   Clock::system());
  return *slurm_;
}

}  // namespace hyscale::scheduler
