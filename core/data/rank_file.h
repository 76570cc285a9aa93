#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace hyscale::data {

/// A file of tiktoken ranks: each line is a token in base64 and its rank, which is its id. Lines that begin with '#'
/// are ours and come first:
///
///     # pattern cl100k          a preset's name, or a regular expression of one's own
///     # special <|name|> 1234   a special token besides those of the preset
struct RankFile {
  std::vector<std::string> tokens{};  // by rank
  std::string pattern{};              // "": not said
  std::vector<std::pair<std::string, int64_t>> special{};
};

/// Adds what is wrong, with its line, to `problems`: the first 20, and the count of the others.
RankFile read_rank_file(std::string_view content, const std::string& path, Problems& problems);

/// Whether the first line that is no comment looks like one of such a file.
bool is_rank_file(std::string_view content);

}  // namespace hyscale::data
