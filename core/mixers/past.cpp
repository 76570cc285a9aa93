#include "core/mixers/past.h"

#include "core/kernels/cached_attention.h"

namespace hyscale::model {

Past::Past(int64_t sequences, int64_t capacity, DeviceContext& context)
    : context_(context),
      capacity_(capacity),
      lengths_(static_cast<size_t>(sequences)),
      lengths_there_(DType::i32, {sequences}, context.memory()) {}

size_t Past::bytes() const {
  size_t total = 0;
  for (const auto& [of, tensor] : kept_) total += bytes_of(tensor);
  return total;
}

Tensor Past::kept(const void* owner, int part, DType dtype, const Shape& shape) {
  const auto found = kept_.find({owner, part});
  if (found != kept_.end()) return found->second;
  std::vector<int64_t> all{sequences()};
  all.insert(all.end(), shape.begin(), shape.end());
  return kept_.emplace(std::pair{owner, part}, OwnedTensor(dtype, Shape(all), context_.memory())).first->second;
}

void Past::append_later(const Tensor& cache, const Tensor& rows, int64_t sinks, int64_t first) {
  appends_.push_back({.cache = cache, .rows = rows, .sinks = sinks, .first = first});
}

void Past::commit(int64_t first, int64_t count, int64_t tokens, const Exec& exec) {
  for (const Append& append : appends_)
    kernels::append_to_cache({.cache = append.cache,
                              .rows = append.rows,
                              .lengths = lengths().slice(0, append.first, append.rows.extent(0)),
                              .sinks = append.sinks},
                             exec);
  appends_.clear();
  for (int64_t s = first; s < first + count; ++s) lengths_[static_cast<size_t>(s)] += tokens;
  send_lengths();
}

void Past::clear() {
  for (auto& [of, tensor] : kept_) context_.memory().zero(tensor.tensor().data(), bytes_of(tensor));
  lengths_.assign(lengths_.size(), 0);
  send_lengths();
}

void Past::send_lengths() {
  const std::vector<int32_t> narrow(lengths_.begin(), lengths_.end());
  context_.upload(lengths_there_, narrow.data());
}

}  // namespace hyscale::model
