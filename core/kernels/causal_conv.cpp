#include "core/kernels/causal_conv.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/kernels/documents.h"
#include "core/kernels/vector_math.h"
#include "core/kernels/with_constant.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

constexpr int64_t kBlock = 64;  // channels of one task: a few cache lines of each row
constexpr int kMostTaps = 8;

/// Taps of one vector of channels: tap k is the weights [kLanes] of weight[:, k]; lanes beyond `lanes` are 0.
template <class T>
struct Taps {
  Vec<T> tap[kMostTaps]{};
  Vec<T> bias{};

  Taps(const View<const T, 2>& weight, const T* all_bias, int64_t channel, int64_t lanes) {
    for (int64_t k = 0; k < weight.extent(1); ++k)
      for (int64_t i = 0; i < lanes; ++i) tap[k][i] = weight(channel + i, k);
    bias = load_some(all_bias + channel, lanes);
  }
};

/// The last `width` inputs of one vector of channels, newest at the end.
template <class T, int W>
struct Tail {
  Vec<T> past[W]{};
  void push(Vec<T> u) {
    for (int k = 0; k + 1 < W; ++k) past[k] = past[k + 1];
    past[W - 1] = u;
  }
  Vec<T> pre(const Taps<T>& taps) const {
    Vec<T> sum = taps.bias;
    for (int k = 0; k < W; ++k) sum += taps.tap[k] * past[k];
    return sum;
  }
};

template <class T, int W>
void forward_lanes(const View<const T, 2>& u, const View<T, 2>& out, int64_t begin, int64_t length, int64_t channel,
                   int64_t lanes, const Taps<T>& taps, Tail<T, W> tail) {
  for (int64_t t = begin; t < begin + length; ++t) {
    tail.push(load_some(&u(t, channel), lanes));
    const Vec<T> pre = tail.pre(taps);
    store_some(&out(t, channel), pre * sigmoid(pre), lanes);
  }
}

/// du_t needs dpre of the next tokens, so it follows W - 1 tokens behind. Sums into dtaps[W + 1]: taps, then bias.
template <class T, int W>
void backward_lanes(const View<const T, 2>& u, const View<const T, 2>& dout, const View<T, 2>& du, int64_t begin,
                    int64_t length, int64_t channel, int64_t lanes, const Taps<T>& taps, Vec<T>* dtaps) {
  Tail<T, W> tail, gradients;
  for (int64_t t = 0; t < length + W - 1; ++t) {
    Vec<T> dpre{};
    if (t < length) {
      tail.push(load_some(&u(begin + t, channel), lanes));
      const Vec<T> pre = tail.pre(taps), s = sigmoid(pre);
      dpre = load_some(&dout(begin + t, channel), lanes) * s * (1 + pre * (1 - s));
      for (int k = 0; k < W; ++k) dtaps[k] += dpre * tail.past[k];
      dtaps[W] += dpre;
    }
    gradients.push(dpre);
    if (t < W - 1) continue;
    Vec<T> sum{};
    for (int k = 0; k < W; ++k) sum += taps.tap[k] * gradients.past[W - 1 - k];
    store_some(&du(begin + t - (W - 1), channel), sum, lanes);
  }
}

void check(const CausalConvArgs& args, std::initializer_list<const Tensor*> like_u) {
  const int64_t channels = args.u.extent(1);
  if (args.sequences < 1 || args.u.extent(0) % args.sequences != 0)
    throw ShapeError("causal_conv: " + args.u.describe() + " does not hold " + std::to_string(args.sequences) +
                     " sequences of one length");
  check_documents(args.document_begins, args.sequences, args.u.extent(0) / args.sequences);
  const int64_t width = args.weight.extent(1);
  expect_shape("causal_conv weight", args.weight, {channels, width});
  if (width < 1 || width > kMostTaps)
    throw ShapeError("causal_conv: width " + std::to_string(width) + " is not in 1 … 8");
  expect_shape("causal_conv bias", args.bias, {channels});
  if (!args.history.empty()) expect_shape("causal_conv history", args.history, {args.sequences, width - 1, channels});
  for (const Tensor* one : like_u) {
    expect_shape("causal_conv tensor", *one, args.u.shape());
    if (one->stride(1) != 1) throw ShapeError("causal_conv: entries of a row must be contiguous");
  }
}

/// Runs task(sequence, first channel, channels) over sequences × blocks of channels.
template <class F>
void for_each_block(int64_t sequences, int64_t channels, F&& task) {
  const int64_t blocks = (channels + kBlock - 1) / kBlock;
  parallel_for(sequences * blocks, 1, [&](int64_t i, int64_t) {
    const int64_t first = i % blocks * kBlock;
    task(i / blocks, first, std::min(kBlock, channels - first));
  });
}

template <class T, int W>
Tail<T, W> tail_before(const Tensor& history, int64_t sequence, int64_t channel, int64_t lanes) {
  Tail<T, W> tail;
  if (history.empty()) return tail;
  const auto rows = history.view<const T, 3>();
  for (int k = 0; k + 1 < W; ++k) tail.push(load_some(&rows(sequence, k, channel), lanes));
  return tail;
}

