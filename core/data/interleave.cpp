#include "core/data/interleave.h"

#include <algorithm>
#include <cmath>

namespace hyscale::data {

static constexpr double kUnits = 1e12;
static constexpr int64_t kMark = int64_t{1} << 16;

Interleave::Interleave(std::span<const double> weights) {
  for (const double weight : weights) {
    units_.push_back(std::max<int64_t>(1, std::llround(weight * kUnits)));
    total_ += units_.back();
  }
  now_ = {.taken = std::vector<int64_t>(units_.size()), .credit = std::vector<int64_t>(units_.size())};
  marks_.push_back(now_);
}

// Everybody's credit grows by its weight; of those that are owed at least 1 / (2n - 2) of a sequence, the one whose
// credit would soonest grow too large is served, and pays a whole sequence.
size_t Interleave::advance(State& state) const {
  const auto doubled = static_cast<int64_t>(2 * units_.size()) - 2;
  size_t chosen = units_.size(), most = 0;
  double soonest = 0;
  for (size_t j = 0; j < units_.size(); ++j) {
    state.credit[j] += units_[j];
    if (state.credit[j] > state.credit[most]) most = j;
    if (state.credit[j] * doubled < total_) continue;
    const double deadline =
        static_cast<double>(total_ * (doubled - 1) - state.credit[j] * doubled) / static_cast<double>(units_[j]);
    if (chosen < units_.size() && deadline >= soonest) continue;
    chosen = j;
    soonest = deadline;
  }
  if (chosen == units_.size()) chosen = most;  // one corpus alone
  state.credit[chosen] -= total_;
  ++state.taken[chosen];
  ++state.next;
  return chosen;
}

void Interleave::seek(int64_t index) const {
  const auto mark = std::min(static_cast<size_t>(index / kMark), marks_.size() - 1);
  if (index < now_.next || marks_[mark].next > now_.next) now_ = marks_[mark];
  while (now_.next < index) {
    advance(now_);
    if (now_.next == static_cast<int64_t>(marks_.size()) * kMark) marks_.push_back(now_);
  }
}

Interleave::Turn Interleave::at(int64_t index) const {
  seek(index);
  State after = now_;
  const size_t corpus = advance(after);
  return {.corpus = corpus, .earlier = now_.taken[corpus]};
}

std::vector<int64_t> Interleave::taken(int64_t count) const {
  seek(count);
  return now_.taken;
}

}  // namespace hyscale::data
