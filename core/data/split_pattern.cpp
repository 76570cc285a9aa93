#include "core/data/split_pattern.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/data/regex_syntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace hyscale::data {
namespace {

constexpr size_t kJitStack = size_t{64} << 20;  // bytes, taken as needed: long runs of one kind of character

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

struct FreePcre2 {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, FreePcre2>;

uint32_t options(RegexFlavour flavour) {
  const uint32_t lines = flavour == RegexFlavour::oniguruma ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY;
  return PCRE2_UTF | PCRE2_UCP | lines;
}

}  // namespace

struct SplitPattern::Compiled {
  Owned<pcre2_code> code;
  bool jit = false;

  Compiled(const std::string& pattern, uint32_t options) {
    int error = 0;
    size_t at = 0;
    code.reset(
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &at, nullptr));
    if (!code)
      throw ConfigError({.what = fmt::format("the regular expression '{}' is malformed at character {}: {}", pattern,
                                             at + 1, message_of(error))});
    jit = pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE) == 0;
  }
};

struct SplitPattern::Scratch::Parts {
  Owned<pcre2_match_data> match{pcre2_match_data_create(1, nullptr)};
  Owned<pcre2_match_context> context{pcre2_match_context_create(nullptr)};
  Owned<pcre2_jit_stack> stack{pcre2_jit_stack_create(size_t{32} << 10, kJitStack, nullptr)};
};

SplitPattern::Scratch::Scratch() : parts_(std::make_unique<Parts>()) {
  pcre2_jit_stack_assign(parts_->context.get(), nullptr, parts_->stack.get());
  pcre2_set_match_limit(parts_->context.get(), UINT32_MAX);
  pcre2_set_depth_limit(parts_->context.get(), UINT32_MAX);
}
SplitPattern::Scratch::~Scratch() = default;
SplitPattern::Scratch::Scratch(Scratch&&) noexcept = default;

SplitPattern::SplitPattern(const std::string& pattern, RegexFlavour flavour)
    : compiled_(std::make_unique<Compiled>(for_pcre2(pattern, flavour), options(flavour))) {}
SplitPattern::SplitPattern(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;
SplitPattern::~SplitPattern() = default;

SplitPattern SplitPattern::literal(const std::string& text) {
  return SplitPattern(std::make_unique<Compiled>(text, PCRE2_UTF | PCRE2_LITERAL));
}

bool SplitPattern::find(std::string_view text, size_t from, Match& match, Scratch& scratch) const {
  const auto search = compiled_->jit ? pcre2_jit_match : pcre2_match;
  const auto& parts = *scratch.parts_;
  const int found = search(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                           PCRE2_NO_UTF_CHECK, parts.match.get(), parts.context.get());
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found < 0) throw Error(ExitCode::failed, {{.what = fmt::format("cannot split text: {}", message_of(found))}});
  const size_t* ends = pcre2_get_ovector_pointer(parts.match.get());
  match = {ends[0], ends[1]};
  return true;
}

}  // namespace hyscale::data
