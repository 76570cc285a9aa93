#include "core/model/shared_gradients.h"

#include <algorithm>

#include "core/kernels/scale_rows.h"

namespace hyscale::model {

static Tensor as_matrix(const Tensor& values) {
  return values.rank() == 2 ? values : values.reshape({values.numel(), 1});
}

static void copy(const Tensor& to, const Tensor& from, const Exec& exec) {
  kernels::scale_rows({.out = to, .x = from, .factor = {}}, exec);
}

// Calls visit(rows of `sums`, rows of the gradient) for what this rank holds of the range.
template <class F>
static void for_each_own(const spec::ParameterPart& part, spec::Interval range, F&& visit) {
  int64_t here = 0;
  for (const spec::Piece& piece : part.pieces) {
    const int64_t begin = std::max(piece.begin, range.begin), end = std::min(piece.begin + piece.count, range.end());
    if (begin < end) visit(begin - range.begin, here + begin - piece.begin, end - begin);
    here += piece.count;
  }
}

// Each rank puts its entries where they are in the whole range and 0 elsewhere.
static void sum_range(const Parameter& parameter, spec::Interval range, TensorGroup& ranks, const Exec& exec) {
  const Arena::Scope scratch(*exec.arena);
  const Tensor gradient = as_matrix(parameter.gradient);
  const Tensor sums = exec.arena->zeroed(gradient.dtype(), {range.count, gradient.extent(1)});
  for_each_own(*parameter.spec.part, range, [&](int64_t there, int64_t here, int64_t count) {
    copy(sums.slice(0, there, count), gradient.slice(0, here, count), exec);
  });
  ranks.sum(sums);
  for_each_own(*parameter.spec.part, range, [&](int64_t there, int64_t here, int64_t count) {
    copy(gradient.slice(0, here, count), sums.slice(0, there, count), exec);
  });
}

void sum_shared_gradients(std::span<const Parameter> parameters, TensorGroup& ranks, const Exec& exec) {
  for (const Parameter& parameter : parameters)
    if (parameter.spec.part)
      for (const spec::Interval range : parameter.spec.part->summed) sum_range(parameter, range, ranks, exec);
}

}  // namespace hyscale::model
