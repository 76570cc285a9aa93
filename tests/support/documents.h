#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/memory.h"

namespace hyscale::tests {

/// Document begins [sequences, length] with documents that start at `starts` (rising, above 0) in the first sequence
/// and at the mirrored places in every other one, so that no two neighbours are alike.
inline OwnedTensor documents_at(int64_t sequences, int64_t length, const std::vector<int64_t>& starts) {
  OwnedTensor begins(DType::i32, {sequences, length});
  const auto begin = begins.tensor().view<int32_t, 2>();
  for (int64_t s = 0; s < sequences; ++s)
    for (int64_t t = 0; t < length; ++t) {
      begin(s, t) = t == 0 ? 0 : begin(s, t - 1);
      for (const int64_t start : starts)
        if (t > 0 && t == (s == 0 ? start : length - start)) begin(s, t) = static_cast<int32_t>(t);
    }
  return begins;
}

/// The awkward places: none, the second token (a document of one), the last token, several in a row, a few far apart.
inline std::vector<std::vector<int64_t>> awkward_starts(int64_t length) {
  std::vector<std::vector<int64_t>> all{{}};
  if (length > 1) all.push_back({1}), all.push_back({length - 1});
  if (length > 6) all.push_back({2, 3, 4, length / 2 + 1}), all.push_back({length / 3, 2 * length / 3});
  return all;
}

}  // namespace hyscale::tests
