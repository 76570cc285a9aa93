#pragma once

#include <array>
#include <cuda_runtime_api.h>
#include <memory>
#include <typeindex>
#include <unordered_map>

#include "core/tensor/device_context.h"
#include "core/tensor/exec.h"

namespace hyscale {

class CudaMemory;

/// Throws OutOfMemory for a failed allocation, Error (exit 1) naming `what` for anything else that is no success.
void check_cuda(cudaError_t status, const char* what);

/// One GPU: a stream and a second beside it, its memory, and what libraries keep for it.
class CudaContext final : public DeviceContext {
 public:
  explicit CudaContext(const CudaOptions& options);
  ~CudaContext() override;
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  Device device() const override { return Device::cuda; }
  std::string name() const override { return properties_.name; }
  DeviceFacts facts() const override;
  MemorySource& memory() override;
  MemoryUse memory_use() const override;
  void upload(const Tensor& to, const void* host) override;
  void download(void* host, const Tensor& from) override;
  void synchronise() override;
  void side_by_side(const std::function<void()>& first, const std::function<void()>& second) override;
  bool can_record() const override { return true; }
  std::unique_ptr<Recording> record(const std::function<void()>& work) override;
  void time_recordings() override;
  RecordingTime recording_time() override;
  void time_operations() override;
  bool times_operations() const override { return timing_ != nullptr; }
  std::vector<OperationTime> operation_times() override;

  /// The one at work.
  cudaStream_t stream() const { return queue_->stream; }
  const cudaDeviceProp& properties() const { return properties_; }
  int multiprocessors() const { return properties_.multiProcessorCount; }
  bool deterministic() const { return options_.deterministic; }
  bool recording() const { return recording_; }

  /// What a kernel keeps between calls on the stream at work (library handles, plans, workspaces): made on first use as
  /// T(CudaContext&).
  template <class T>
  T& part() {
    std::shared_ptr<void>& slot = queue_->parts[typeid(T)];
    if (slot == nullptr) slot = std::make_shared<T>(*this);
    return *static_cast<T*>(slot.get());
  }

 private:
  friend class OperationTimer;
  class Graph;
  struct Staging;
  struct Timing;
  struct Queue {
    cudaStream_t stream = nullptr;
    cudaEvent_t passed = nullptr;  // what the other one waits for
    std::unordered_map<std::type_index, std::shared_ptr<void>> parts;
  };
  void wait_for(Queue& other);
  struct Span {
    cudaEvent_t begin, end;
  };
  Span begin_span();
  void end_span(const Span& span) const;

  CudaOptions options_;
  cudaDeviceProp properties_{};
  std::array<Queue, 2> queues_;
  Queue* queue_ = queues_.data();
  std::unique_ptr<CudaMemory> memory_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<Timing> timing_;              // null: nobody asked
  std::unique_ptr<std::vector<Span>> replays_;  // likewise
  bool recording_ = false;
};

inline CudaContext& cuda_context(const Exec& exec) { return static_cast<CudaContext&>(*exec.context); }

/// Times what is enqueued while it lives, if somebody asked (time_operations). Stands at the head of each CUDA twin;
/// of nested ones the outermost counts.
class OperationTimer {
 public:
  /// `detail` is called, and said behind the name, only when somebody asked: times are summed by both.
  OperationTimer(const Exec& exec, const char* name, const std::function<std::string()>& detail = {});
  ~OperationTimer();
  OperationTimer(const OperationTimer&) = delete;
  OperationTimer& operator=(const OperationTimer&) = delete;

 private:
  CudaContext* context_ = nullptr;  // null: not timed
};

}  // namespace hyscale
