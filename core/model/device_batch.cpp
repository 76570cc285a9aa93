#include "core/model/device_batch.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

#include "core/base/error.h"

namespace hyscale::model {

DeviceBatch::DeviceBatch(const TokenBatch& like, DeviceContext& context)
    : context_(&context),
      inputs_(DType::i32, like.inputs.shape(), context.memory()),
      targets_(DType::i32, like.targets.shape(), context.memory()) {
  if (!like.document_begins.empty())
    document_begins_ = OwnedTensor(DType::i32, like.document_begins.shape(), context.memory());
  tokens_ = {.inputs = inputs_, .targets = targets_, .document_begins = document_begins_};
}

bool DeviceBatch::has_shape_of(const TokenBatch& batch) const {
  return tokens_.inputs.shape() == batch.inputs.shape() &&
         tokens_.document_begins.empty() == batch.document_begins.empty();
}

static void check_range(const char* what, const Tensor& tokens, int32_t least, int64_t vocabulary) {
  const auto* const begin = tokens.as<const int32_t>();
  const auto* const end = begin + tokens.numel();
  const auto* const bad = std::find_if(begin, end, [&](int32_t t) { return t < least || t >= vocabulary; });
  if (bad != end)
    throw ShapeError(fmt::format("{} {} at {} is outside a vocabulary of {}", what, *bad, bad - begin, vocabulary));
}

const TokenBatch& DeviceBatch::upload(const TokenBatch& batch, int64_t vocabulary) {
  constexpr int32_t kNoTarget = std::numeric_limits<int32_t>::min();  // any number below 0 says so
  check_range("input token", batch.inputs, 0, vocabulary);
  check_range("target", batch.targets, kNoTarget, vocabulary);
  context_->upload(inputs_, batch.inputs.data());
  context_->upload(targets_, batch.targets.data());
  if (!batch.document_begins.empty()) context_->upload(document_begins_, batch.document_begins.data());
  return tokens_;
}

void DeviceBatch::run(double scale, const Arena& arena, const std::function<void()>& work) {
  if (scale != scale_) recorded_.forget();
  scale_ = scale;
  recorded_.run(*context_, arena, work);
}

DeviceBatch& batch_like(std::deque<DeviceBatch>& batches, const TokenBatch& batch, DeviceContext& context) {
  for (DeviceBatch& there : batches)
    if (there.has_shape_of(batch)) return there;
  return batches.emplace_back(batch, context);
}

}  // namespace hyscale::model
