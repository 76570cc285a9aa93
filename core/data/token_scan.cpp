#include "core/data/token_scan.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <type_traits>

namespace hyscale::data {

TokenScan::TokenScan(KnownIds known, const TokenFile& file, std::span<const std::byte> bytes)
    : known_(known), file_(file), bytes_(bytes.subspan(static_cast<size_t>(file.range.offset))) {}

void TokenScan::look(int64_t begin, int64_t end) {
  if (file_.range.width == 2)
    look_as<uint16_t>(begin, end);
  else if (file_.range.width == 4)
    look_as<uint32_t>(begin, end);
  else
    look_as<uint64_t>(begin, end);
}

template <class T>
void TokenScan::look_as(int64_t begin, int64_t end) {
  const auto vocabulary = static_cast<uint64_t>(known_.vocabulary);
  const bool has_index = !file_.document_ends.empty();
  for (int64_t at = begin; at < end; ++at) {
    T id;
    std::memcpy(&id, bytes_.data() + static_cast<size_t>(at) * sizeof(T), sizeof(T));
    if (id >= vocabulary) {
      if (outside_++ > 0) continue;
      first_outside_ = at;
      first_value_ =
          file_.is_signed ? fmt::format("{}", static_cast<std::make_signed_t<T>>(id)) : fmt::format("{}", id);
      continue;
    }
    const auto value = static_cast<int64_t>(id);
    largest_ = std::max(largest_, value);
    if (has_index) continue;
    if (value == known_.eos) behind_eos_.push_back(at + 1);
    if (value == known_.bos && at > 0) before_bos_.push_back(at);
    if (value == known_.bos && at == 0) begins_with_bos_ = true;
  }
}

std::optional<Problem> TokenScan::problem() const {
  if (outside_ == 0) return std::nullopt;
  const int64_t byte = file_.range.offset + first_outside_ * file_.range.width;
  const std::string more = outside_ > 1 ? fmt::format(" (the first of {} such ids)", outside_) : "";
  return Problem{.what = fmt::format("byte {}: id {} is outside the vocabulary of {}{}", byte, first_value_,
                                     known_.vocabulary, more),
                 .why = "the model has no row for such an id",
                 .remedy =
                     "name the tokenizer that made the ids, its --vocabulary with all special tokens, or the "
                     "right --dtype of a raw .bin file",
                 .at = {file_.range.path}};
}

std::vector<int64_t> TokenScan::document_ends() const {
  const bool by_bos = behind_eos_.empty() || (known_.bos == known_.eos && begins_with_bos_);
  std::vector<int64_t> ends = by_bos ? before_bos_ : behind_eos_;
  if (ends.empty() || ends.back() != file_.range.count) ends.push_back(file_.range.count);
  return ends;
}

}  // namespace hyscale::data
