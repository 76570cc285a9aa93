#include "core/kernels/repeat_heads.h"

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static constexpr int64_t kTokensPerTask = 64;

namespace {

struct Heads {
  int64_t tokens, kv_heads, repeats, dim;
};

Heads heads_of(const Tensor& few, const Tensor& many, int64_t kv_heads) {
  const int64_t width = few.extent(1);
  if (kv_heads < 1 || width % kv_heads != 0 || many.extent(1) % width != 0 || few.extent(0) != many.extent(0))
    throw ShapeError("repeat_heads: " + few.describe() + " and " + many.describe() + " do not fit " +
                     std::to_string(kv_heads) + " heads");
  return {.tokens = few.extent(0), .kv_heads = kv_heads, .repeats = many.extent(1) / width, .dim = width / kv_heads};
}

/// visit(few, many) for each head of `few` and each of its repeats, rows of `dim` entries.
template <class T, class F>
void for_each_repeat(const Heads& heads, const View<T, 2>& few, const View<T, 2>& many, F&& visit) {
  parallel_for(heads.tokens, kTokensPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      for (int64_t h = 0; h < heads.kv_heads; ++h)
        for (int64_t r = 0; r < heads.repeats; ++r)
          visit(&few(t, h * heads.dim), &many(t, (h * heads.repeats + r) * heads.dim), r == 0);
  });
}

}  // namespace

void repeat_heads(const RepeatHeadsArgs& args, const Exec& exec) {
  const Heads heads = heads_of(args.x, args.out, args.kv_heads);
  if (exec.device == Device::cuda) return cuda::repeat_heads(args, exec);
  with_real(args.out.dtype(), [&]<class T>(T) {
    for_each_repeat(heads, args.x.view<T, 2>(), args.out.view<T, 2>(),
                    [&](const T* from, T* to, bool) { std::copy(from, from + heads.dim, to); });
  });
}

void sum_heads(const SumHeadsArgs& args, const Exec& exec) {
  const Heads heads = heads_of(args.dx, args.dout, args.kv_heads);
  if (exec.device == Device::cuda) return cuda::sum_heads(args, exec);
  with_real(args.dout.dtype(), [&]<class T>(T) {
    for_each_repeat(heads, args.dx.view<T, 2>(), args.dout.view<T, 2>(), [&](T* to, const T* from, bool first) {
      for (int64_t i = 0; i < heads.dim; ++i) to[i] = first ? from[i] : to[i] + from[i];
    });
  });
}

}  // namespace hyscale::kernels
