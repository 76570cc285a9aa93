#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hyscale::spec {

enum class Placement { front, middle, end, scatter, cluster, sandwich };
const std::vector<std::string>& placement_names();  // in the order of the enumeration

/// Expensive : cheap layers; 1:5 means one attention layer (or hybrid block) to five Mamba layers.
using LayerRatio = std::array<int64_t, 2>;

/// How many of `layers` are expensive at a ratio a:b: round(layers · a / (a + b)), halves up. `a + b` > 0.
int64_t expensive_layers(int64_t layers, LayerRatio ratio);

/// Where `count` ≤ `layers` expensive layers stand, 1-based and ascending. With L layers, k = count and r() rounding
/// halves up, one formula each:
///   middle, scatter  p_i = r(i (L + 1) / (k + 1)), i = 1 … k: the even spread (`middle` is the seed paper's word for
///                    inter-layer hybrids, `scatter` for intra-layer ones)
///   front            the even spread with its first layer moved to layer 1
///   end              the even spread with its last layer moved to layer L
///   cluster          k consecutive layers from s = max(1, min(r(2 L / 3), L − k − 1)): they start two thirds down the
///                    stack, or earlier where that leaves fewer than two cheap layers behind them
///   sandwich         e = r(k / 3) layers at each end, the other k − 2e in the centre, from r((L − k) / 2 + e) + 1 on
/// They give the layers of arXiv 2510.04800, Table 21 for 13 layers: cluster {9,10}, {9,10,11}, {5 … 11}; sandwich
/// {1,13}, {1,7,13}, {1,2,6,7,8,12,13}; scatter {5,9}, {4,7,11}; and of Table 17 for 11 layers: middle {4,8}, {3,6,9}.
/// The paper's other sets follow no formula: they are explicit lists in studies/specs.
std::vector<int64_t> positions(int64_t layers, int64_t count, Placement placement);

}  // namespace hyscale::spec
