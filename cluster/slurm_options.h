#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hyscale::cluster {

/// How jobs are put to Slurm. All text comes from a spec and has been checked there (studies/slurm_parser.cpp); what
/// would end an #SBATCH line is refused here once more.
struct SlurmOptions {
  std::string label = {};                // names the jobs: "hyscale-LABEL-…"
  std::string directory = {};            // absolute; a directory below for each array: script, task list, output
  std::vector<std::string> keeper = {};  // the program that the script ends in; the array's directory is appended

  std::string partition = {}, account = {}, qos = {}, constraint = {};
  int64_t seconds = 0;                     // time limit of an allocation; 0: the partition's
  int64_t signal_seconds = 0;              // so long before the limit the ranks are asked to checkpoint
  std::string gpu_type = {};               // "" for any
  std::vector<std::string> extra = {};     // further options, "--mem=8G"
  std::vector<std::string> modules = {};   // loaded before anything else
  std::vector<std::string> prologue = {};  // lines of shell, as written

  int64_t pack = 1;                      // runs of an allocation, one after another
  int64_t side_by_side = 1;              // runs of an allocation at the same time; they share its GPUs
  int64_t most_runs = 0, most_gpus = 0;  // in flight over all arrays; 0: no ceiling
};

/// A program to run once after all others, in a process of its own without GPUs.
struct FollowUp {
  std::vector<std::string> argv = {};
  std::string partition = {};  // "": that of the others
};

}  // namespace hyscale::cluster
