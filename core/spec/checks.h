#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <string>

#include "core/base/yaml_reader.h"

namespace hyscale::spec {

/// Reports `key` when its value is no multiple of `unit`. Values < 1 were reported where they were read: not again.
inline void check_multiple(const YamlMap& map, const std::string& key, int64_t value, const std::string& unit_name,
                           int64_t unit, const std::string& why) {
  if (value < 1 || unit < 1 || value % unit == 0) return;
  const int64_t below = value / unit * unit;
  const std::string remedy = below > 0 ? fmt::format("use {} or {}", below, below + unit) : fmt::format("use {}", unit);
  map.problem_at(key, fmt::format("{} = {} is not a multiple of {} = {}", map.path_of(key), value, unit_name, unit),
                 remedy, why);
}

}  // namespace hyscale::spec
