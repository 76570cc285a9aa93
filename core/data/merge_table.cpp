#include "core/data/merge_table.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

namespace hyscale::data {
namespace {

constexpr size_t kShort = 32;  // tokens of a word up to which looking at all pairs beats a heap
constexpr int32_t kNoMerge = std::numeric_limits<int32_t>::max();

// Puts the lowest rank, then the leftmost, at the front of a standard heap.
bool later(const MergeTable::Scratch::Pair& a, const MergeTable::Scratch::Pair& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
}

}  // namespace

MergeTable::MergeTable(size_t pairs)
    : slots_(std::bit_ceil(std::max<size_t>(pairs * 2, 16))),
      mask_(slots_.size() - 1),
      shift_(64 - std::countr_zero(slots_.size())) {}

void MergeTable::set(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = key_of(left, right);
  size_t slot = hash(key) >> shift_;
  while (slots_[slot].key != key && slots_[slot].key != kFree) slot = (slot + 1) & mask_;
  if (slots_[slot].key == kFree) ++size_;
  slots_[slot] = {key, merge};
}

void MergeTable::apply(std::vector<int32_t>& tokens, Scratch& scratch) const {
  if (tokens.size() < 2) return;
  if (tokens.size() <= kShort) return apply_short(tokens);
  apply_long(tokens, scratch);
}

// ranks[i] and merged[i] belong to the pair of tokens i and i + 1.
void MergeTable::apply_short(std::vector<int32_t>& tokens) const {
  size_t count = tokens.size();
  int32_t ranks[kShort], merged[kShort];
  const auto look = [&](size_t i) {
    const Merge* merge = find(tokens[i], tokens[i + 1]);
    ranks[i] = merge ? merge->rank : kNoMerge;
    merged[i] = merge ? merge->token : -1;
  };
  for (size_t i = 0; i + 1 < count; ++i) look(i);
  while (count > 1) {
    const size_t best = static_cast<size_t>(std::min_element(ranks, ranks + count - 1) - ranks);
    if (ranks[best] == kNoMerge) break;
    tokens[best] = merged[best];
    std::copy(tokens.begin() + static_cast<ptrdiff_t>(best) + 2, tokens.begin() + static_cast<ptrdiff_t>(count),
              tokens.begin() + static_cast<ptrdiff_t>(best) + 1);
    std::copy(ranks + best + 1, ranks + count - 1, ranks + best);
    std::copy(merged + best + 1, merged + count - 1, merged + best);
    --count;
    if (best > 0) look(best - 1);
    if (best + 1 < count) look(best);
  }
  tokens.resize(count);
}

// A linked list of tokens and a heap of pairs; a pair whose tokens have changed since it was pushed is passed over.
void MergeTable::apply_long(std::vector<int32_t>& tokens, Scratch& scratch) const {
  const auto count = static_cast<int32_t>(tokens.size());
  auto& [heap, next, previous] = scratch;
  heap.clear();
  next.resize(tokens.size());
  previous.resize(tokens.size());
  std::iota(next.begin(), next.end(), 1);
  std::iota(previous.begin(), previous.end(), -1);
  const auto token = [&](int32_t i) -> int32_t& { return tokens[static_cast<size_t>(i)]; };
  const auto after = [&](int32_t i) -> int32_t& { return next[static_cast<size_t>(i)]; };
  const auto consider = [&](int32_t left) {
    if (left < 0 || after(left) >= count) return false;
    const Merge* merge = find(token(left), token(after(left)));
    if (merge) heap.push_back({merge->rank, left, merge->token});
    return merge != nullptr;
  };
  for (int32_t i = 0; i + 1 < count; ++i) consider(i);
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Scratch::Pair best = heap.back();
    heap.pop_back();
    const int32_t left = best.position, right = after(left);
    if (token(left) < 0 || right >= count) continue;
    const Merge* merge = find(token(left), token(right));
    if (!merge || merge->token != best.token) continue;
    token(left) = best.token;
    token(right) = -1;
    after(left) = after(right);
    if (after(left) < count) previous[static_cast<size_t>(after(left))] = left;
    if (consider(previous[static_cast<size_t>(left)])) std::push_heap(heap.begin(), heap.end(), later);
    if (consider(left)) std::push_heap(heap.begin(), heap.end(), later);
  }
  std::erase_if(tokens, [](int32_t id) { return id < 0; });
}

}  // namespace hyscale::data
