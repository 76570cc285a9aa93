#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hyscale::cluster {

/// One task of a job array: its array's id and its index. A job that is no array has index 0 here.
struct SlurmTask {
  int64_t job = 0;
  int64_t index = 0;
  friend auto operator<=>(const SlurmTask&, const SlurmTask&) = default;
};
std::string to_string(const SlurmTask& task);  // "12_3", as scancel and scontrol take it

/// What Slurm says of one task.
struct SlurmRecord {
  std::string state = {};         // "PENDING", without what sacct adds to it
  std::string reason = {};        // why it waits, or ended; "" when there is none
  std::string name = {};          // of the job
  double ended = 0;               // unix seconds, expected while it runs; 0: not known
  int exit_code = 0, signal = 0;  // of the batch script
};
using SlurmRecords = std::map<SlurmTask, SlurmRecord>;

/// The columns that are asked for are fixed here, beside their reader: text of known columns has stayed the same over
/// the versions of Slurm, its JSON has not.
std::vector<std::string> squeue_argv();
/// Lines that are no such record are left out.
SlurmRecords parse_squeue(const std::string& text);

/// `since` (unix seconds) is always given: without it sacct begins at midnight. Asked by id it also shows what was
/// cancelled before its dependency was fulfilled; asked by name it does not.
std::vector<std::string> sacct_argv(const std::vector<int64_t>& jobs, double since);
std::vector<std::string> sacct_argv(const std::vector<std::string>& names, double since);
SlurmRecords parse_sacct(const std::string& text);

/// The id in what `sbatch --parsable` says ("12" or "12;cluster"); nullopt when there is none.
std::optional<int64_t> parse_sbatch(const std::string& text);

/// What `scontrol show config` says of the cluster.
struct SlurmCluster {
  std::string name = "slurm";
  int64_t max_array_size = 1001;  // indices are smaller
  bool accounting = false;        // sacct can be asked
  double started = 0;             // of its controller, unix seconds; 0: not known
};
SlurmCluster parse_config(const std::string& text);

/// The kinds of PMI in what `srun --mpi=list` says.
std::vector<std::string> parse_mpi_list(const std::string& text);

/// "0-4,7" for ascending indices.
std::string to_ranges(const std::vector<int64_t>& indices);
/// The indices of "0-4,7%2"; nullopt when it is no such list.
std::optional<std::vector<int64_t>> parse_ranges(const std::string& text);

}  // namespace hyscale::cluster
