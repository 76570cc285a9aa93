#pragma once

#include <string>

namespace YAML {
class Node;
}

namespace hyscale {

/// Refuses (ConfigError) what no person writes and no reader should walk through: a value that holds itself, a short
/// file whose aliases stand for millions of values, and control characters, which end a C string or a line of a script.
void check_bounds(const YAML::Node& root, const std::string& file);

}  // namespace hyscale
