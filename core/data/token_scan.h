#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/data/token_file.h"

namespace hyscale::data {

/// What every id is held against. bos, eos: -1 for none.
struct KnownIds {
  int64_t vocabulary = 0;
  int32_t bos = -1, eos = -1;
};

/// Looks at every id of a file once, front to back: is it inside the vocabulary, and where do documents end?
class TokenScan {
 public:
  /// `bytes`: the whole file.
  TokenScan(KnownIds known, const TokenFile& file, std::span<const std::byte> bytes);
  void look(int64_t begin, int64_t end);

  int64_t largest() const { return largest_; }
  /// The ids outside the vocabulary: the first with its byte, and how many there are.
  std::optional<Problem> problem() const;
  /// Behind each EOS; before each BOS when no EOS occurs, or when both are one token and the file begins with it; and
  /// at the end.
  std::vector<int64_t> document_ends() const;

 private:
  template <class T>
  void look_as(int64_t begin, int64_t end);

  KnownIds known_;
  const TokenFile& file_;
  std::span<const std::byte> bytes_;
  int64_t largest_ = 0;
  int64_t outside_ = 0, first_outside_ = 0;
  std::string first_value_;
  std::vector<int64_t> behind_eos_, before_bos_;
  bool begins_with_bos_ = false;
};

}  // namespace hyscale::data
