#include "core/mixers/hybrid/hybrid.h"

#include "core/kernels/scale_rows.h"
#include "core/tensor/device_context.h"

namespace hyscale::model {

static Tensor rows_like(const Tensor& rows, const Exec& exec) {
  return exec.arena->matrix(rows.dtype(), rows.extent(0), rows.extent(1));
}

// A concatenation's projection is one for each branch whose weights lie side by side.
static std::vector<Projection> make_projections(const spec::HybridSpec& spec, double sign_of_second,
                                                const ParameterTable& parameters, const std::string& prefix) {
  if (spec.output == spec::HybridOutput::separate) {
    const Parameter &first = parameters.at(prefix + "branches.0.out.weight"),
                    &second = parameters.at(prefix + "branches.1.out.weight");
    return {{.weight = first.weight, .gradient = first.gradient},
            {.weight = second.weight, .gradient = second.gradient, .sign = sign_of_second}};
  }
  const Parameter& out = parameters.at(prefix + "out.weight");
  if (spec.sums_values()) return {{.weight = out.weight, .gradient = out.gradient}};
  const auto columns = [&](int64_t begin, int64_t count) {
    return Projection{.weight = out.weight.slice(1, begin, count), .gradient = out.gradient.slice(1, begin, count)};
  };
  return {columns(0, spec.value_width(0)), columns(spec.value_width(0), spec.value_width(1))};
}

HybridMixer::HybridMixer(const spec::HybridSpec& spec, const MixerContext& context, const ParameterTable& parameters,
                         const std::string& prefix)
    : shares_(spec.value == spec::HybridValue::joint),
      giver_(shares_ ? spec.value_giver() : 0),
      sign_of_second_(spec.fusion == spec::HybridFusion::subtract ? -1 : 1),
      projections_(make_projections(spec, sign_of_second_, parameters, prefix)),
      scale_(spec, parameters, prefix) {
  if (shares_) shared_.kv_heads = dynamic_cast<const spec::AttentionSpec&>(*spec.branches[giver_]).kv_heads;
  for (size_t b = 0; b < spec.branches.size(); ++b)
    branches_.emplace_back(spec, b, context, parameters, prefix, shares_ ? &shared_ : nullptr);
}

bool HybridMixer::apart(const Exec& exec) const {
  return exec.two_queues && exec.context != nullptr && exec.context->can_record() && !shares_;
}

template <class Work>
void HybridMixer::both(size_t first, const Work& work, const Exec& exec) const {
  if (!apart(exec)) {
    work(first);
    return work(1 - first);
  }
  exec.context->side_by_side([&] { exec.arena->keep_all_of([&] { work(first); }); }, [&] { work(1 - first); });
}

void HybridMixer::forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) {
  scale_.forward(x, exec);
  both(
      giver_, [&](size_t b) { rows_[b] = branches_[b].forward(x, shape, exec); }, exec);
  if (summed_first()) {
    scaled_[0] = fused(exec);
    return projections_[0].forward(scaled_[0], out, false, exec);
  }
  for (size_t b = 0; b < 2; ++b) {
    scaled_[b] = scaled(b, exec);
    projections_[b].forward(scaled_[b], out, b > 0, exec);
  }
}

// s_0 ± s_1
Tensor HybridMixer::fused(const Exec& exec) const {
  const Tensor sum = rows_like(rows_[0], exec);
  kernels::scale_rows({.out = sum, .x = rows_[0], .factor = scale_.factor(0)}, exec);
  kernels::scale_rows(
      {.out = sum, .x = rows_[1], .factor = scale_.factor(1), .sign = sign_of_second_, .accumulate = true}, exec);
  return sum;
}

Tensor HybridMixer::scaled(size_t branch, const Exec& exec) const {
  if (scale_.factor(branch).empty()) return rows_[branch];
  const Tensor rows = rows_like(rows_[branch], exec);
  kernels::scale_rows({.out = rows, .x = rows_[branch], .factor = scale_.factor(branch)}, exec);
  return rows;
}

void HybridMixer::backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) {
  const Arena::Scope scratch(*exec.arena);
  scale_.begin_backward(exec);
  const std::array<Tensor, 2> drows = backward_to_rows(dout, exec);
  if (shares_) shared_.gradient = rows_like(shared_.rows, exec);
  // what happens side by side cannot add to one dx
  const Tensor own = apart(exec) ? rows_like(dx, exec) : dx;
  both(
      1 - giver_,
      [&](size_t b) {
        const bool second = b == giver_;
        branches_[b].backward(x, drows[b], second ? own : dx, second && !apart(exec), exec);
      },
      exec);
  if (apart(exec)) kernels::scale_rows({.out = dx, .x = own, .factor = {}, .accumulate = true}, exec);
  scale_.backward(x, dx, exec);
}

// Gradients of n_0 and n_1; those of the projections and of the scale's factors are accumulated on the way.
std::array<Tensor, 2> HybridMixer::backward_to_rows(const Tensor& dout, const Exec& exec) {
  if (summed_first()) {
    const Tensor dsum = rows_like(scaled_[0], exec);
    projections_[0].backward(scaled_[0], dout, dsum, false, exec);
    return {backward_scale(0, dsum, 1, exec), backward_scale(1, dsum, sign_of_second_, exec)};
  }
  std::array<Tensor, 2> drows;
  for (size_t b = 0; b < 2; ++b) {
    const Tensor dscaled = rows_like(scaled_[b], exec);
    projections_[b].backward(scaled_[b], dout, dscaled, false, exec);
    drows[b] = backward_scale(b, dscaled, 1, exec);
  }
  return drows;
}

Tensor HybridMixer::backward_scale(size_t branch, const Tensor& dscaled, double sign, const Exec& exec) const {
  const Tensor& factor = scale_.factor(branch);
  if (factor.empty() && sign == 1) return dscaled;
  const Tensor drows = rows_like(dscaled, exec);
  kernels::scale_rows_backward({.dx = drows,
                                .dfactor = scale_.gradient(branch),
                                .dout = dscaled,
                                .x = rows_[branch],
                                .factor = factor,
                                .sign = sign},
                               exec);
  return drows;
}

std::unique_ptr<Mixer> make_hybrid(const spec::MixerSpec& spec, const MixerContext& context,
                                   const ParameterTable& parameters, const std::string& prefix) {
  return std::make_unique<HybridMixer>(dynamic_cast<const spec::HybridSpec&>(spec), context, parameters, prefix);
}

}  // namespace hyscale::model
