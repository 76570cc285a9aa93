#pragma once

#include <string>
#include <string_view>

#include "core/tensor/device_context.h"
#include "core/tensor/tensor.h"

namespace hyscale::model {

/// Remembers the name of the first tensor that holds a value which is not finite.
class FiniteCheck {
 public:
  explicit FiniteCheck(DeviceContext& context) : context_(&context) {}
  /// f32, f64 or bf16, rank 1 or 2; waits for it.
  void look(std::string_view name, const Tensor& tensor);
  /// Of "layers.<layer>.<part>".
  void look(size_t layer, const char* part, const Tensor& tensor);
  const std::string& found() const { return found_; }

 private:
  bool is_finite(const Tensor& tensor) const;
  DeviceContext* context_;
  std::string found_;
};

}  // namespace hyscale::model
