#include "core/mixers/branch.h"

#include "core/kernels/gemm.h"
#include "core/kernels/rms_norm.h"

namespace hyscale::model {

ProjectedBranch::ProjectedBranch(std::unique_ptr<Branch> branch, const Parameter& out_weight,
                                 const Parameter* norm_weight, double norm_epsilon)
    : branch_(std::move(branch)), out_weight_(out_weight), norm_weight_(norm_weight), norm_epsilon_(norm_epsilon) {}

void ProjectedBranch::forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) {
  forward(x, out, Part{}, shape, exec);
}

void ProjectedBranch::forward(const Tensor& x, const Tensor& out, Part part, BatchShape shape, const Exec& exec) {
  value_ = projected_ = branch_->forward(x, shape, exec);
  if (norm_weight_ != nullptr) {
    projected_ = exec.arena->matrix(value_.dtype(), value_.extent(0), value_.extent(1));
    rstd_ = exec.arena->tensor(value_.dtype(), {value_.extent(0)});
    kernels::rms_norm({.out = projected_,
                       .rstd = rstd_,
                       .sum = {},
                       .x = value_,
                       .delta = {},
                       .weight = norm_weight_->weight,
                       .epsilon = norm_epsilon_},
                      exec);
  }
  kernels::gemm({.out = out,
                 .a = projected_,
                 .b = out_weight_.weight,
                 .transpose_b = true,
                 .accumulate = part.accumulate,
                 .alpha = part.sign},
                exec);
}

void ProjectedBranch::backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) {
  backward(x, dout, dx, Part{}, exec);
}

void ProjectedBranch::backward(const Tensor& x, const Tensor& dout, const Tensor& dx, Part part, const Exec& exec) {
  const Arena::Scope scope(*exec.arena);
  kernels::gemm({.out = out_weight_.gradient,
                 .a = dout,
                 .b = projected_,
                 .transpose_a = true,
                 .accumulate = true,
                 .alpha = part.sign},
                exec);
  Tensor dvalue = exec.arena->matrix(value_.dtype(), value_.extent(0), value_.extent(1));
  kernels::gemm({.out = dvalue, .a = dout, .b = out_weight_.weight, .alpha = part.sign}, exec);
  if (norm_weight_ != nullptr) {
    const Tensor dnormed = dvalue;
    dvalue = exec.arena->matrix(value_.dtype(), value_.extent(0), value_.extent(1));
    kernels::rms_norm_backward({.dx = dvalue,
                                .dweight = norm_weight_->gradient,
                                .dout = dnormed,
                                .x = value_,
                                .rstd = rstd_,
                                .weight = norm_weight_->weight},
                               exec);
  }
  branch_->backward(x, dvalue, dx, part.accumulate, exec);
}

}  // namespace hyscale::model
