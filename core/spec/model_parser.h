#pragma once

#include "core/base/yaml_reader.h"
#include "core/spec/run_config.h"

namespace hyscale::spec {

/// Reads the `model:` section; `mixers` receives every named block that could be read.
ModelConfig parse_model(YamlMap model, std::map<std::string, std::shared_ptr<const MixerSpec>>& mixers);

/// Names that pattern symbols may not find, marked under the pattern:
///   MMAXMH
///      ^
std::string mark_unknown(const std::string& pattern, const std::vector<size_t>& at);

}  // namespace hyscale::spec