template <class T, int W>
void forward(const CausalConvArgs& args, const View<T, 2>& out) {
  const auto u = args.u.view<const T, 2>(), weight = args.weight.view<const T, 2>();
  const T* const bias = args.bias.as<const T>();
  const int64_t length = u.extent(0) / args.sequences;
  for_each_block(args.sequences, u.extent(1), [&](int64_t sequence, int64_t first, int64_t count) {
    for (int64_t c = first; c < first + count; c += kLanes<T>) {
      const int64_t lanes = std::min(kLanes<T>, first + count - c);
      const Taps<T> taps(weight, bias, c, lanes);
      DocumentBegins(args.document_begins, sequence).for_each(length, [&](int64_t begin, int64_t tokens) {
        forward_lanes<T, W>(u, out, sequence * length + begin, tokens, c, lanes, taps,
                            begin == 0 ? tail_before<T, W>(args.history, sequence, c, lanes) : Tail<T, W>());
      });
    }
  });
}

template <class T, int W>
void backward(const CausalConvArgs& args, const Tensor& dout, const Tensor& du, const Tensor& dweight,
              const Tensor& dbias, Arena& arena) {
  const Arena::Scope scope(arena);
  const auto u = args.u.view<const T, 2>(), weight = args.weight.view<const T, 2>(), dy = dout.view<const T, 2>();
  const auto dx = du.view<T, 2>(), dw = dweight.view<T, 2>();
  const T* const bias = args.bias.as<const T>();
  const int64_t channels = u.extent(1), length = u.extent(0) / args.sequences;
  const auto parts = arena.tensor(du.dtype(), {args.sequences, channels, W + 1}).view<T, 3>();
  for_each_block(args.sequences, channels, [&](int64_t sequence, int64_t first, int64_t count) {
    for (int64_t c = first; c < first + count; c += kLanes<T>) {
      const int64_t lanes = std::min(kLanes<T>, first + count - c);
      Vec<T> dtaps[W + 1]{};
      const Taps<T> taps(weight, bias, c, lanes);
      DocumentBegins(args.document_begins, sequence).for_each(length, [&](int64_t begin, int64_t tokens) {
        backward_lanes<T, W>(u, dy, dx, sequence * length + begin, tokens, c, lanes, taps, dtaps);
      });
      for (int64_t i = 0; i < lanes; ++i)
        for (int64_t k = 0; k <= W; ++k) parts(sequence, c + i, k) = dtaps[k][i];
    }
  });
  for (int64_t sequence = 0; sequence < args.sequences; ++sequence)
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t k = 0; k < W; ++k) dw(c, k) += parts(sequence, c, k);
      dbias.as<T>()[c] += parts(sequence, c, W);
    }
}

}  // namespace

void causal_conv_silu(const CausalConvArgs& args, const Tensor& out, const Exec& exec) {
  check(args, {&args.u, &out});
  if (exec.device == Device::cuda) return cuda::causal_conv_silu(args, out, exec);
  with_real(out.dtype(), [&](auto real) {
    using T = decltype(real);
    with_constant<kMostTaps>(args.weight.extent(1), [&](auto width) { forward<T, width>(args, out.view<T, 2>()); });
  });
}

void remember_inputs(const CausalConvArgs& args) {
  if (args.history.empty()) return;
  check(args, {&args.u});
  const int64_t kept = args.history.extent(1), channels = args.u.extent(1), length = args.u.extent(0) / args.sequences;
  with_real(args.u.dtype(), [&](auto real) {
    using T = decltype(real);
    const auto u = args.u.view<const T, 2>();
    const auto history = args.history.view<T, 3>();
    for (int64_t s = 0; s < args.sequences; ++s)
      for (int64_t k = 0; k < kept; ++k) {  // row k of the new is row k + length of history and u together
        const int64_t from = k + length;
        const T* const row = from < kept ? &history(s, from, 0) : &u(s * length + from - kept, 0);
        std::copy_n(row, channels, &history(s, k, 0));
      }
  });
}

void causal_conv_silu_backward(const CausalConvArgs& args, const Tensor& dout, const Tensor& du, const Tensor& dweight,
                               const Tensor& dbias, const Exec& exec) {
  check(args, {&args.u, &dout, &du});
  expect_shape("causal_conv dweight", dweight, args.weight.shape());
  expect_shape("causal_conv dbias", dbias, args.bias.shape());
  if (exec.device == Device::cuda) return cuda::causal_conv_silu_backward(args, dout, du, dweight, dbias, exec);
  with_real(du.dtype(), [&](auto real) {
    using T = decltype(real);
    with_constant<kMostTaps>(args.weight.extent(1),
                             [&](auto width) { backward<T, width>(args, dout, du, dweight, dbias, *exec.arena); });
  });
}

}  // namespace hyscale::kernels
