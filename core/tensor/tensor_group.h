#pragma once

#include "core/tensor/collective.h"
#include "core/tensor/tensor.h"

namespace hyscale {

/// The ranks that together hold one model, as its layers see them: sums and maxima over tensors where the model
/// computes. Every rank makes the same calls in the same order, on tensors of the same shape. On a GPU a call enqueues
/// its work behind what was enqueued before, so that a recording holds it. Equal bits on every rank and in every run.
class TensorGroup {
 public:
  virtual ~TensorGroup() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// In place, rank 1 or 2; the rows of a matrix may lie apart.
  virtual void sum(const Tensor& values) = 0;
  virtual void max(const Tensor& values) = 0;
};

/// Of models on the CPU: f32 and f64, through `ranks`, which must outlive it.
class HostTensorGroup final : public TensorGroup {
 public:
  explicit HostTensorGroup(Collective& ranks) : ranks_(ranks) {}
  int rank() const override { return ranks_.rank(); }
  int size() const override { return ranks_.size(); }
  void sum(const Tensor& values) override;
  void max(const Tensor& values) override;

 private:
  Collective& ranks_;
};

}  // namespace hyscale
