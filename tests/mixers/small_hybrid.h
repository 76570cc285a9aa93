#pragma once

#include <string>
#include <vector>

#include "core/mixers/hybrid/hybrid_spec.h"

namespace hyscale::tests {

/// A hybrid layer small enough to differentiate numerically, with its name in test output.
struct NamedHybrid {
  std::string name;
  spec::HybridSpec spec;
};

/// Reads `{kind: hybrid, …}` as a run.yaml would have it; the branches are the two named by `pair`, 'M' for mamba2 and
/// 'T' for attention, `options` the layer's other keys. Values are 12 channels wide.
spec::HybridSpec small_hybrid(const std::string& pair, const std::string& options);

/// Every combination of options for the paper's pair, Mamba and attention; every option for each other pair.
std::vector<NamedHybrid> every_hybrid();
std::vector<NamedHybrid> every_hybrid(spec::HybridValue value);  // those of them with this value sharing

}  // namespace hyscale::tests
