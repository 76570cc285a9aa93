#include "core/kernels/cuda/pointwise.h"
#include "core/kernels/cuda/twins.h"

namespace hyscale::kernels::cuda {
namespace {

template <class T, int N>
struct Forward {
  Rows<T> out;
  Rows<const T> gate_up;
  int64_t d_ff;
  __device__ void operator()(int64_t row, int64_t column) const {
    const T* const from = gate_up[row] + column;
    const auto gate = load_pack<N>(from), up = load_pack<N>(from + d_ff);
    float result[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float g = to_f32(gate.v[i]);
      result[i] = g * sigmoid(g) * to_f32(up.v[i]);
    }
    store_pack(out[row] + column, result);
  }
};

template <class T, int N>
struct Backward {
  Rows<T> dgate_up;
  Rows<const T> dout, gate_up;
  int64_t d_ff;
  __device__ void operator()(int64_t row, int64_t column) const {
    const T* const from = gate_up[row] + column;
    const auto gate = load_pack<N>(from), up = load_pack<N>(from + d_ff), by = load_pack<N>(dout[row] + column);
    float dgate[N], dup[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float g = to_f32(gate.v[i]), d = to_f32(by.v[i]), s = sigmoid(g);
      dgate[i] = d * to_f32(up.v[i]) * s * (1 + g * (1 - s));
      dup[i] = d * g * s;
    }
    T* const to = dgate_up[row] + column;
    store_pack(to, dgate);
    store_pack(to + d_ff, dup);
  }
};

// Whether `up`, d_ff entries after `gate`, is aligned too.
template <class T>
bool halves_fit(int64_t d_ff, std::initializer_list<const Tensor*> tensors) {
  return d_ff % kFullPack<T> == 0 && whole_packs(tensors);
}

}  // namespace

void swiglu(const SwigluArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "swiglu");
  const int64_t tokens = args.out.extent(0), d_ff = args.out.extent(1);
  with_activation("swiglu", args.out.dtype(), [&]<class T>(T) {
    with_pack<T>(halves_fit<T>(d_ff, {&args.out, &args.gate_up}), [&](auto n) {
      pointwise<n>("swiglu", tokens, d_ff, exec,
                   Forward<T, n>{rows_of<T>(args.out), rows_of<const T>(args.gate_up), d_ff});
    });
  });
}

void swiglu_backward(const SwigluBackwardArgs& args, const Exec& exec) {
  const OperationTimer timer(exec, "swiglu_backward");
  const int64_t tokens = args.dout.extent(0), d_ff = args.dout.extent(1);
  with_activation("swiglu_backward", args.dout.dtype(), [&]<class T>(T) {
    with_pack<T>(halves_fit<T>(d_ff, {&args.dgate_up, &args.dout, &args.gate_up}), [&](auto n) {
      pointwise<n>(
          "swiglu_backward", tokens, d_ff, exec,
          Backward<T, n>{rows_of<T>(args.dgate_up), rows_of<const T>(args.dout), rows_of<const T>(args.gate_up), d_ff});
    });
  });
}

}  // namespace hyscale::kernels::cuda
