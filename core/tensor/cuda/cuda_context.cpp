#include "core/tensor/cuda/cuda_context.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <unordered_map>

#include "core/base/error.h"
#include "core/tensor/cuda/cuda_memory.h"

namespace hyscale {

void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  const std::string said =
      fmt::format("{}: CUDA says \"{}\" ({})", what, cudaGetErrorString(status), cudaGetErrorName(status));
  if (status == cudaErrorMemoryAllocation) throw OutOfMemory({.what = said, .remedy = "use a smaller --micro-batch"});
  throw Error(ExitCode::failed, {{.what = said}});
}

namespace {

std::string version_text(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

double seconds_between(cudaEvent_t begin, cudaEvent_t end) {
  float milliseconds = 0;
  check_cuda(cudaEventElapsedTime(&milliseconds, begin, end), "reading a time");
  return static_cast<double>(milliseconds) * 1e-3;
}

}  // namespace

class CudaContext::Graph final : public Recording {
 public:
  Graph(cudaGraphExec_t graph, CudaContext& context) : graph_(graph), context_(context) {}
  ~Graph() override { cudaGraphExecDestroy(graph_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void replay() override {
    if (context_.replays_ != nullptr) context_.replays_->push_back(context_.begin_span());
    check_cuda(cudaGraphLaunch(graph_, context_.stream()), "launching a recorded step");
    if (context_.replays_ != nullptr) context_.end_span(context_.replays_->back());
  }

 private:
  cudaGraphExec_t graph_;
  CudaContext& context_;
};

/// Pinned memory that uploads pass through, so that they are asynchronous and the caller may go on. A slot is used
/// again once the copy out of it has happened.
struct CudaContext::Staging {
  struct Slot {
    void* memory = nullptr;
    size_t size = 0;
    cudaEvent_t copied = nullptr;
  };
  std::array<Slot, 16> slots;
  size_t next = 0;

  Staging() {
    for (Slot& slot : slots)
      check_cuda(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming), "making an event");
  }
  ~Staging() {
    for (Slot& slot : slots) {
      cudaEventDestroy(slot.copied);
      cudaFreeHost(slot.memory);
    }
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  Slot& take(size_t bytes) {
    Slot& slot = slots[next++ % slots.size()];
    check_cuda(cudaEventSynchronize(slot.copied), "waiting for a copy");
    if (slot.size < bytes) {
      check_cuda(cudaFreeHost(slot.memory), "freeing pinned memory");
      slot.memory = nullptr;
      slot.size = 0;
      check_cuda(cudaMallocHost(&slot.memory, bytes), "taking pinned memory");
      slot.size = bytes;
    }
    return slot;
  }
};

struct CudaContext::Timing {
  struct Operation {
    std::string name;
    Span span;
  };
  std::vector<Operation> operations;
  int depth = 0;
};

CudaContext::CudaContext(const CudaOptions& options) : options_(options) {
  check_cuda(cudaSetDevice(options.index), "choosing the GPU");
  check_cuda(cudaGetDeviceProperties(&properties_, options.index), "asking for the GPU's properties");
  for (Queue& queue : queues_) {
    check_cuda(cudaStreamCreateWithFlags(&queue.stream, cudaStreamNonBlocking), "making a stream");
    check_cuda(cudaEventCreateWithFlags(&queue.passed, cudaEventDisableTiming), "making an event");
  }
  memory_ = std::make_unique<CudaMemory>(*this);
  staging_ = std::make_unique<Staging>();
}

CudaContext::~CudaContext() {
  for (Queue& queue : queues_) {
    cudaStreamSynchronize(queue.stream);
    queue.parts.clear();
    cudaEventDestroy(queue.passed);
    cudaStreamDestroy(queue.stream);
  }
  staging_.reset();
}

MemorySource& CudaContext::memory() { return *memory_; }
MemoryUse CudaContext::memory_use() const { return memory_->use(); }

DeviceFacts CudaContext::facts() const {
  int runtime = 0, driver = 0;
  check_cuda(cudaRuntimeGetVersion(&runtime), "asking for CUDA's version");
  check_cuda(cudaDriverGetVersion(&driver), "asking for the driver's version");
  std::array<char, 32> bus{};
  check_cuda(cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), options_.index), "asking for the bus");
  return {.runtime = "CUDA " + version_text(runtime),
          .driver = version_text(driver),
          .bus = bus.data(),
          .deterministic = options_.deterministic,
          .float8 = properties_.major * 10 + properties_.minor >= 89};
}

void CudaContext::upload(const Tensor& to, const void* host) {
  constexpr size_t kPiece = size_t{64} << 20;  // pinned memory is scarce
  const size_t bytes = bytes_of(to);
  for (size_t begin = 0; begin < bytes; begin += kPiece) {
    const size_t count = std::min(kPiece, bytes - begin);
    const Staging::Slot& slot = staging_->take(count);
    std::memcpy(slot.memory, static_cast<const std::byte*>(host) + begin, count);
    check_cuda(cudaMemcpyAsync(static_cast<std::byte*>(to.data()) + begin, slot.memory, count, cudaMemcpyHostToDevice,
                               stream()),
               "copying to the GPU");
    check_cuda(cudaEventRecord(slot.copied, stream()), "recording an event");
  }
}

void CudaContext::download(void* host, const Tensor& from) {
  check_cuda(cudaMemcpyAsync(host, from.data(), bytes_of(from), cudaMemcpyDeviceToHost, stream()),
             "copying from the GPU");
  synchronise();
}

void CudaContext::synchronise() { check_cuda(cudaStreamSynchronize(stream()), "waiting for the GPU"); }

void CudaContext::wait_for(Queue& other) {
  check_cuda(cudaEventRecord(other.passed, other.stream), "recording an event");
  check_cuda(cudaStreamWaitEvent(queue_->stream, other.passed), "waiting for another stream");
}

// By themselves they follow each other: products are timed at their first use.
void CudaContext::side_by_side(const std::function<void()>& first, const std::function<void()>& second) {
  Queue& main = queues_[0];
  Queue& beside = queues_[1];
  const auto fork = [&] {
    queue_ = &beside;
    wait_for(main);
    queue_ = &main;
  };
  if (recording_) fork();
  first();
  if (!recording_) fork();
  queue_ = &beside;
  try {
    second();
  } catch (...) {
    queue_ = &main;
    throw;
  }
  queue_ = &main;
  wait_for(beside);
}

std::unique_ptr<Recording> CudaContext::record(const std::function<void()>& work) {
  check_cuda(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal), "recording a step");
  recording_ = true;
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    recording_ = false;
    cudaStreamEndCapture(stream(), &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    throw;
  }
  recording_ = false;
  check_cuda(cudaStreamEndCapture(stream(), &graph), "recording a step");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check_cuda(status, "preparing a recorded step");
  return std::make_unique<Graph>(executable, *this);
}

