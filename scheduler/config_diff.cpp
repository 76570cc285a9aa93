#include "scheduler/config_diff.h"

#include <algorithm>
#include <utility>
#include <yaml-cpp/yaml.h>

namespace hyscale::scheduler {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

void flatten(const YAML::Node& node, const std::string& path, Fields& fields) {
  const auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
  if (node.IsMap()) {
    for (const auto& entry : node) flatten(entry.second, below(entry.first.as<std::string>()), fields);
  } else if (node.IsSequence()) {
    for (size_t i = 0; i < node.size(); ++i) flatten(node[i], below(std::to_string(i)), fields);
  } else {
    fields.emplace_back(path, node.IsScalar() ? node.Scalar() : "");
  }
}

Fields fields_of(const std::string& text) {
  Fields fields;
  flatten(YAML::Load(text), "", fields);
  return fields;
}

std::string value_in(const Fields& fields, const std::string& path) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == path; });
  return found == fields.end() ? "" : found->second;
}

}  // namespace

std::vector<FieldChange> config_changes(const std::string& before, const std::string& after) {
  const Fields old_fields = fields_of(before), new_fields = fields_of(after);
  std::vector<FieldChange> changes;
  for (const auto& [path, value] : new_fields)
    if (const std::string old = value_in(old_fields, path); old != value) changes.push_back({path, old, value});
  for (const auto& [path, value] : old_fields)
    if (std::none_of(new_fields.begin(), new_fields.end(), [&](const auto& field) { return field.first == path; }))
      changes.push_back({path, value, ""});
  return changes;
}

}  // namespace hyscale::scheduler
