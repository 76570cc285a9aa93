#include "core/kernels/swiglu.h"

#include "core/kernels/cuda/twins.h"
#include "core/kernels/vector_math.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static constexpr int64_t kTokensPerTask = 64;

void swiglu(const SwigluArgs& args, const Exec& exec) {
  const int64_t tokens = args.out.extent(0), d_ff = args.out.extent(1);
  expect_shape("swiglu gate_up", args.gate_up, {tokens, 2 * d_ff});
  if (exec.device == Device::cuda) return cuda::swiglu(args, exec);
  with_real(args.out.dtype(), [&]<class T>(T) {
    const auto out = args.out.view<T, 2>(), gate_up = args.gate_up.view<T, 2>();
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        T* to = &out(t, 0);
        const T *gate = &gate_up(t, 0), *up = gate + d_ff;
        for_each_vector<T>(0, d_ff, [&](int64_t c, int64_t lanes) {
          const Vec<T> g = load_some(gate + c, lanes);
          store_some(to + c, g * sigmoid(g) * load_some(up + c, lanes), lanes);
        });
      }
    });
  });
}

void swiglu_backward(const SwigluBackwardArgs& args, const Exec& exec) {
  const int64_t tokens = args.dout.extent(0), d_ff = args.dout.extent(1);
  expect_shape("swiglu gate_up", args.gate_up, {tokens, 2 * d_ff});
  expect_shape("swiglu dgate_up", args.dgate_up, {tokens, 2 * d_ff});
  if (exec.device == Device::cuda) return cuda::swiglu_backward(args, exec);
  with_real(args.dout.dtype(), [&]<class T>(T) {
    const auto dout = args.dout.view<T, 2>(), gate_up = args.gate_up.view<T, 2>(),
               dgate_up = args.dgate_up.view<T, 2>();
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        T *dgate = &dgate_up(t, 0), *dup = dgate + d_ff;
        const T *from = &dout(t, 0), *gate = &gate_up(t, 0), *up = gate + d_ff;
        for_each_vector<T>(0, d_ff, [&](int64_t c, int64_t lanes) {
          const Vec<T> d = load_some(from + c, lanes), g = load_some(gate + c, lanes), u = load_some(up + c, lanes);
          const Vec<T> s = sigmoid(g);
          store_some(dgate + c, d * u * s * (1 + g * (1 - s)), lanes);
          store_some(dup + c, d * g * s, lanes);
        });
      }
    });
  });
}

}  // namespace hyscale::kernels
