#pragma once

#include <cstdint>
#include <string>

namespace hyscale::parallel {

/// "65536", "100K", "4M" of an option of the command line; throws ConfigError naming the option.
int64_t parse_token_count(const std::string& option, const std::string& text);

}  // namespace hyscale::parallel
