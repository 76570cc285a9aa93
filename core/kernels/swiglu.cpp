#include "core/kernels/swiglu.h"

#include <algorithm>

#include "core/kernels/cpu_only.h"
#include "core/kernels/vector_math.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static constexpr int64_t kTokensPerTask = 64;

// Calls fn(column, lanes) for whole vectors, then for the rest.
template <class T, class F>
static void for_each_vector(int64_t count, F&& fn) {
  for (int64_t c = 0; c < count; c += kLanes<T>) fn(c, std::min(kLanes<T>, count - c));
}

template <class T>
static Vec<T> fetch(const T* p, int64_t lanes) {
  return lanes == kLanes<T> ? load(p) : load_some(p, lanes);
}
template <class T>
static void put(T* p, Vec<T> v, int64_t lanes) {
  lanes == kLanes<T> ? store(p, v) : store_some(p, v, lanes);
}

void swiglu(const SwigluArgs& args, const Exec& exec) {
  cpu_only("swiglu", exec);
  const int64_t tokens = args.out.extent(0), d_ff = args.out.extent(1);
  expect_shape("swiglu gate_up", args.gate_up, {tokens, 2 * d_ff});
  with_real(args.out.dtype(), [&]<class T>(T) {
    const auto out = args.out.view<T, 2>(), gate_up = args.gate_up.view<T, 2>();
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        T* to = &out(t, 0);
        const T *gate = &gate_up(t, 0), *up = gate + d_ff;
        for_each_vector<T>(d_ff, [&](int64_t c, int64_t lanes) {
          const Vec<T> g = fetch(gate + c, lanes);
          put(to + c, g * sigmoid(g) * fetch(up + c, lanes), lanes);
        });
      }
    });
  });
}

void swiglu_backward(const SwigluBackwardArgs& args, const Exec& exec) {
  cpu_only("swiglu_backward", exec);
  const int64_t tokens = args.dout.extent(0), d_ff = args.dout.extent(1);
  expect_shape("swiglu gate_up", args.gate_up, {tokens, 2 * d_ff});
  expect_shape("swiglu dgate_up", args.dgate_up, {tokens, 2 * d_ff});
  with_real(args.dout.dtype(), [&]<class T>(T) {
    const auto dout = args.dout.view<T, 2>(), gate_up = args.gate_up.view<T, 2>(),
               dgate_up = args.dgate_up.view<T, 2>();
    parallel_for(tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        T *dgate = &dgate_up(t, 0), *dup = dgate + d_ff;
        const T *from = &dout(t, 0), *gate = &gate_up(t, 0), *up = gate + d_ff;
        for_each_vector<T>(d_ff, [&](int64_t c, int64_t lanes) {
          const Vec<T> d = fetch(from + c, lanes), g = fetch(gate + c, lanes), u = fetch(up + c, lanes);
          const Vec<T> s = sigmoid(g);
          put(dgate + c, d * u * s * (1 + g * (1 - s)), lanes);
          put(dup + c, d * g * s, lanes);
        });
      }
    });
  });
}

}  // namespace hyscale::kernels
