#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/scheduler/model/world.h"

namespace hyscale::scheduler::model {

/// What a study's runs must be in, told what has really become of their jobs: the rules of DESIGN §2 on one page,
/// without database, files, clock or Slurm.
class Reference {
 public:
  struct Run {
    std::string id, parent;
    std::string state = "planned";  // "active": submitted or running
    int attempts = 0, own_faults = 0, node_faults = 0, memory_faults = 0, requeues = 0;
    int64_t last_step = 0;
    bool cancel_asked = false;
    bool is_final() const { return state != "planned" && state != "active"; }
  };

  void add(const std::string& id, const std::string& parent) { runs.push_back({.id = id, .parent = parent}); }
  void cancel(const std::string& id);
  void retry(const std::string& id);

  /// A look at what has become of all jobs, as far as a deaf Slurm lets one know, and a launch of all that may start.
  void collect(const std::function<Truth(const Run&)>& truth, const World& world);
  /// A launch that ended before this run's job was put to Slurm.
  void give_back(const std::string& id) { end_as(find(id), "planned"); }

  Run& find(const std::string& id);
  std::vector<Run> runs;  // in the order of the study: trunks before their branches

 private:
  void take_in(Run& run, const Truth& truth, const World& world);
  void own_end(Run& run, int exit_code, int signal, bool advanced);
  void again(Run& run, int& counter, int retries, const std::string& otherwise = "failed");
  void end_as(Run& run, const std::string& state);
  bool trunk_may_come(const Run& run, const World& world);
};

}  // namespace hyscale::scheduler::model
