#pragma once

#include "core/mixers/hybrid/branch_scale.h"
#include "core/mixers/hybrid/normed_branch.h"

namespace hyscale::model {

/// Two branches on the same input, normed, scaled, fused and projected: HybridSpec.
class HybridMixer final : public Mixer {
 public:
  HybridMixer(const spec::HybridSpec& spec, const MixerContext& context, const ParameterTable& parameters,
              const std::string& prefix);
  void forward(const Tensor& x, const Tensor& out, BatchShape shape, const Exec& exec) override;
  void backward(const Tensor& x, const Tensor& dout, const Tensor& dx, const Exec& exec) override;
  bool goes_on() const override { return true; }

 private:
  /// Whether the branches happen side by side.
  bool apart(const Exec& exec) const;
  /// work(branch) of both, `first` first.
  template <class Work>
  void both(size_t first, const Work& work, const Exec& exec) const;
  bool summed_first() const { return projections_.size() == 1; }
  Tensor fused(const Exec& exec) const;
  Tensor scaled(size_t branch, const Exec& exec) const;
  std::array<Tensor, 2> backward_to_rows(const Tensor& dout, const Exec& exec);
  Tensor backward_scale(size_t branch, const Tensor& dscaled, double sign, const Exec& exec) const;

  SharedValue shared_;
  bool shares_;
  size_t giver_;                         // of the shared value; 0 when nothing is shared
  double sign_of_second_;                // -1: first minus second
  std::vector<Projection> projections_;  // one for the sum, or one for each branch
  BranchScale scale_;
  std::vector<NormedBranch> branches_;   // two
  std::array<Tensor, 2> rows_, scaled_;  // n_i, s_i; scaled_[0] alone holds the sum when there is one projection
};

}  // namespace hyscale::model
