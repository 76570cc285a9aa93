#include <cstring>

#include "core/base/error.h"
#include "core/tensor/device_context.h"

namespace hyscale {
namespace {

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
  void side_by_side(const std::function<void()>& first, const std::function<void()>& second) override {
    first();
    second();
  }
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

void RecordedWork::run(DeviceContext& context, const Arena& arena, const std::function<void()>& work) {
  if (context.times_operations()) return work();
  const bool as_before = ran_ && arena.generation() == generation_;
  if (as_before && recording_ == nullptr) recording_ = context.record(work);
  if (as_before) return recording_->replay();
  recording_.reset();
  work();
  ran_ = true;
  generation_ = arena.generation();  // behind the work: what it gave back may have moved
}

void refuse_without_cuda() {
  throw ConfigError(
      Problem{.what = "this build has no CUDA back end", .remedy = "build with cmake --preset cuda where nvcc is"});
}

OwnedTensor on_device(OwnedTensor host, const Exec& exec) {
  if (exec.device == Device::cpu) return host;
  OwnedTensor copy(host.tensor().dtype(), host.tensor().shape(), exec.context->memory());
  exec.context->upload(copy, host.tensor().data());
  return copy;
}

}  // namespace hyscale
