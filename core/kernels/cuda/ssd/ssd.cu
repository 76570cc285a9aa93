// Chooses how a scan is computed: with tensor cores for bf16 states of up to 128 x 128 where the GPU has
// the shared memory for it, else plainly.
#include <algorithm>

#include "core/kernels/cuda/ssd/sizes.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

using ssd::BackwardScratch;
using ssd::Decays;
using ssd::Half;
using ssd::HalfInputs;
using ssd::Sizes;
using ssd::Tiles;

constexpr int kFastChunk = 128, kPlainChunk = 64;

Tiles tiles_of(int64_t head_dim, int64_t d_state) { return {head_dim <= 64 ? 64 : 128, d_state <= 64 ? 64 : 128}; }
Tiles tiles_of(const Sizes& s) { return tiles_of(s.head_dim, s.d_state); }

/// Forward and backward choose alike: they share what forward saves.
bool is_fast(const SsdShape& s, DType dtype, const Exec& exec) {
  const auto fits = [](int64_t width) { return width <= 128 && width % 8 == 0; };
  if (dtype != DType::bf16 || !fits(s.head_dim) || !fits(s.d_state)) return false;
  const auto offered = static_cast<int>(cuda_context(exec).properties().sharedMemPerBlockOptin);
  return ssd::most_shared(tiles_of(s.head_dim, s.d_state)) <= offered;
}

Sizes sizes_of(const SsdShape& s, bool fast) {
  const int chunk = fast ? kFastChunk : kPlainChunk;
  return {s.sequences,
          s.length,
          static_cast<int>(s.heads),
          static_cast<int>(s.head_dim),
          static_cast<int>(s.groups),
          static_cast<int>(s.d_state),
          chunk,
          static_cast<int>(divide_up(s.length, chunk))};
}

Decays decays_of(const Sizes& s, const Tensor& saved) {
  auto* const dt = pointer_to<float>(saved);
  return {dt, dt + s.sequences * s.heads * s.padded()};
}

/// The tensor itself where its rows lie as the fast path reads and writes them, in whole 16 bytes; else room for it.
class Aligned {
 public:
  Aligned(const Tensor& tensor, const Exec& exec) : tensor_(tensor), aligned_(tensor), exec_(exec) {
    const bool fits = reinterpret_cast<uintptr_t>(tensor.data()) % 16 == 0 && tensor.stride(0) % 8 == 0;
    if (!fits) aligned_ = exec.arena->matrix(tensor.dtype(), tensor.extent(0), tensor.extent(1));
  }
  const Tensor& read() const {
    copy(aligned_, tensor_);
    return aligned_;
  }
  const Tensor& tensor() const { return aligned_; }
  void write_back() const { copy(tensor_, aligned_); }

 private:
  void copy(const Tensor& to, const Tensor& from) const {
    if (to.data() == from.data()) return;
    const size_t size = size_of(to.dtype());
    const auto bytes = [&](int64_t entries) { return static_cast<size_t>(entries) * size; };
    check_cuda(
        cudaMemcpy2DAsync(to.data(), bytes(to.stride(0)), from.data(), bytes(from.stride(0)), bytes(to.extent(1)),
                          static_cast<size_t>(to.extent(0)), cudaMemcpyDeviceToDevice, cuda_context(exec_).stream()),
        "ssd copy of unaligned rows");
  }

  Tensor tensor_, aligned_;
  const Exec& exec_;
};

HalfInputs half_inputs(const SsdInputs& in, const Exec& exec) {
  return {rows_of<const Half>(Aligned(in.x, exec).read()), rows_of<const Half>(Aligned(in.b, exec).read()),
          rows_of<const Half>(Aligned(in.c, exec).read()), pointer_to<const float>(in.d),
          pointer_to<const float>(in.initial_state)};
}

void fast_forward(const Sizes& s, const SsdInputs& in, const Decays& decays, const SsdSaved& saved, const Tensor& y,
                  const Tensor& final_state, const Exec& exec) {
  const Arena::Scope scope(*exec.arena);
  const HalfInputs inputs = half_inputs(in, exec);
  const Aligned out(y, exec);
  auto* const states = pointer_to<Half>(saved.states);
  const cudaStream_t stream = cuda_context(exec).stream();
  ssd::walk(s, tiles_of(s), inputs, decays, states, pointer_to<float>(final_state), stream);
  ssd::outputs(s, tiles_of(s), inputs, decays, states, rows_of<Half>(out.tensor()), stream);
  out.write_back();
}

