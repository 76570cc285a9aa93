#include <cstring>

#include "core/base/error.h"
#include "core/tensor/device_context.h"

namespace hyscale {
namespace {

size_t bytes_of(const Tensor& tensor) { return static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()); }

class HostContext final : public DeviceContext {
 public:
  Device device() const override { return Device::cpu; }
  std::string name() const override { return "CPU"; }
  DeviceFacts facts() const override { return {}; }
  MemorySource& memory() override { return host_memory(); }
  MemoryUse memory_use() const override { return {}; }
  void upload(const Tensor& to, const void* host) override { std::memcpy(to.data(), host, bytes_of(to)); }
  void download(void* host, const Tensor& from) override { std::memcpy(host, from.data(), bytes_of(from)); }
  void synchronise() override {}
  bool can_record() const override { return false; }
  std::unique_ptr<Recording> record(const std::function<void()>&) override {
    throw ShapeError("the CPU records no work");
  }
  void time_recordings() override {}
  RecordingTime recording_time() override { return {}; }
  void time_operations() override {}
  bool times_operations() const override { return false; }
  std::vector<OperationTime> operation_times() override { return {}; }
};

}  // namespace

DeviceContext& host_context() {
  static HostContext context;
  return context;
}

OwnedTensor on_device(OwnedTensor host, const Exec& exec) {
  if (exec.device == Device::cpu) return host;
  OwnedTensor copy(host.tensor().dtype(), host.tensor().shape(), exec.context->memory());
  exec.context->upload(copy, host.tensor().data());
  return copy;
}

}  // namespace hyscale
