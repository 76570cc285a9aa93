#pragma once

#include <string>

#include "core/data/split_pattern.h"

namespace hyscale::data {

/// `pattern` in PCRE2's spelling. Throws ConfigError for what PCRE2 would read differently, or not at all: the same
/// letters must mean the same characters, or text is split in other places.
std::string for_pcre2(const std::string& pattern, RegexFlavour flavour);

}  // namespace hyscale::data
