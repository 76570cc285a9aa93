#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor/exec.h"
#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace hyscale {

/// Work that a device has recorded and can do again with one call.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Enqueues the whole of it.
  virtual void replay() = 0;
};

/// Time that one kind of work took on the device.
struct OperationTime {
  std::string name;
  int64_t calls = 0;
  double seconds = 0;
};

/// A GPU's memory, in bytes: all of it, what is free, what this context took, and the most that it ever held.
struct MemoryUse {
  size_t total = 0;
  size_t free = 0;
  size_t taken = 0;
  size_t peak = 0;
};

/// What a device and its software are, as far as they say, and how it was opened; strings empty on the CPU.
struct DeviceFacts {
  std::string runtime;  // "CUDA 13.0", what the program was built and runs with
  std::string driver;   // the newest CUDA that the driver serves: "13.1"
  std::string bus;      // "0000:19:00.0", what nvidia-smi knows it by
  bool deterministic = true;
  bool float8 = false;  // multiplies in eight bits
};

/// How long a device was at work on recordings, of the time between the begin of the first and the end of the last.
struct RecordingTime {
  double busy = 0, span = 0;  // seconds
};

/// One device at work: its memory and its one queue. What is enqueued happens in order; only `download` and
/// `synchronise` wait for it. The CPU's form does everything at once.
class DeviceContext {
 public:
  virtual ~DeviceContext() = default;
  virtual Device device() const = 0;
  virtual std::string name() const = 0;  // "NVIDIA H200"
  virtual DeviceFacts facts() const = 0;
  virtual MemorySource& memory() = 0;
  /// All 0 on the CPU.
  virtual MemoryUse memory_use() const = 0;

  /// Enqueues a copy of dense host memory to the device tensor `to`, which is dense too. `host` may be reused at once.
  virtual void upload(const Tensor& to, const void* host) = 0;
  /// Copies the dense tensor `from` to `host` and waits until it is there.
  virtual void download(void* host, const Tensor& from) = 0;
  virtual void synchronise() = 0;

  /// Enqueues both; in a recording the second goes to a queue of its own, so that they may happen side by side. Neither
  /// may touch what the other writes. What is enqueued next waits for both.
  virtual void side_by_side(const std::function<void()>& first, const std::function<void()>& second) = 0;

  /// Whether `record` is offered.
  virtual bool can_record() const = 0;
  /// Calls `work`, which must only enqueue, and keeps what it enqueued instead of doing it. Memory that the work uses
  /// must stay where it is while the recording lives.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) = 0;

  /// From here on replayed recordings are timed, until recording_time() waits for the last one and ends it.
  virtual void time_recordings() = 0;
  virtual RecordingTime recording_time() = 0;

  /// From here on each operation is timed until operation_times() waits for the last one, hands the times out, longest
  /// first, and ends it. Work meant to be timed so must be enqueued piece by piece: a recording is one piece.
  virtual void time_operations() = 0;
  virtual bool times_operations() const = 0;
  virtual std::vector<OperationTime> operation_times() = 0;
};

struct CudaOptions {
  int index = 0;              // of the GPU, among those this process may see
  bool deterministic = true;  // the same bits run to run, also where a library has a faster way
};

/// Work that is done again and again: enqueued by itself the first time, recorded the second, replayed from then on.
/// Memory that moves in `arena` begins it anew; while operations are timed it is enqueued by itself.
class RecordedWork {
 public:
  void run(DeviceContext& context, const Arena& arena, const std::function<void()>& work);
  /// Begins anew: something else that the work depends on has changed.
  void forget() { ran_ = false; }

 private:
  bool ran_ = false;
  int64_t generation_ = 0;  // of the arena, behind that run
  std::unique_ptr<Recording> recording_;
};

/// What every stand-in for CUDA code does in a build without it: throws ConfigError.
[[noreturn]] void refuse_without_cuda();

/// The CPU: memory on the heap, no queue.
DeviceContext& host_context();

/// GPUs that this process can use: 0 when the build has no CUDA back end, or the machine no GPU or driver.
int cuda_devices();
/// Throws ConfigError that says what is missing: a build with CUDA, or a GPU.
std::unique_ptr<DeviceContext> open_cuda(const CudaOptions& options);

/// A host tensor where `exec` computes: itself, or its copy in the GPU's memory.
OwnedTensor on_device(OwnedTensor host, const Exec& exec);

}  // namespace hyscale
