#include "core/infer/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace hyscale::infer {
namespace {

/// In [0, 1).
double draw(const Sampling& sampling, uint64_t sequence, uint64_t position) {
  std::seed_seq seeds{sampling.seed, sampling.seed >> 32, sequence, position};
  std::mt19937_64 random(seeds);
  return std::ldexp(static_cast<double>(random() >> 11), -53);
}

/// Token ids, likeliest first, the lower id of equals; as many as may be drawn before top_p counts.
std::vector<int32_t> ranked(std::span<const float> logits, int64_t top_k) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto likelier = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  };
  const size_t kept = top_k > 0 ? std::min(static_cast<size_t>(top_k), ids.size()) : ids.size();
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept), ids.end(), likelier);
  ids.resize(kept);
  return ids;
}

}  // namespace

int32_t sample(std::span<const float> logits, const Sampling& sampling, uint64_t sequence, uint64_t position) {
  if (sampling.temperature <= 0)
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  const std::vector<int32_t> ids = ranked(logits, sampling.top_k);
  std::vector<double> upto;  // probability of a token and the likelier ones, not yet divided by that of all
  double sum = 0;
  const double top = static_cast<double>(logits[static_cast<size_t>(ids.front())]);
  for (const int32_t id : ids) {
    sum += std::exp((static_cast<double>(logits[static_cast<size_t>(id)]) - top) / sampling.temperature);
    upto.push_back(sum);
  }
  const auto last = std::lower_bound(upto.begin(), upto.end() - 1, sampling.top_p * sum);
  const double at = draw(sampling, sequence, position) * *last;
  return ids[static_cast<size_t>(std::upper_bound(upto.begin(), last, at) - upto.begin())];
}

}  // namespace hyscale::infer
