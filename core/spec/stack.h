#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/yaml_reader.h"
#include "core/spec/placement.h"

namespace hyscale::spec {

inline constexpr int64_t kMostLayers = 10000;

/// Which mixer each layer has, in one of the short spellings that run.yaml (`model.stack:`) and a study's `families:`
/// share (docs/formats.md):
///   MMAMM                                                  a letter a layer
///   {family: inter, ratio: "1:5", placement: middle}       expensive and cheap layers, placed by a formula
///   {layers: {A: [4, 8], of: 13}, rest: M}                 1-based layers by name, all others `rest`
/// In run.yaml a family also says `layers: 13`, in a study its depth is that of the size.
struct StackRule {
  enum class Kind { pattern, family, layers };
  struct Named {
    std::string mixer;
    std::vector<int64_t> layers;  // 1-based
  };
  Kind kind = Kind::pattern;
  std::string pattern = {};                              // pattern: repeated to the depth
  LayerRatio ratio{1, 1};                                // family
  Placement placement = Placement::middle;               // family
  bool intra = false;                                    // family
  std::string expensive = "A", cheap = "M", rest = "M";  // mixers' names: of a family; of the layers not listed
  std::vector<Named> named = {};                         // layers
  int64_t depth = 0;                                     // layers: `of`; family in run.yaml: `layers`; else 0, any
};

/// Mixers of the stack in order; or none, and why the rule does not fit this depth and what would.
struct StackLayout {
  std::vector<std::string> mixers = {};
  std::string problem = {}, remedy = {};
};
StackLayout lay_out(const StackRule& rule, int64_t layers);

/// The names that the rule uses, each once.
std::vector<std::string> mixers_of(const StackRule& rule);

/// Reads `family`, `ratio`, `placement`, `expensive`, `cheap`, or `layers` and `rest`; what is wrong is reported with
/// its place and a remedy. `with_depth`: a family's `layers: N` belongs here. `known` are the mixers there are; without
/// them names are not checked. Leaves map.finish() to the caller.
StackRule parse_stack_rule(YamlMap& map, bool with_depth, const std::vector<std::string>* known = nullptr);

/// "2:1"; both shares at least `least` and not both 0. What is wrong is reported, then `otherwise` is returned.
LayerRatio parse_ratio(const YamlMap& map, const YamlValue& value, int64_t least, LayerRatio otherwise);

}  // namespace hyscale::spec
