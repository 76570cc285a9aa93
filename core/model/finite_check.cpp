#include "core/model/finite_check.h"

#include <cmath>
#include <cstring>
#include <vector>

namespace hyscale::model {
namespace {

template <class T>
bool all_finite(const std::byte* memory, int64_t rows, int64_t width, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < width; ++i) {
      T value;
      std::memcpy(&value, memory + static_cast<size_t>(row * stride + i) * sizeof(T), sizeof(T));
      if (!std::isfinite(to_double(value))) return false;
    }
  return true;
}

}  // namespace

bool FiniteCheck::is_finite(const Tensor& tensor) const {
  if (tensor.empty()) return true;
  const int64_t width = tensor.extent(tensor.rank() - 1), rows = tensor.numel() / width;
  const int64_t stride = tensor.rank() > 1 ? tensor.stride(0) : width;
  const int64_t span = (rows - 1) * stride + width;  // what lies between the rows comes along
  std::vector<std::byte> host(static_cast<size_t>(span) * size_of(tensor.dtype()));
  context_->download(host.data(), Tensor(tensor.data(), tensor.dtype(), tensor.device(), {span}));
  bool finite = false;
  with_floating("a search for values that are not finite", tensor.dtype(),
                [&]<class T>(T) { finite = all_finite<T>(host.data(), rows, width, stride); });
  return finite;
}

void FiniteCheck::look(std::string_view name, const Tensor& tensor) {
  if (found_.empty() && !is_finite(tensor)) found_ = name;
}

void FiniteCheck::look(size_t layer, const char* part, const Tensor& tensor) {
  if (found_.empty() && !is_finite(tensor)) found_ = "layers." + std::to_string(layer) + "." + part;
}

}  // namespace hyscale::model
