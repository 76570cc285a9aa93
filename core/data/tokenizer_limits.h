#pragma once

#include <cstdint>

namespace hyscale::data {

constexpr int64_t kLargestVocabulary = int64_t{1} << 24;  // no tokenizer comes near it; beyond, a file is damaged

}  // namespace hyscale::data
