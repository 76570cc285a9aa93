#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "studies/plan.h"

namespace hyscale::studies {

/// The learning rates that were tried at a size and what came of them, so that larger sizes take over the best: the one
/// with the lowest validation loss at the size's largest budget, averaged over its seeds.
class Sweeps {
 public:
  /// Where the winner of one family comes from. A pair of indices: family, variant.
  using Place = std::pair<size_t, size_t>;
  void tried(Place place, const std::string& size, double scale, const std::string& run_id);

  struct Winner {
    bool known = false;           // false: runs of the sweep are still to be done
    std::optional<double> scale;  // nullopt: every rate has diverged, or the sweep has no runs
    bool at_edge = false;         // of the rates tried: a better one may lie beyond
  };
  Winner winner(Place place, const std::string& size, const Known& known) const;

 private:
  std::map<std::pair<Place, std::string>, std::map<double, std::vector<std::string>>> runs_;  // by scale
};

bool is_swept(const StudySpec& spec, const SizeSpec& size);
/// The largest swept one of `sizes` below `size`; nullptr where the rule carries nothing to it. Both with their
/// targets.
const SizeSpec* sweep_below(const StudySpec& spec, const std::vector<SizeSpec>& sizes, const SizeSpec& size);

}  // namespace hyscale::studies
