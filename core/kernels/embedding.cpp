#include "core/kernels/embedding.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/kernels/cuda/twins.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static void check_shapes(const Tensor& rows, const Tensor& tokens, const Tensor& weight) {
  if (rows.rank() != 2 || weight.rank() != 2 || rows.extent(1) != weight.extent(1))
    throw ShapeError(fmt::format("embedding: rows are {}, the table is {}", rows.describe(), weight.describe()));
  expect_shape("embedding tokens", tokens, {rows.extent(0)});
}

static void check_values(const Tensor& tokens, const Tensor& weight) {
  const auto ids = tokens.view<const int32_t, 1>();
  for (int64_t t = 0; t < ids.extent(0); ++t)
    if (ids(t) < 0 || ids(t) >= weight.extent(0))
      throw ShapeError(fmt::format("token {} at row {} is outside a vocabulary of {}", ids(t), t, weight.extent(0)));
}

void embedding(const EmbeddingArgs& args, const Exec& exec) {
  check_shapes(args.out, args.tokens, args.weight);
  if (exec.device == Device::cuda) return cuda::embedding(args, exec);
  check_values(args.tokens, args.weight);
  const auto ids = args.tokens.view<const int32_t, 1>();
  with_real(args.out.dtype(), [&]<class T>(T) {
    const auto out = args.out.view<T, 2>();
    const auto weight = args.weight.view<T, 2>();
    parallel_for(out.extent(0), 512, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) std::copy_n(&weight(ids(t), 0), out.extent(1), &out(t, 0));
    });
  });
}

// Tasks share out the channels, so that no two write the same element.
void embedding_backward(const EmbeddingBackwardArgs& args, const Exec& exec) {
  check_shapes(args.dout, args.tokens, args.dweight);
  if (exec.device == Device::cuda) return cuda::embedding_backward(args, exec);
  check_values(args.tokens, args.dweight);
  const auto ids = args.tokens.view<const int32_t, 1>();
  with_real(args.dout.dtype(), [&]<class T>(T) {
    const auto dout = args.dout.view<T, 2>();
    const auto dweight = args.dweight.view<T, 2>();
    parallel_for(dout.extent(1), 64, [&](int64_t begin, int64_t end) {
      for (int64_t t = 0; t < dout.extent(0); ++t) {
        T* to = &dweight(ids(t), 0);
        const T* from = &dout(t, 0);
        for (int64_t c = begin; c < end; ++c) to[c] += from[c];
      }
    });
  });
}

}  // namespace hyscale::kernels
