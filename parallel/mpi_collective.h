#pragma once

#include <memory>
#include <string>

#include "core/tensor/collective.h"
#include "parallel/mesh.h"

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
  /// The groups of this rank under a mesh of all ranks; they live as long as the world. Call it once. Collective.
  Groups groups(const Mesh& mesh);
  int local_ranks() const { return local_ranks_; }         // on this host
  const std::string& library() const { return library_; }  // "Open MPI v4.1.4", "none"
  /// Ends every rank at once with this status; of a lone worker only this process.
  [[noreturn]] void abort(int status);

 private:
  bool mpi_ = false;
  int local_ranks_ = 1;
  std::string library_ = "none";
  std::unique_ptr<Collective> ranks_, data_, tensor_;
  SelfCollective alone_;
};

/// True when the environment is that of a launcher with more than one rank.
bool launched_by_mpi();

}  // namespace hyscale::parallel
