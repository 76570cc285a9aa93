#include "core/kernels/cuda/pointwise.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

// Both run over the columns of the tensor with few heads: entry i of head h meets the entries i of `repeats` heads from
// h · repeats on.
template <class T, int N>
struct Repeat {
  Rows<T> many;
  Rows<const T> few;
  int64_t dim, repeats;
  __device__ void operator()(int64_t row, int64_t column) const {
    const auto pack = load_pack<N>(few[row] + column);
    const int64_t head = column / dim;
    T* const first = many[row] + head * repeats * dim + (column - head * dim);
    for (int64_t r = 0; r < repeats; ++r) *reinterpret_cast<Pack<T, N>*>(first + r * dim) = pack;
  }
};

template <class T, int N>
struct Sum {
  Rows<T> few;
  Rows<const T> many;
  int64_t dim, repeats;
  __device__ void operator()(int64_t row, int64_t column) const {
    const int64_t head = column / dim;
    const T* const first = many[row] + head * repeats * dim + (column - head * dim);
    float sum[N] = {};
#pragma unroll 4
    for (int64_t r = 0; r < repeats; ++r) {
      const auto pack = load_pack<N>(first + r * dim);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += to_f32(pack.v[i]);
    }
    store_pack(few[row] + column, sum);
  }
};

// Shared by both: calls launch(packs, dim, repeats).
template <class T, class F>
void with_heads(const Tensor& few, const Tensor& many, int64_t kv_heads, F&& launch) {
  const int64_t dim = few.extent(1) / kv_heads;
  if (few.empty()) return;
  const int64_t repeats = many.extent(1) / few.extent(1);
  with_pack<T>(dim % kFullPack<T> == 0 && whole_packs({&few, &many}), [&](auto n) { launch(n, dim, repeats); });
}

}  // namespace

void repeat_heads(const RepeatHeadsArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "repeat_heads");
  with_activation("repeat_heads", args.out.dtype(), [&]<class T>(T) {
    with_heads<T>(args.x, args.out, args.kv_heads, [&](auto n, int64_t dim, int64_t repeats) {
      pointwise<n>("repeat_heads", args.x.extent(0), args.x.extent(1), exec,
                   Repeat<T, n>{rows_of<T>(args.out), rows_of<const T>(args.x), dim, repeats});
    });
  });
}

void sum_heads(const SumHeadsArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "sum_heads");
  with_activation("sum_heads", args.dout.dtype(), [&]<class T>(T) {
    with_heads<T>(args.dx, args.dout, args.kv_heads, [&](auto n, int64_t dim, int64_t repeats) {
      pointwise<n>("sum_heads", args.dx.extent(0), args.dx.extent(1), exec,
                   Sum<T, n>{rows_of<T>(args.dx), rows_of<const T>(args.dout), dim, repeats});
    });
  });
}

}  // namespace hyscale::kernels::cuda
