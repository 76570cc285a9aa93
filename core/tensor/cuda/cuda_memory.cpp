#include "core/tensor/cuda/cuda_memory.h"

#include <algorithm>
#include <cuda.h>
#include <fmt/format.h>
#include <vector>

#include "core/base/error.h"
#include "core/tensor/cuda/cuda_context.h"

namespace hyscale {
namespace {

constexpr size_t kPiece = size_t{64} << 20;  // by which spans grow; a multiple of the granularity of any GPU

/// The driver's calls on address space. They are looked up: a program that links the driver does not start without one.
struct Driver {
  decltype(&cuMemAddressReserve) reserve = nullptr;
  decltype(&cuMemAddressFree) release = nullptr;
  decltype(&cuMemCreate) create = nullptr;
  decltype(&cuMemRelease) drop = nullptr;
  decltype(&cuMemMap) map = nullptr;
  decltype(&cuMemUnmap) unmap = nullptr;
  decltype(&cuMemSetAccess) allow = nullptr;

  Driver() {
    find("cuMemAddressReserve", reserve), find("cuMemAddressFree", release), find("cuMemCreate", create);
    find("cuMemRelease", drop), find("cuMemMap", map), find("cuMemUnmap", unmap), find("cuMemSetAccess", allow);
  }

 private:
  template <class F>
  static void find(const char* name, F& function) {
    void* address = nullptr;
    cudaDriverEntryPointQueryResult found{};
    check_cuda(cudaGetDriverEntryPointByVersion(name, &address, 12000, cudaEnableDefault, &found), name);
    if (found != cudaDriverEntryPointSuccess)
      throw Error(ExitCode::failed,
                  {Problem{.what = std::string("the GPU's driver has no ") + name, .remedy = "update the driver"}});
    function = reinterpret_cast<F>(address);
  }
};

const Driver& driver() {
  static const Driver calls;
  return calls;
}

void check(CUresult result, const char* what) {
  if (result != CUDA_SUCCESS)
    throw Error(ExitCode::failed,
                {Problem{.what = fmt::format("{}: the GPU's driver says {}", what, static_cast<int>(result))}});
}

CUmemAllocationProp pages_of(int device) {
  CUmemAllocationProp pages{};
  pages.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  pages.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device};
  return pages;
}

double gib(size_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

}  // namespace

class CudaMemory::Span final : public GrowingMemory {
 public:
  explicit Span(CudaMemory& owner) : owner_(owner), reserved_((owner.use().total / kPiece + 1) * kPiece) {
    check_cuda(cudaGetDevice(&device_), "asking for the GPU");
    check(driver().reserve(&address_, reserved_, 0, 0, 0), "reserving addresses");
  }
  ~Span() override {
    cudaStreamSynchronize(owner_.context_.stream());
    if (size_ > 0) driver().unmap(address_, size_);
    for (const CUmemGenericAllocationHandle piece : pieces_) driver().drop(piece);
    driver().release(address_, reserved_);
    owner_.taken_ -= size_;
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  void* data() const override { return reinterpret_cast<void*>(address_); }
  size_t size() const override { return size_; }
  void grow(size_t bytes) override {
    while (size_ < bytes) add_piece(bytes);
  }

 private:
  void add_piece(size_t wanted) {
    const CUmemAllocationProp pages = pages_of(device_);
    CUmemGenericAllocationHandle piece{};
    const CUresult result =
        size_ + kPiece > reserved_ ? CUDA_ERROR_OUT_OF_MEMORY : driver().create(&piece, kPiece, &pages, 0);
    if (result == CUDA_ERROR_OUT_OF_MEMORY) owner_.refuse(wanted - size_);
    check(result, "taking GPU memory");
    pieces_.push_back(piece);
    check(driver().map(address_ + size_, kPiece, 0, piece, 0), "mapping GPU memory");
    const CUmemAccessDesc access{.location = pages.location, .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
    check(driver().allow(address_ + size_, kPiece, &access, 1), "opening GPU memory");
    size_ += kPiece;
    owner_.count(kPiece);
  }

  CudaMemory& owner_;
  size_t reserved_;
  int device_ = 0;
  CUdeviceptr address_ = 0;
  size_t size_ = 0;
  std::vector<CUmemGenericAllocationHandle> pieces_;
};

void CudaMemory::count(size_t bytes) {
  taken_ += bytes;
  peak_ = std::max(peak_, taken_);
}

void CudaMemory::refuse(size_t bytes) const {
  const MemoryUse now = use();
  throw OutOfMemory(
      {.what = fmt::format("the GPU has no {:.2f} GiB left: {:.2f} of {:.2f} GiB are free, {:.2f} are ours", gib(bytes),
                           gib(now.free), gib(now.total), gib(now.taken)),
       .remedy = "use a smaller --micro-batch"});
}

void* CudaMemory::take(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // or every later call would report it again
    refuse(bytes);
  }
  check_cuda(status, "allocating GPU memory");
  sizes_.emplace(memory, bytes);
  count(bytes);
  return memory;
}

void CudaMemory::give_back(void* memory) noexcept {
  const auto at = sizes_.find(memory);
  taken_ -= at->second;
  sizes_.erase(at);
  cudaFree(memory);
}

std::unique_ptr<GrowingMemory> CudaMemory::growing() { return std::make_unique<Span>(*this); }

void CudaMemory::zero(void* memory, size_t bytes) {
  check_cuda(cudaMemsetAsync(memory, 0, bytes, context_.stream()), "clearing GPU memory");
}

MemoryUse CudaMemory::use() const {
  MemoryUse now{.taken = taken_, .peak = peak_};
  cudaMemGetInfo(&now.free, &now.total);
  return now;
}

}  // namespace hyscale
