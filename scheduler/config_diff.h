#pragma once

#include <string>
#include <vector>

namespace hyscale::scheduler {

struct FieldChange {
  std::string path;           // "train.optimizer.lr"; list items by number: "model.stack.3.mixer"
  std::string before, after;  // "" where the field is missing
};
/// The fields in which two run configs (YAML) differ, in the order of the second.
std::vector<FieldChange> config_changes(const std::string& before, const std::string& after);

}  // namespace hyscale::scheduler
