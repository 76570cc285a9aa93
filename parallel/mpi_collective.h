#pragma once

#include <memory>
#include <string>

#include "core/tensor/collective.h"

namespace hyscale::parallel {

/// All ranks of this launch. MPI is initialised only under a launcher of several ranks (mpirun, srun): a lone worker
/// must start fast.
class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Collective& ranks() { return *ranks_; }
  int local_ranks() const { return local_ranks_; }         // on this host
  const std::string& library() const { return library_; }  // "Open MPI v4.1.4", "none"
  /// Ends every rank at once with this status; of a lone worker only this process.
  [[noreturn]] void abort(int status);

 private:
  bool mpi_ = false;
  int local_ranks_ = 1;
  std::string library_ = "none";
  std::unique_ptr<Collective> ranks_;
};

/// True when the environment is that of a launcher with more than one rank.
bool launched_by_mpi();

}  // namespace hyscale::parallel
