#include "parallel/token_count.h"

#include <cmath>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/yaml_reader.h"

namespace hyscale::parallel {

int64_t parse_token_count(const std::string& option, const std::string& text) {
  const auto count = parse_number(text);
  if (!count || *count < 1 || *count > 1e15 || *count != std::floor(*count))
    throw ConfigError({.what = fmt::format("{} {} is no number of tokens", option, text),
                       .remedy = "write whole tokens, for instance 65536, 100K or 4M"});
  return static_cast<int64_t>(*count);
}

}  // namespace hyscale::parallel
