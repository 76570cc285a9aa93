#include "core/tensor/tensor_group.h"

#include <algorithm>
#include <vector>

namespace hyscale {

// Calls reduce(dense values) and brings the result back where rows lie apart.
template <class T, class F>
static void on_dense(const Tensor& values, F&& reduce) {
  const auto count = static_cast<size_t>(values.numel());
  if (values.is_dense()) return reduce(std::span(values.as<T>(), count));
  const auto rows = values.view<T, 2>();
  const int64_t width = rows.extent(1);
  std::vector<T> dense(count);
  for (int64_t i = 0; i < rows.extent(0); ++i) std::copy_n(&rows(i, 0), width, dense.begin() + i * width);
  reduce(std::span(dense));
  for (int64_t i = 0; i < rows.extent(0); ++i) std::copy_n(dense.begin() + i * width, width, &rows(i, 0));
}

void HostTensorGroup::sum(const Tensor& values) {
  with_real(values.dtype(),
            [&]<class T>(T) { on_dense<T>(values, [&](std::span<T> dense) { ranks_.all_reduce_sum(dense); }); });
}

void HostTensorGroup::max(const Tensor& values) {
  with_real(values.dtype(),
            [&]<class T>(T) { on_dense<T>(values, [&](std::span<T> dense) { ranks_.all_reduce_max(dense); }); });
}

}  // namespace hyscale
