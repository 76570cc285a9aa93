#pragma once

#include "core/kernels/causal_conv.h"
#include "core/kernels/gated_rms_norm.h"
#include "core/kernels/ssd.h"
#include "core/mixers/branch.h"
#include "core/mixers/mamba2/mamba2_spec.h"

namespace hyscale::model {

/// Mamba-2 at work, up to its out projection: in-projection to z | x | B | C | dt, convolution with silu over x | B |
/// C, SSD scan, gated norm (or the gate alone). Formulae and parameters: Mamba2Spec. Every kernel reads its columns of
/// the in-projection in place.
class Mamba2Branch final : public Branch {
 public:
  Mamba2Branch(const spec::Mamba2Spec& spec, const MixerContext& context, const ParameterTable& parameters,
               const std::string& prefix, SharedValue* shared);
  int64_t value_width() const override { return spec_.d_ssm; }
  Tensor forward(const Tensor& x, BatchShape shape, const Exec& exec) override;
  void backward(const Tensor& x, const Tensor& dvalue, const Tensor& dx, bool accumulate, const Exec& exec) override;

 private:
  /// Columns of a row z | x | B | C | dt, or of x | B | C behind the convolution.
  Tensor gate(const Tensor& row) const { return row.slice(1, 0, spec_.d_ssm); }
  Tensor conv_part(const Tensor& row) const { return row.slice(1, spec_.d_ssm, spec_.conv_width()); }
  Tensor dt_part(const Tensor& row) const { return row.slice(1, spec_.d_ssm + spec_.conv_width(), spec_.heads()); }
  Tensor x_part(const Tensor& row) const { return row.slice(1, 0, spec_.d_ssm); }
  Tensor b_part(const Tensor& row) const { return row.slice(1, spec_.d_ssm, group_width()); }
  Tensor c_part(const Tensor& row) const { return row.slice(1, spec_.d_ssm + group_width(), group_width()); }
  int64_t group_width() const { return spec_.groups * spec_.d_state; }

  Tensor value_part(const Tensor& row) const { return row.slice(1, spec_.d_ssm, spec_.d_ssm); }  // x before it

  /// Rows of in.weight, and the columns of a row z | x | B | C | dt that they project to.
  struct InProjection {
    int64_t begin = 0, count = 0;
    Projection projection;
  };
  std::vector<InProjection> in_projections() const;
  void project_in(const Tensor& x, const Exec& exec);
  void project_in_backward(const Tensor& x, const Tensor& din, const Tensor& dx, bool accumulate, const Exec& exec);
  kernels::CausalConvArgs conv_args() const;
  kernels::SsdInputs scan_inputs() const;
  void take_past(const BatchShape& shape, DType dtype);
  kernels::GatedRmsNormArgs norm_args() const;
  /// The norm's row is shared out over the ranks and one of its groups lies on several.
  bool norm_is_split() const { return spec_.split_norm; }
  kernels::GatedRmsNormArgs gate_args() const;
  void norm(const Tensor& value, const Exec& exec);
  void norm_backward(const Tensor& dvalue, const Tensor& dy, const Tensor& dz, const Exec& exec);

  const spec::Mamba2Spec spec_;
  SharedValue* const shared_;  // null: x is projected here
  const double norm_epsilon_;
  TensorGroup* const ranks_;  // null but for a part
  const Parameter& in_weight_;
  const int64_t spare_;  // rows of in_weight_ that are 0; as many columns lie behind dt
  const Parameter &conv_weight_, &conv_bias_, &dt_bias_, &a_log_, &d_;
  const Parameter* norm_weight_;  // null: the gate alone
  std::vector<InProjection> in_projections_;

  // of the micro-batch at work
  kernels::SsdShape shape_;
  Tensor document_begins_;
  Tensor history_, state_;  // of what went before; empty: nothing did
  Tensor in_;               // [tokens, z | x | B | C | dt | spare]
  Tensor conv_;             // [tokens, x | B | C]
  Tensor y_;                // [tokens, d_ssm]
  Tensor rstd_;             // [tokens, norm_groups]
  kernels::SsdSaved saved_;
};

}  // namespace hyscale::model
