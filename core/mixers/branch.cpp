#include "core/mixers/branch.h"

namespace hyscale::model {

namespace {

class ProjectedBranch final : public Mixer {
 public:
  ProjectedBranch(std::unique_ptr<Branch> branch, const Parameter& out)
      : branch_(std::move(branch)), projection_(projection(out)) {}

  void forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) override {
    value_ = branch_->forward(x, shape, exec);
    projection_.forward(value_, out, false, exec);
  }

  bool goes_on() const override { return true; }

  void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) override {
    const Arena::Scope scratch(*exec.arena);
    const Tensor dvalue = exec.arena->matrix(value_.dtype(), value_.extent(0), value_.extent(1));
    projection_.backward(value_, dout, dvalue, false, exec);
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
