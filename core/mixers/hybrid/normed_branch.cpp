#include "core/mixers/hybrid/normed_branch.h"

#include "core/kernels/rms_norm.h"
#include "core/kernels/split_rms_norm.h"

namespace hyscale::model {

NormedBranch::NormedBranch(const spec::HybridSpec& spec, size_t index, const MixerContext& context,
                           const ParameterTable& parameters, const std::string& prefix, SharedValue* shared)
    : ranks_(context.ranks), epsilon_(context.norm_epsilon) {
  const spec::MixerSpec& own = *spec.branches[index];
  const std::string name = prefix + "branches." + std::to_string(index) + ".";
  const bool mamba = own.kind() == "mamba2";
  const auto make = mamba ? make_mamba2_branch : make_attention_branch;
  branch_ = make(own, context, parameters, name, shared);
  if (mamba || spec.norm != spec::HybridNorm::group) return;
  norm_weight_ = &parameters.at(name + "norm.weight");
  if (!is_split()) return;
  first_ = dynamic_cast<const spec::AttentionSpec&>(own).value_range().begin;
  channels_ = spec.whole->value_width(index);
}

Tensor NormedBranch::forward(const Tensor& x, BatchShape shape, const Exec& exec) {
  value_ = branch_->forward(x, shape, exec);
  if (norm_weight_ == nullptr) return value_;
  const Tensor rows = exec.arena->matrix(value_.dtype(), value_.extent(0), value_.extent(1));
  rstd_ = exec.arena->tensor(wide(value_.dtype()), {value_.extent(0)});
  if (is_split()) {
    kernels::split_rms_norm({.out = rows,
                             .rstd = rstd_.reshape({rstd_.extent(0), 1}),
                             .x = value_,
                             .weight = norm_weight_->weight,
                             .first = first_,
                             .width = channels_,
                             .epsilon = epsilon_},
                            *ranks_, exec);
    return rows;
  }
  kernels::rms_norm({.out = rows,
                     .rstd = rstd_,
                     .sum = {},
                     .x = value_,
                     .delta = {},
                     .weight = norm_weight_->weight,
                     .epsilon = epsilon_},
                    exec);
  return rows;
}

void NormedBranch::backward(const Tensor& x, const Tensor& drows, const Tensor& dx, bool accumulate, const Exec& exec) {
  if (norm_weight_ == nullptr) return branch_->backward(x, drows, dx, accumulate, exec);
  const Arena::Scope scratch(*exec.arena);
  const Tensor dvalue = exec.arena->matrix(value_.dtype(), value_.extent(0), value_.extent(1));
  if (is_split())
    kernels::split_rms_norm_backward({.dx = dvalue,
                                      .dweight = norm_weight_->gradient,
                                      .dout = drows,
                                      .x = value_,
                                      .rstd = rstd_.reshape({rstd_.extent(0), 1}),
                                      .weight = norm_weight_->weight,
                                      .first = first_,
                                      .width = channels_},
                                     *ranks_, exec);
  else
    kernels::rms_norm_backward({.dx = dvalue,
                                .dweight = norm_weight_->gradient,
                                .dout = drows,
                                .x = value_,
                                .rstd = rstd_,
                                .weight = norm_weight_->weight},
                               exec);
  branch_->backward(x, dvalue, dx, accumulate, exec);
}

}  // namespace hyscale::model
