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

  /// Does `work`, which only enqueues, uses `arena` and depends on `scale`: by itself the first time, recorded from
  /// then on as long as neither scale nor the arena's memory changes. By itself too while operations are timed.
  void run(double scale, const Arena& arena, const std::function<void()>& work);

 private:
  DeviceContext* context_;
  OwnedTensor inputs_, targets_, document_begins_;
  TokenBatch tokens_;
  bool ran_ = false;
  double scale_ = 0;         // of the recording, or of the run before it
  int64_t generation_ = -1;  // of the arena, then
  std::unique_ptr<Recording> recording_;
};

/// The one of `batches` with the shape of `batch`, made where there is none yet.
DeviceBatch& batch_like(std::deque<DeviceBatch>& batches, const TokenBatch& batch, DeviceContext& context);

}  // namespace hyscale::model
