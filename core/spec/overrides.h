#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/yaml_reader.h"

namespace hyscale::spec {

/// YamlMap::parse with `--set a.b=c` applied: every part of the path but the last must exist, list items go by number.
/// What is wrong with an override itself is reported in `problems`.
YamlMap parse_with_overrides(const std::string& text, const std::string& name,
                             const std::vector<std::string>& overrides, Problems& problems);

/// Throws what was collected; a problem about an overridden value is placed at its "--set a.b=c", not in the file.
void throw_if_any(const Problems& problems, const std::vector<std::string>& overrides);

}  // namespace hyscale::spec
