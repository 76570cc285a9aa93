#include "studies/gpu_kinds.h"

namespace hyscale::studies {

struct GpuKind {
  std::string name;
  double gib;
};

static const std::vector<GpuKind>& gpu_kinds() {
  static const std::vector<GpuKind> kinds{{"A100-40GB", 39.4}, {"A100-80GB", 79.2}, {"L40S", 44.4},  {"H100", 79.2},
                                          {"H100-NVL", 93.1},  {"GH200", 94.5},     {"H200", 139.8}, {"B200", 178.4}};
  return kinds;
}

std::vector<std::string> gpu_kind_names() {
  std::vector<std::string> names;
  for (const GpuKind& kind : gpu_kinds()) names.push_back(kind.name);
  return names;
}

std::optional<double> memory_of_gpu_kind(const std::string& kind) {
  for (const GpuKind& known : gpu_kinds())
    if (known.name == kind) return known.gib * 1073741824.0;
  return {};
}

}  // namespace hyscale::studies
