#include "core/data/regex_syntax.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

#include "core/base/error.h"

namespace hyscale::data {
namespace {

constexpr auto kProperties = std::to_array<std::string_view>(
    {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc",  "Me",       "N",        "Nd",
     "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf",  "Po",       "S",        "Sm",
     "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "C",  "Han", "Hiragana", "Katakana", "Hangul"});
constexpr std::string_view kHex = "0123456789abcdefABCDEF";

/// Walks through a pattern once and writes it again.
class Translation {
 public:
  Translation(std::string_view pattern, RegexFlavour flavour) : pattern_(pattern), flavour_(flavour) {}

  std::string run() {
    while (at_ < pattern_.size()) step();
    return std::move(out_);
  }

 private:
  void step() {
    const char c = pattern_[at_];
    if (c == '\\') return escape();
    if (in_class_) {
      if (c == '[') refuse("a class inside a class");
      if (pattern_.substr(at_, 2) == "&&" || pattern_.substr(at_, 2) == "--") refuse("arithmetic of classes");
      if (c == ']' && at_ > class_begin_) in_class_ = false;
    } else if (c == '[') {
      return open_class();
    } else if (c == '(' && pattern_.substr(at_, 2) == "(?") {
      check_group();
    } else if (c == '}' && pattern_.substr(at_, 2) == "}+" && flavour_ == RegexFlavour::oniguruma) {
      refuse("a '+' behind '}', which repeats here and is possessive elsewhere");
    }
    out_ += c, ++at_;
  }

  void open_class() {
    in_class_ = true;
    const size_t length = pattern_.substr(at_, 2) == "[^" ? 2 : 1;
    out_ += pattern_.substr(at_, length);
    at_ += length;
    class_begin_ = at_;  // a ']' here would be literal for some and close an empty class for others
    if (pattern_.substr(at_, 1) == "]") refuse("']' as the first character of a class");
  }

  void check_group() {
    const std::string_view rest = pattern_.substr(at_ + 2);
    for (const std::string_view known : {":", "=", "!", "<=", "<!", ">", "i:", "i)"})
      if (rest.starts_with(known)) return;
    refuse("this kind of group");
  }

  void escape() {
    const char c = at_ + 1 < pattern_.size() ? pattern_[at_ + 1] : '\0';
    if (c == 'p' || c == 'P') return property();
    if (c == 'u' || c == 'x') return code_point();
    const bool punctuation = c > ' ' && c < 0x7F && std::string_view("_").find(c) == std::string_view::npos &&
                             !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z');
    if (!punctuation && c != ' ' && std::string_view("sSdDrntfz").find(c) == std::string_view::npos)
      refuse(fmt::format("\\{}", c == '\0' ? "" : std::string(1, c)));
    if (c == 'z' && in_class_) refuse("\\z in a class");
    out_ += pattern_.substr(at_, 2), at_ += 2;
  }

  void property() {
    size_t name = at_ + 2, end = at_ + 3;  // \pL
    if (pattern_.substr(name, 1) == "{") {
      ++name;
      end = std::min(pattern_.find('}', name), pattern_.size());
    }
    const std::string_view word = pattern_.substr(name, end - name);
    if (std::find(kProperties.begin(), kProperties.end(), word) == kProperties.end())
      refuse(fmt::format("the property '{}'", word));
    out_ += fmt::format("\\{}{{{}}}", pattern_[at_ + 1], word);
    at_ = end + (pattern_[name - 1] == '{' ? 1 : 0);
  }

  void code_point() {
    const bool braces = pattern_.substr(at_ + 2, 1) == "{";
    const size_t digits = at_ + (braces ? 3 : 2);
    const size_t wanted = pattern_[at_ + 1] == 'u' ? 4 : 2;
    const size_t end = braces ? std::min(pattern_.find('}', digits), pattern_.size()) : digits + wanted;
    const std::string_view hex = pattern_.substr(std::min(digits, pattern_.size()), end - digits);
    if (hex.empty() || hex.find_first_not_of(kHex) != std::string_view::npos || (!braces && hex.size() != wanted))
      refuse("a code point without its digits");
    out_ += fmt::format("\\x{{{}}}", hex);
    at_ = end + (braces ? 1 : 0);
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw ConfigError(
        {.what = fmt::format("the regular expression '{}' has {} at character {}", pattern_, what, at_ + 1),
         .why = "only what all engines read alike is supported",
         .remedy = "groups, classes, \\p{L} and the other general categories, \\s, \\d, \\r, \\n, \\t, "
                   "lookahead, lookbehind and repetitions are understood"});
  }

  std::string_view pattern_;
  RegexFlavour flavour_;
  size_t at_ = 0, class_begin_ = 0;
  bool in_class_ = false;
  std::string out_;
};

}  // namespace

std::string for_pcre2(const std::string& pattern, RegexFlavour flavour) { return Translation(pattern, flavour).run(); }

}  // namespace hyscale::data
