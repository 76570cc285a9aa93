#include <algorithm>

#include "core/kernels/cuda/pointwise.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

constexpr int kHeadsPerThread = 4;  // that share one reading of the tables

// Row r of what this runs over is token r / groups; its threads turn heads r % groups + k · groups.
template <class T, int N>
struct Turn {
  T* x;
  int64_t token_stride, head_stride, heads, groups, pairs, length;
  Rows<const float> cos, sin;
  float sign;

  __device__ void operator()(int64_t row, int64_t pair) const {
    const int64_t token = row / groups, group = row - token * groups;
    float c[N], s[N];
    load_floats(c, cos[token % length] + pair);
    load_floats(s, sin[token % length] + pair);
    T* const first = x + token * token_stride + group * head_stride + pair;
    Pack<T, N> a[kHeadsPerThread], b[kHeadsPerThread];
#pragma unroll
    for (int k = 0; k < kHeadsPerThread; ++k)
      if (group + k * groups < heads) {
        a[k] = load_pack<N>(first + k * groups * head_stride);
        b[k] = load_pack<N>(first + k * groups * head_stride + pairs);
      }
#pragma unroll
    for (int k = 0; k < kHeadsPerThread; ++k)
      if (group + k * groups < heads) turn(first + k * groups * head_stride, a[k], b[k], c, s);
  }

  __device__ void turn(T* to, const Pack<T, N>& a, const Pack<T, N>& b, const float (&c)[N],
                       const float (&s)[N]) const {
    float turned_a[N], turned_b[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float p = to_f32(a.v[i]), q = to_f32(b.v[i]);
      turned_a[i] = p * c[i] - sign * q * s[i];
      turned_b[i] = q * c[i] + sign * p * s[i];
    }
    store_pack(to, turned_a);
    store_pack(to + pairs, turned_b);
  }
};

}  // namespace

void rope(const RopeArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "rope");
  const Tensor& x = args.x;
  const int64_t tokens = x.extent(0), heads = x.extent(1), pairs = args.cos.extent(1);
  if (x.empty() || pairs == 0) return;
  const int64_t groups = divide_up(heads, std::min<int64_t>(heads, kHeadsPerThread));
  with_activation("rope", x.dtype(), [&]<class T>(T) {
    const bool packed =
        pairs % kFullPack<T> == 0 && x.stride(1) % kFullPack<T> == 0 && whole_packs({&x, &args.cos, &args.sin});
    with_pack<T>(packed, [&](auto n) {
      pointwise<n>("rope", tokens * groups, pairs, exec,
                   Turn<T, n>{.x = pointer_to<T>(x),
                              .token_stride = x.stride(0),
                              .head_stride = x.stride(1),
                              .heads = heads,
                              .groups = groups,
                              .pairs = pairs,
                              .length = args.length,
                              .cos = rows_of<const float>(args.cos),
                              .sin = rows_of<const float>(args.sin),
                              .sign = args.inverse ? -1.0f : 1.0f});
    });
  });
}

}  // namespace hyscale::kernels::cuda
