#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "core/model/model.h"
#include "core/tensor/device_context.h"

namespace hyscale::model {

/// Micro-batches of one shape on a GPU: where their tokens lie, and the recorded work on them.
class DeviceBatch {
 public:
  DeviceBatch(const TokenBatch& like, DeviceContext& context);

  bool has_shape_of(const TokenBatch& batch) const;
  const TokenBatch& tokens() const { return tokens_; }

  /// Enqueues the copy of a batch of this shape. Throws ShapeError when a token is outside the vocabulary (or a target
  /// above it): no kernel looks again.
  const TokenBatch& upload(const TokenBatch& batch, int64_t vocabulary);

  /// Does `work`, which only enqueues, uses `arena` and depends on `scale`.
  void run(double scale, const Arena& arena, const std::function<void()>& work);

 private:
  DeviceContext* context_;
  OwnedTensor inputs_, targets_, document_begins_;
  TokenBatch tokens_;
  double scale_ = 0;  // of the recorded work
  RecordedWork recorded_;
};

/// The one of `batches` with the shape of `batch`, made where there is none yet.
DeviceBatch& batch_like(std::deque<DeviceBatch>& batches, const TokenBatch& batch, DeviceContext& context);

}  // namespace hyscale::model
