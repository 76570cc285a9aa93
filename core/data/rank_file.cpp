#include "core/data/rank_file.h"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <unordered_map>

#include "core/data/tokenizer_limits.h"

namespace hyscale::data {
namespace {

constexpr size_t kListed = 20;

/// nullopt when `text` is no base64 with padding.
std::optional<std::string> from_base64(std::string_view text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const auto values = [] {
    std::array<int, 256> table{};
    table.fill(-1);
    for (size_t i = 0; i < kDigits.size(); ++i) table[static_cast<unsigned char>(kDigits[i])] = static_cast<int>(i);
    return table;
  }();
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  text.remove_suffix(padding);
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> count) & 0xFF);
  }
  return bytes;
}

std::optional<int64_t> to_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

class Reader {
 public:
  Reader(const std::string& path, Problems& problems) : path_(path), problems_(problems) {}

  RankFile read(std::string_view content) {
    while (!content.empty()) {
      const size_t length = std::min(content.find('\n'), content.size());
      std::string_view line = content.substr(0, length);
      content.remove_prefix(std::min(content.size(), length + 1));
      if (line.ends_with('\r')) line.remove_suffix(1);
      ++line_;
      if (line.starts_with('#'))
        take_comment(line);
      else if (!line.empty())
        take_token(line);
    }
    check_all();
    if (count_ > kListed) problems_.add({.what = fmt::format("and {} more problems", count_ - kListed), .at = {path_}});
    return std::move(file_);
  }

 private:
  void take_comment(std::string_view line) {
    constexpr std::string_view kPattern = "# pattern ", kSpecial = "# special ";
    if (line.starts_with(kPattern)) {
      file_.pattern = line.substr(kPattern.size());
    } else if (line.starts_with(kSpecial)) {
      line.remove_prefix(kSpecial.size());
      const size_t space = line.rfind(' ');
      const auto id = space == std::string_view::npos ? std::nullopt : to_number(line.substr(space + 1));
      if (!id || space == 0) return complain("'# special' wants a token and its id");
      file_.special.emplace_back(line.substr(0, space), *id);
    } else {
      complain("a line with '#' that is neither '# pattern NAME' nor '# special TOKEN ID'");
    }
  }

  void take_token(std::string_view line) {
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) return complain("no token and rank, separated by a space");
    auto token = from_base64(line.substr(0, space));
    const auto rank = to_number(line.substr(space + 1));
    if (!token) complain(fmt::format("'{}' is no base64", shortened(line.substr(0, space))));
    if (!rank || *rank < 0 || *rank >= kLargestVocabulary)
      return complain(fmt::format("'{}' is no rank", shortened(line.substr(space + 1))));
    if (!token) token = "?" + std::to_string(line_);  // so that its rank does not count as missing
    if (const auto [other, is_new] = lines_of_ranks_.emplace(*rank, line_); !is_new)
      return complain(fmt::format("rank {} is that of line {} already", *rank, other->second));
    if (const auto [other, is_new] = lines_of_tokens_.emplace(*token, line_); !is_new)
      complain(fmt::format("this token is that of line {} already", other->second));
    const auto at = static_cast<size_t>(*rank);
    if (file_.tokens.size() <= at) file_.tokens.resize(at + 1);
    file_.tokens[at] = std::move(*token);
  }

  void check_all() {
    line_ = 0;
    if (file_.tokens.empty()) return complain("the file holds no ranks");
    for (size_t rank = 0; rank < file_.tokens.size(); ++rank)
      if (file_.tokens[rank].empty()) complain(fmt::format("rank {} is missing", rank));
    size_t bytes = 0;
    for (int byte = 0; byte < 256; ++byte) bytes += lines_of_tokens_.contains(std::string(1, static_cast<char>(byte)));
    if (bytes < 256) complain(fmt::format("{} of the 256 single bytes have no rank", 256 - bytes));
  }

  static std::string shortened(std::string_view text) {
    return text.size() <= 40 ? std::string(text) : std::string(text.substr(0, 37)) + "...";
  }
  void complain(std::string what) {
    if (++count_ <= kListed) problems_.add({.what = std::move(what), .at = {path_, line_}});
  }

  const std::string& path_;
  Problems& problems_;
  RankFile file_;
  int line_ = 0;
  size_t count_ = 0;
  std::unordered_map<int64_t, int> lines_of_ranks_;
  std::unordered_map<std::string, int> lines_of_tokens_;
};

}  // namespace

RankFile read_rank_file(std::string_view content, const std::string& path, Problems& problems) {
  return Reader(path, problems).read(content);
}

bool is_rank_file(std::string_view content) {
  while (content.starts_with("# ")) content.remove_prefix(std::min(content.size(), content.find('\n') + 1));
  const std::string_view line = content.substr(0, std::min(content.find('\n'), content.size()));
  const size_t space = line.find(' ');
  return space != std::string_view::npos && from_base64(line.substr(0, space)).has_value();
}

}  // namespace hyscale::data
