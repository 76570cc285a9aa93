#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace hyscale::spec {

/// One of `size` tensor-parallel ranks that together hold one model.
struct Shard {
  int rank = 0;
  int size = 1;
};

struct Interval {
  int64_t begin = 0, count = 0;
  int64_t end() const { return begin + count; }
  bool operator==(const Interval&) const = default;
};

/// A rank's part of `count` entries: parts differ by one entry at most and lie in the order of the ranks.
Interval even_share(int64_t count, Shard shard);

/// Each rank's heads where `groups` of heads read something common (keys and values; B and C): whole groups while there
/// are enough, else each group's heads share some ranks and each of these has a copy of what the group reads. Needs at
/// least as many heads as ranks.
std::vector<Interval> share_heads(int64_t heads, int64_t groups, int ranks);

/// What a rank holds of a mixer's heads.
struct HeadShare {
  Interval heads, groups;
  bool copied = false;  // some group is on several ranks: the gradients of what it reads are summed over them
  bool counts = true;   // this rank is the first that holds its group
};
/// Of the rank `rank` under `cuts`, the heads of every rank. None when a rank has no head, or pieces of several groups.
std::optional<HeadShare> head_share(int64_t heads, int64_t groups, const std::vector<Interval>& cuts, int rank);

/// Entries begin … begin + count - 1 of a whole tensor's axis, next to each other on a rank.
struct Piece {
  int64_t begin = 0, count = 0;
  bool counted = true;  // false on all ranks but one of those that hold it: the gradient's norm counts it once
};

/// Which part of a whole tensor a rank holds.
struct ParameterPart {
  int axis = 0;
  int64_t whole = 0;             // entries of that axis in the whole tensor
  std::vector<Piece> pieces;     // in the order in which they lie on this rank
  std::vector<Interval> summed;  // entries of which several ranks hold copies whose gradients must be added up
};

}  // namespace hyscale::spec
