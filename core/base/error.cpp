#include "core/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace hyscale {

std::string to_string(const Location& at) {
  if (at.line == 0) return at.file;
  return fmt::format("{}:{}:{}", at.file, at.line, at.column);
}

// A message may quote what it complains of, however long that is.
static std::string shortened(const std::string& text) {
  constexpr size_t kMost = 2000, kEnd = 200;
  if (text.size() <= kMost) return text;
  size_t first = kMost - kEnd, last = text.size() - kEnd;
  const auto splits_a_character = [&](size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; };
  while (first > 0 && splits_a_character(first)) --first;
  while (last < text.size() && splits_a_character(last)) ++last;
  return text.substr(0, first) + " … " + text.substr(last);
}

std::string to_string(const Problem& problem) {
  std::string text = shortened(problem.what);
  if (!problem.at.file.empty()) text = to_string(problem.at) + ": " + text;
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
