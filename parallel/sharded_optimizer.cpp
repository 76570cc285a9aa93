#include "parallel/sharded_optimizer.h"

#include <algorithm>
#include <cmath>

namespace hyscale::parallel {
namespace {

template <class T>
View<T, 1> view_of(std::span<T> values) {
  return {values.data(), {static_cast<int64_t>(values.size())}, {1}};
}

std::span<float> flat_span(const Tensor& tensor) { return {tensor.as<float>(), static_cast<size_t>(tensor.numel())}; }

}  // namespace

std::vector<optim::DecayRange> decay_ranges(const model::ParameterTable& parameters) {
  std::vector<optim::DecayRange> ranges;
  for (const model::Parameter& p : parameters.all()) {
    const int64_t end = p.offset + p.size;
    if (!ranges.empty() && ranges.back().decay == p.spec.decay && ranges.back().end == p.offset)
      ranges.back().end = end;
    else
      ranges.push_back({p.offset, end, p.spec.decay});
  }
  return ranges;
}

// Copies are whole rows of a matrix or entries of a vector: they lie together.
std::vector<FlatRange> counted_ranges(const model::ParameterTable& parameters) {
  std::vector<FlatRange> ranges{{0, 0}};
  for (const model::Parameter& p : parameters.all()) {
    const int64_t row = p.spec.shape.size() == 2 ? p.stride : 1, width = p.spec.shape.size() == 2 ? p.spec.shape[1] : 1;
    p.spec.for_each_run([&](int64_t here, int64_t, int64_t count, bool counted) {
      if (counted) return;
      ranges.back().end = p.offset + here / width * row;
      ranges.push_back({p.offset + (here + count) / width * row, 0});
    });
  }
  ranges.back().end = parameters.weights().numel();
  return ranges;
}

ShardedOptimizer::ShardedOptimizer(model::ParameterTable& parameters, const spec::OptimizerConfig& config,
                                   const Groups& groups, Collective* beside)
    : parameters_(parameters), config_(config), ranks_(groups.data), tensor_(groups.tensor) {
  const auto size = static_cast<size_t>(ranks_.size());
  flat_ = static_cast<size_t>(parameters.weights().numel());
  shard_ = (flat_ + size - 1) / size;
  begin_ = shard_ * static_cast<size_t>(ranks_.rank());
  m_.resize(shard_);
  v_.resize(shard_);
  const auto begin = static_cast<int64_t>(begin_), end = begin + static_cast<int64_t>(shard_);
  for (const optim::DecayRange& range : decay_ranges(parameters)) {
    const int64_t from = std::max(range.begin, begin), to = std::min(range.end, end);
    if (from < to) ranges_.push_back({from - begin, to - begin, range.decay});
  }
  for (const FlatRange& range : counted_ranges(parameters)) {
    const int64_t from = std::max(range.begin, begin), to = std::min(range.end, end);
    if (from < to) counted_.push_back({from - begin, to - begin});
  }
  if (beside != nullptr && ranks_.size() > 1)
    reducer_ = std::make_unique<GradientReducer>(flat_span(parameters.gradients()), shard_, *beside, groups.waits);
  if (shard_ * size != flat_) padded_weights_.resize(shard_ * size), padded_gradients_.resize(shard_ * size);
}

std::span<float> ShardedOptimizer::padded(const Tensor& flat, std::vector<float>& copy) const {
  const std::span<float> values = flat_span(flat);
  if (copy.empty()) return values;
  std::copy(values.begin(), values.end(), copy.begin());
  return copy;
}

void ShardedOptimizer::step(int64_t step, double lr) {
  const bool summed = reducer_ != nullptr && reducer_->finish();
  const std::span<float> gradients = padded(parameters_.gradients(), padded_gradients_);
  if (!summed) ranks_.reduce_scatter_sum(gradients);
  const std::span<const float> mine = gradients.subspan(begin_, shard_);
  double squares = sum_of_squares(mine);
  ranks_.all_reduce_sum(std::span(&squares, 1));
  tensor_.all_reduce_sum(std::span(&squares, 1));
  norm_ = std::sqrt(squares);
  if (std::isfinite(norm_)) {
    const double scale = config_.clip > 0 && norm_ > config_.clip ? config_.clip / norm_ : 1.0;
    const std::span<float> weights = padded(parameters_.weights(), padded_weights_);
    update(weights.subspan(begin_, shard_), mine, scale, step, lr);
    ranks_.all_gather(weights);
    if (!padded_weights_.empty()) std::copy_n(weights.begin(), flat_, parameters_.weights().as<float>());
  }
  parameters_.clear_gradients();
}

model::GradientsDone ShardedOptimizer::gradients_done() {
  if (reducer_ == nullptr) return {};
  return [this](int64_t begin, int64_t end) { reducer_->hand_over(begin, end); };
}

double ShardedOptimizer::sum_of_squares(std::span<const float> shard) const {
  double squares = 0;
  for (const FlatRange& range : counted_)
    squares += optim::sum_of_squares(
        view_of(shard.subspan(static_cast<size_t>(range.begin), static_cast<size_t>(range.end - range.begin))));
  return squares;
}

void ShardedOptimizer::update(std::span<float> weights, std::span<const float> gradients, double scale, int64_t step,
                              double lr) {
  for (const optim::DecayRange& range : ranges_) {
    const auto at = static_cast<size_t>(range.begin), count = static_cast<size_t>(range.end - range.begin);
    optim::adamw({.weights = view_of(weights.subspan(at, count)),
                  .gradients = view_of(gradients.subspan(at, count)),
                  .m = view_of(std::span(m_).subspan(at, count)),
                  .v = view_of(std::span(v_).subspan(at, count)),
                  .lr = lr,
                  .betas = config_.betas,
                  .epsilon = config_.epsilon,
                  .weight_decay = range.decay ? config_.weight_decay : 0.0,
                  .gradient_scale = scale,
                  .step = step});
  }
}

void ShardedOptimizer::set_moments(std::span<const float> m, std::span<const float> v) {
  const size_t there = std::min(begin_ + shard_, flat_) - std::min(begin_, flat_);
  std::copy_n(m.begin() + static_cast<std::ptrdiff_t>(std::min(begin_, flat_)), there, m_.begin());
  std::copy_n(v.begin() + static_cast<std::ptrdiff_t>(std::min(begin_, flat_)), there, v_.begin());
}

}  // namespace hyscale::parallel