CudaContext::Span CudaContext::begin_span() {
  Span span{};
  check_cuda(cudaEventCreate(&span.begin), "making an event");
  check_cuda(cudaEventCreate(&span.end), "making an event");
  check_cuda(cudaEventRecord(span.begin, stream()), "recording an event");
  return span;
}

void CudaContext::end_span(const Span& span) const {
  check_cuda(cudaEventRecord(span.end, stream()), "recording an event");
}

static void forget(cudaEvent_t begin, cudaEvent_t end) {
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
}

void CudaContext::time_recordings() { replays_ = std::make_unique<std::vector<Span>>(); }

RecordingTime CudaContext::recording_time() {
  RecordingTime time;
  const std::unique_ptr<std::vector<Span>> replays = std::move(replays_);
  if (replays == nullptr || replays->empty()) return time;
  synchronise();
  time.span = seconds_between(replays->front().begin, replays->back().end);
  for (const Span& span : *replays) time.busy += seconds_between(span.begin, span.end);
  for (const Span& span : *replays) forget(span.begin, span.end);
  return time;
}

void CudaContext::time_operations() { timing_ = std::make_unique<Timing>(); }

std::vector<OperationTime> CudaContext::operation_times() {
  std::vector<OperationTime> times;
  if (timing_ == nullptr) return times;
  synchronise();
  for (const Timing::Operation& operation : timing_->operations) {
    auto at = std::find_if(times.begin(), times.end(), [&](const auto& t) { return t.name == operation.name; });
    if (at == times.end()) at = times.insert(times.end(), {.name = operation.name});
    ++at->calls;
    at->seconds += seconds_between(operation.span.begin, operation.span.end);
    forget(operation.span.begin, operation.span.end);
  }
  timing_.reset();
  std::sort(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return times;
}

OperationTimer::OperationTimer(const Exec& exec, const char* name, const std::function<std::string()>& detail) {
  CudaContext& context = cuda_context(exec);
  if (context.timing_ == nullptr) return;
  context_ = &context;
  if (context.timing_->depth++ > 0) return;
  std::string whole = name;
  if (detail) whole += " " + detail();
  context.timing_->operations.push_back({.name = std::move(whole), .span = context.begin_span()});
}

OperationTimer::~OperationTimer() {
  if (context_ == nullptr || --context_->timing_->depth > 0) return;
  cudaEventRecord(context_->timing_->operations.back().span.end, context_->stream());
}

int cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return count;
}

std::unique_ptr<DeviceContext> open_cuda(const CudaOptions& options) {
  const int devices = cuda_devices();
  if (options.index >= devices)
    throw ConfigError({.what = devices == 0
                                   ? std::string("no GPU that CUDA can use is here")
                                   : fmt::format("GPU {} was asked for; {} can be used", options.index, devices),
                       .why = "the machine has none, its driver is missing or older than CUDA 13 needs, or "
                              "CUDA_VISIBLE_DEVICES hides it",
                       .remedy = "run nvidia-smi to see what is there"});
  return std::make_unique<CudaContext>(options);
}

}  // namespace hyscale
