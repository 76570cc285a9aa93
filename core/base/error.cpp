#include "core/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace hyscale {

std::string to_string(const Location& at) {
  if (at.line == 0) return at.file;
  return fmt::format("{}:{}:{}", at.file, at.line, at.column);
}

std::string to_string(const Problem& problem) {
  std::string text = problem.at.file.empty() ? problem.what : to_string(problem.at) + ": " + problem.what;
  if (!problem.why.empty()) text += "\n  because: " + problem.why;
  if (!problem.remedy.empty()) text += "\n  try:     " + problem.remedy;
  return text;
}

static std::string join(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!text.empty()) text += "\n";
    text += to_string(problem);
  }
  return text;
}

Error::Error(ExitCode code, std::vector<Problem> problems)
    : std::runtime_error(join(problems)), code_(code), problems_(std::move(problems)) {}

// Levenshtein distance, one row at a time.
static size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substitute, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t d = distance(word, candidate);
    if (d < least) least = d, best = candidate;
  }
  return best;
}

}  // namespace hyscale
