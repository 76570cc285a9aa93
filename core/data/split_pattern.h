#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace hyscale::data {

/// Whose regular expressions these are. They differ in `$` and `^`, which Oniguruma also finds at ends of lines.
enum class RegexFlavour { oniguruma, rust };

/// A regular expression of a pre-tokenizer, by PCRE2. It takes the part of the syntax that PCRE2, Oniguruma and Rust's
/// fancy-regex read alike, `\p{…}` and lookahead included. Immutable: one pattern serves several threads.
class SplitPattern {
 public:
  /// What a search needs beside the text; one per thread.
  class Scratch {
   public:
    Scratch();
    ~Scratch();
    Scratch(Scratch&&) noexcept;

   private:
    friend class SplitPattern;
    struct Parts;
    std::unique_ptr<Parts> parts_;
  };

  /// Throws ConfigError saying what is wrong or unsupported, and at which character of the pattern.
  SplitPattern(const std::string& pattern, RegexFlavour flavour);
  /// Finds the text itself.
  static SplitPattern literal(const std::string& text);
  SplitPattern(SplitPattern&&) noexcept;
  ~SplitPattern();

  struct Match {
    size_t begin = 0, end = 0;
  };
  /// The first match that begins at `from` or later, in valid UTF-8; what stands before `from` is seen by lookbehind.
  bool find(std::string_view text, size_t from, Match& match, Scratch& scratch) const;

 private:
  struct Compiled;
  explicit SplitPattern(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace hyscale::data
