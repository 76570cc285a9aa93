#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hyscale::data {

/// A token that is looked for in text before anything is split.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool strip_left = false, strip_right = false;  // takes the white space beside it
  bool normalized = false;                       // is looked for in normalised text
  bool special = false;                          // marks structure, and gives no text when decoded
};

/// Finds tokens in text: from left to right, the longest of those that begin at one place.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// Special tokens are passed over as plain text unless `with_special`.
  AddedTokens(std::vector<AddedToken> tokens, bool with_special);
  bool empty() const { return tokens_.empty(); }
  /// Hands out the parts of `text` in order: plain ones (token null), and tokens.
  using Sink = std::function<void(std::string_view part, const AddedToken* token)>;
  void split(std::string_view text, const Sink& sink) const;

 private:
  const AddedToken* match_at(std::string_view text) const;
  std::vector<AddedToken> tokens_;  // sorted by content
  bool with_special_ = false;
  bool begins_[256] = {};
};

}  // namespace hyscale::data
