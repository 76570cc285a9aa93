#include "core/kernels/split_embedding.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/kernels/split_contract.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

static void check_shapes(const Tensor& rows, const Tensor& tokens, const Tensor& weight) {
  if (rows.rank() != 2 || weight.rank() != 2 || rows.extent(1) != weight.extent(1))
    throw ShapeError(fmt::format("split_embedding: rows are {}, the table is {}", rows.describe(), weight.describe()));
  expect_shape("split_embedding tokens", tokens, {rows.extent(0)});
}

void split_embedding(const SplitEmbeddingArgs& args, const Exec& exec) {
  check_shapes(args.out, args.tokens, args.weight);
  expect_cpu(exec);
  const auto ids = args.tokens.view<const int32_t, 1>();
  for (int64_t t = 0; t < ids.extent(0); ++t)
    if (ids(t) < 0 || ids(t) >= args.vocabulary)
      throw ShapeError(fmt::format("token {} at row {} is outside a vocabulary of {}", ids(t), t, args.vocabulary));
  with_real(args.out.dtype(), [&]<class T>(T) {
    const auto out = args.out.view<T, 2>();
    const auto weight = args.weight.view<T, 2>();
    parallel_for(out.extent(0), 512, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t row = ids(t) - args.first;
        if (row >= 0 && row < weight.extent(0))
          std::copy_n(&weight(row, 0), out.extent(1), &out(t, 0));
        else
          std::fill_n(&out(t, 0), out.extent(1), T(0));
      }
    });
  });
}

// Tasks share out the channels, so that no two write the same element.
void split_embedding_backward(const SplitEmbeddingBackwardArgs& args, const Exec& exec) {
  check_shapes(args.dout, args.tokens, args.dweight);
  expect_cpu(exec);
  const auto ids = args.tokens.view<const int32_t, 1>();
  with_real(args.dout.dtype(), [&]<class T>(T) {
    const auto dout = args.dout.view<T, 2>();
    const auto dweight = args.dweight.view<T, 2>();
    parallel_for(dout.extent(1), 64, [&](int64_t begin, int64_t end) {
      for (int64_t t = 0; t < dout.extent(0); ++t) {
        const int64_t row = ids(t) - args.first;
        if (row < 0 || row >= dweight.extent(0)) continue;
        T* to = &dweight(row, 0);
        const T* from = &dout(t, 0);
        for (int64_t c = begin; c < end; ++c) to[c] += from[c];
      }
    });
  });
}

}  // namespace hyscale::kernels
