#pragma once

#include <optional>
#include <string>
#include <vector>

namespace hyscale::studies {

/// Kinds of GPU that a spec may name (`resources.gpu_kind`), for their memory.
std::vector<std::string> gpu_kind_names();
/// Bytes of memory that its driver reports, to a percent; nullopt for a kind that is not in the list.
std::optional<double> memory_of_gpu_kind(const std::string& kind);

}  // namespace hyscale::studies
