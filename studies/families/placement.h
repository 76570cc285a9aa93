#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "studies/study_spec.h"

namespace hyscale::studies {

/// How many of `layers` are expensive at a ratio a:b: round(layers · a / (a + b)), halves up, at least 1. One layer at
/// least stays cheap when `keep_cheap` and b > 0.
int64_t expensive_layers(int64_t layers, std::array<int64_t, 2> ratio, bool keep_cheap);

/// Where `count` expensive layers stand among `layers`, 1-based and ascending. One formula: the even spread
///   p_i = round(i (layers + 1) / (count + 1)), i = 1 … count, halves up
/// is `middle` (the seed paper's word for inter-layer hybrids) and `scatter` (its word for intra-layer ones); `front`
/// moves the first of them to layer 1, `end` the last one to the last layer (arXiv 2510.04800, Tables 17 and 21: 13
/// layers with 2 give {5, 9}, with 3 {4, 7, 11}; 11 layers with 2 give {4, 8}, with 3 {3, 6, 9}).
std::vector<int64_t> positions(int64_t layers, int64_t count, Placement placement);

}  // namespace hyscale::studies