BackwardScratch backward_scratch(const Sizes& s, int splits, Arena& arena) {
  const auto take = [&](int64_t count) { return arena.tensor(DType::f32, {count}).as<float>(); };
  const int64_t tokens = s.sequences * s.heads * s.padded(), share = s.sequences * s.length * s.groups * s.d_state;
  BackwardScratch scratch{};
  for (float** one : {&scratch.inside, &scratch.from_start, &scratch.to_end, &scratch.input}) *one = take(tokens);
  scratch.through = take(s.blocks() * ssd::kParts);
  scratch.skip = take(s.blocks() * ssd::kParts);
  scratch.db_slots = s.chunk == kFastChunk ? 2 * splits : 1;
  scratch.dc_slots = splits;
  scratch.db = take(share * scratch.db_slots);
  scratch.dc = take(share * scratch.dc_slots);
  scratch.sums = take(3 * s.heads * s.sequences * s.chunks);
  return scratch;
}

void fast_backward(const Sizes& s, const SsdInputs& in, const Decays& decays, const SsdSaved& saved, const Tensor& dy,
                   const Tensor& dx, const BackwardScratch& scratch, const Exec& exec) {
  const HalfInputs inputs = half_inputs(in, exec);
  const auto dy_rows = rows_of<const Half>(Aligned(dy, exec).read());
  const Aligned out(dx, exec);
  const auto* const states = pointer_to<const Half>(saved.states);
  auto* const ends = pointer_to<Half>(exec.arena->tensor(DType::bf16, saved.states.shape()));
  const cudaStream_t stream = cuda_context(exec).stream();
  ssd::walk_back(s, tiles_of(s), inputs, dy_rows, decays, ends, stream);
  ssd::gradients(s, tiles_of(s), inputs, dy_rows, decays, states, ends, rows_of<Half>(out.tensor()), scratch, stream);
  out.write_back();
}

}  // namespace

SsdSaved ssd_forward(const SsdShape& shape, const SsdInputs& in, const Tensor& y, const Tensor& final_state,
                     const Exec& exec) {
  const OperationTimer timer(exec, "ssd");
  const bool fast = is_fast(shape, in.x.dtype(), exec);
  const Sizes s = sizes_of(shape, fast);
  SsdSaved saved;
  saved.dt = exec.arena->tensor(DType::f32, {2, s.sequences, s.heads, s.padded()});
  const Tiles tiles = tiles_of(s);
  saved.states = fast ? exec.arena->tensor(DType::bf16, {s.sequences, s.heads, s.chunks, tiles.p, tiles.n})
                      : exec.arena->tensor(DType::f32, {s.sequences, s.heads, s.chunks, s.d_state, s.head_dim});
  if (shape.tokens() == 0) return saved;
  const Decays decays = decays_of(s, saved.dt);
  const cudaStream_t stream = cuda_context(exec).stream();
  ssd::prepare(s, in, decays, stream);
  if (fast)
    fast_forward(s, in, decays, saved, y, final_state, exec);
  else
    ssd::plain_forward(s, in, decays, pointer_to<float>(saved.states), y, final_state, stream);
  return saved;
}

void ssd_backward(const SsdShape& shape, const SsdInputs& in, const SsdSaved& saved, const Tensor& dy,
                  const SsdGradients& gradients, const Exec& exec) {
  const OperationTimer timer(exec, "ssd_backward");
  if (shape.tokens() == 0) return;
  const bool fast = is_fast(shape, in.x.dtype(), exec);
  const Sizes s = sizes_of(shape, fast);
  const Arena::Scope scope(*exec.arena);
  const Decays decays = decays_of(s, saved.dt);
  const BackwardScratch scratch = backward_scratch(s, fast ? ssd::head_splits(s, 2) : 1, *exec.arena);
  const cudaStream_t stream = cuda_context(exec).stream();
  if (fast) {
    fast_backward(s, in, decays, saved, dy, gradients.x, scratch, exec);
  } else {
    auto* const ends = pointer_to<float>(exec.arena->tensor(DType::f32, saved.states.shape()));
    ssd::plain_backward(s, in, decays, pointer_to<const float>(saved.states), ends, dy, gradients.x, scratch, stream);
  }
  ssd::finish(s, in, decays, scratch, gradients, stream);
}

}  // namespace hyscale::kernels::cuda
