#include "studies/sweep.h"

#include <algorithm>
#include <limits>

namespace hyscale::studies {

void Sweeps::tried(Place place, const std::string& size, double scale, const std::string& run_id) {
  runs_[{place, size}][scale].push_back(run_id);
}

Sweeps::Winner Sweeps::winner(Place place, const std::string& size, const Known& known) const {
  const auto found = runs_.find({place, size});
  Winner winner{.known = true, .scale = {}};
  if (found == runs_.end()) return winner;
  double lowest = std::numeric_limits<double>::infinity();
  for (const auto& [scale, runs] : found->second) {
    double sum = 0;
    for (const std::string& run : runs) {
      const auto loss = known.losses.find(run);
      if (loss == known.losses.end()) return {};
      sum += loss->second;
    }
    const double mean = sum / static_cast<double>(runs.size());
    if (mean < lowest) lowest = mean, winner.scale = scale;
  }
  winner.at_edge = winner.scale && found->second.size() > 1 &&
                   (*winner.scale == found->second.begin()->first || *winner.scale == found->second.rbegin()->first);
  return winner;
}

bool is_swept(const StudySpec& spec, const SizeSpec& size) {
  const auto& swept = spec.learning_rate.sweep_for;
  return std::find(swept.begin(), swept.end(), size.name) != swept.end();
}

const SizeSpec* sweep_below(const StudySpec& spec, const std::vector<SizeSpec>& sizes, const SizeSpec& size) {
  if (!spec.learning_rate.carry || is_swept(spec, size)) return nullptr;
  const SizeSpec* largest = nullptr;
  for (const SizeSpec& other : sizes)
    if (is_swept(spec, other) && other.target < size.target && (largest == nullptr || other.target > largest->target))
      largest = &other;
  return largest;
}

}  // namespace hyscale::studies
