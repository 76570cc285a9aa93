#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/files/run_directory.h"

namespace hyscale::storage {

/// A run's curve as its journal and attempt files tell it.
struct Curve {
  std::vector<StepRow> steps;  // each step once, in order
  std::vector<EvalRow> evals;  // likewise
  int attempts = 0;            // highest attempt that left a trace
  double busy_seconds = 0;     // of all attempts, replaced rows included
  std::vector<std::string> damage;

  /// The last step s such that rows 1 … s are all there.
  int64_t complete_until() const;
};

/// Puts the attempts together without overlap: an attempt that began after step s replaces all earlier rows beyond s.
/// Rows that the journal lost come from the attempt files. What is damaged is left out and named in `damage`.
Curve stitch_curve(const RunDirectory& run);

/// run.h5 when it is there and whole, else the stitched curve; a damaged run.h5 is named in `damage`.
Curve read_curve(const RunDirectory& run);

}  // namespace hyscale::storage
