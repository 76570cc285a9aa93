#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor/collective.h"
#include "parallel/mesh.h"
#include "parallel/watchdog.h"

namespace hyscale::parallel {

/// All ranks of this launch. MPI is initialised only under a launcher of several ranks (mpirun, srun): a lone worker
/// must start fast.
class World {
 public:
  /// Where the ranks do not all begin, or later one keeps the others waiting for longer than `hang_limit` seconds (0:
  /// any time), a message says so and the process ends (Watchdog).
  explicit World(double hang_limit = Watchdog::kUsualLimit);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Collective& ranks() { return *ranks_; }
  /// The groups of this rank under a mesh of all ranks, with communicators of their own; they live as long as the
  /// world. Collective.
  Groups groups(const Mesh& mesh);
  /// The same for a thread of its own; each call makes new ones. The group `world` in it is not its own: use its rank
  /// and size alone. Where has_threads() is false, MPI takes calls from one thread only.
  Groups groups_of_a_thread(const Mesh& mesh);
  bool has_threads() const { return threads_; }
  /// Makes every call of the groups made from here on sleep so many seconds.
  void slow_down(double seconds) { waits_.delay = seconds; }
  int local_ranks() const;                                                  // on this host
  const std::vector<int>& first_on_host() const { return first_on_host_; }  // of each rank: the lowest beside it
  const std::string& library() const { return library_; }                   // "Open MPI v4.1.4", "none"
  /// What is done with the message of a hang before the process ends; on another thread.
  void on_hang(std::function<void(const std::string&)> last_deed);
  /// Ends every rank at once with this status; of a lone worker only this process.
  [[noreturn]] void abort(int status);

 private:
  Groups groups(const Mesh& mesh, Watchdog* dog, Waits& waits);

  bool mpi_ = false, threads_ = true;
  std::vector<int> first_on_host_{0};
  std::string library_ = "none";
  std::unique_ptr<Watchdog> dog_;  // outlives the collectives
  double hang_limit_ = 0;
  Waits waits_;
  std::deque<Waits> thread_waits_;
  std::deque<Watchdog> thread_dogs_;
  std::unique_ptr<Collective> ranks_;
  std::vector<std::unique_ptr<Collective>> parts_;
  SelfCollective alone_;
};

/// True when the environment is that of a launcher with more than one rank.
bool launched_by_mpi();

/// Call it before reporting an error that every rank of a launch is likely to have met alone (a bad command line):
/// ranks but the first wait for the launcher to end them when the first one has spoken.
void await_turn_to_fail();

}  // namespace hyscale::parallel
