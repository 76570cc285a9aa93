#include "core/spec/shard.h"

#include <algorithm>

#include "core/spec/mixer_spec.h"

namespace hyscale::spec {

Interval even_share(int64_t count, Shard shard) {
  const int64_t begin = count * shard.rank / shard.size, end = count * (shard.rank + 1) / shard.size;
  return {begin, end - begin};
}

std::vector<Interval> share_heads(int64_t heads, int64_t groups, int ranks) {
  const int64_t each = heads / groups;  // heads of a group
  std::vector<Interval> cuts;
  for (int rank = 0; rank < ranks && ranks <= groups; ++rank) {
    const Interval whole = even_share(groups, {rank, ranks});
    cuts.push_back({whole.begin * each, whole.count * each});
  }
  for (int group = 0; group < groups && ranks > groups; ++group) {
    const auto sharing = static_cast<int>(even_share(ranks, {group, static_cast<int>(groups)}).count);
    for (int rank = 0; rank < sharing; ++rank) {
      const Interval own = even_share(each, {rank, sharing});
      cuts.push_back({group * each + own.begin, own.count});
    }
  }
  return cuts;
}

std::optional<HeadShare> head_share(int64_t heads, int64_t groups, const std::vector<Interval>& cuts, int rank) {
  const int64_t each = heads / groups;
  HeadShare share{.heads = cuts[static_cast<size_t>(rank)], .groups = {}};
  for (const Interval& own : cuts) {
    if (own.count < 1) return std::nullopt;
    const bool whole = own.begin % each == 0 && own.count % each == 0;
    if (!whole && own.begin / each != (own.end() - 1) / each) return std::nullopt;
    share.copied = share.copied || !whole;
  }
  const int64_t first = share.heads.begin / each, last = (share.heads.end() - 1) / each;
  share.groups = {first, last - first + 1};
  share.counts = share.heads.begin % each == 0;
  return share;
}

ParameterSpec cut(ParameterSpec whole, int axis, std::vector<Piece> pieces, std::vector<Interval> summed) {
  int64_t& extent = whole.shape[static_cast<size_t>(axis)];
  whole.part = ParameterPart{.axis = axis, .whole = extent, .pieces = std::move(pieces), .summed = std::move(summed)};
  extent = 0;
  for (const Piece& piece : whole.part->pieces) extent += piece.count;
  return whole;
}

ParameterSpec copied(ParameterSpec whole, Shard shard, bool sum) {
  const Interval all{0, whole.shape.front()};
  return cut(std::move(whole), 0, {{all.begin, all.count, shard.rank == 0}},
             sum ? std::vector{all} : std::vector<Interval>{});
}

static int64_t product(const std::vector<int64_t>& shape, size_t begin, size_t end) {
  int64_t n = 1;
  for (size_t i = begin; i < end; ++i) n *= shape[i];
  return n;
}

std::vector<int64_t> ParameterSpec::whole_shape() const {
  std::vector<int64_t> whole = shape;
  if (part) whole[static_cast<size_t>(part->axis)] = part->whole;
  return whole;
}

void ParameterSpec::for_each_run(const std::function<void(int64_t, int64_t, int64_t, bool)>& visit) const {
  if (!part) return visit(0, 0, count(), true);
  const auto axis = static_cast<size_t>(part->axis);
  const int64_t outer = product(shape, 0, axis), inner = product(shape, axis + 1, shape.size());
  int64_t here = 0;
  for (int64_t row = 0; row < outer; ++row)
    for (const Piece& piece : part->pieces) {
      visit(here, (row * part->whole + piece.begin) * inner, piece.count * inner, piece.counted);
      here += piece.count * inner;
    }
}

int64_t ParameterSpec::whole_index(int64_t here) const {
  if (!part) return here;
  const auto axis = static_cast<size_t>(part->axis);
  const int64_t inner = product(shape, axis + 1, shape.size()), extent = shape[axis];
  const int64_t row = here / inner / extent, rest = here % inner;
  int64_t at = here / inner % extent;
  for (const Piece& piece : part->pieces) {
    if (at < piece.count) return (row * part->whole + piece.begin + at) * inner + rest;
    at -= piece.count;
  }
  return -1;  // no entry of this tensor
}

}  // namespace hyscale::spec
