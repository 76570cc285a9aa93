#pragma once

#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

#include "storage/files/run_directory.h"
#include "tests/support/scratch.h"

namespace hyscale::parallel {

/// How a worker ended and what it said on standard error.
struct Outcome {
  int status = -1;  // exit status, or 128 + signal
  std::string said;
};

/// A scratch directory with a tiny corpus and a tiny run config, and the real hybrid-worker to train it.
class Workshop {
 public:
  Workshop();

  std::string out(const std::string& name) const { return scratch_ / name; }
  std::string path(const std::string& name) const { return scratch_ / name; }
  /// "train run.yaml --store … --out NAME" and more arguments.
  std::vector<std::string> train(const std::string& name, const std::vector<std::string>& more = {}) const;

  /// Starts hybrid-worker (or `launcher` … hybrid-worker) with standard error in a file.
  pid_t start(const std::vector<std::string>& arguments) const;
  Outcome wait(pid_t worker) const;
  Outcome run(const std::vector<std::string>& arguments) const { return wait(start(arguments)); }

  std::vector<std::string> launcher;         // "mpirun", "-n", "2"
  std::map<std::string, std::string> extra;  // environment
  size_t file_limit = 0;                     // bytes a file may have (0: any): a full disk, as write(2) sees it

 private:
  tests::ScratchDirectory scratch_;
};

/// Makes the shop start `ranks` ranks on whatever cores there are; one without mpirun.
void launch_ranks(Workshop& shop, int ranks);

/// The process that is rank `rank` of the launch that trains in `out`; 0: there is none.
pid_t process_of(const std::string& out, int rank);

/// Every column but `seconds`, and every evaluation, bit for bit; each step once and in order.
void expect_same_curve(const storage::RunDirectory& a, const storage::RunDirectory& b);
/// All arrays of the two checkpoints, bit for bit.
void expect_same_checkpoint(const storage::RunDirectory& a, const storage::RunDirectory& b, int64_t step);

}  // namespace hyscale::parallel
