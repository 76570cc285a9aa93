#include "core/mixers/branch.h"

#include "core/kernels/gemm.h"

namespace hyscale::model {

void Projection::forward(const Tensor& rows, const Tensor& out, bool accumulate, const Exec& exec) const {
  kernels::gemm({.out = out, .a = rows, .b = weight, .transpose_b = true, .accumulate = accumulate, .alpha = sign},
                exec);
}

void Projection::backward(const Tensor& rows, const Tensor& dout, const Tensor& drows, const Exec& exec) const {
  kernels::gemm({.out = gradient, .a = dout, .b = rows, .transpose_a = true, .accumulate = true, .alpha = sign}, exec);
  kernels::gemm({.out = drows, .a = dout, .b = weight, .alpha = sign}, exec);
}

namespace {

class ProjectedBranch final : public Mixer {
 public:
  ProjectedBranch(std::unique_ptr<Branch> branch, const Parameter& out)
      : branch_(std::move(branch)), projection_{.weight = out.weight, .gradient = out.gradient} {}

  void forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) override {
    value_ = branch_->forward(x, shape, exec);
    projection_.forward(value_, out, false, exec);
  }

  void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) override {
    const Arena::Scope scratch(*exec.arena);
    const Tensor dvalue = exec.arena->matrix(value_.dtype(), value_.extent(0), value_.extent(1));
    projection_.backward(value_, dout, dvalue, exec);
    branch_->backward(x, dvalue, dx, false, exec);
  }

 private:
  std::unique_ptr<Branch> branch_;
  Projection projection_;
  Tensor value_;
};

}  // namespace

std::unique_ptr<Mixer> make_projected_branch(std::unique_ptr<Branch> branch, const ParameterTable& parameters,
                                             const std::string& prefix) {
  return std::make_unique<ProjectedBranch>(std::move(branch), parameters.at(prefix + "out.weight"));
}

}  // namespace hyscale::model
