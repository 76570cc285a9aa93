#include "core/kernels/few_rows_product.h"

#include "core/kernels/vector_math.h"
#include "core/kernels/with_constant.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {
namespace {

constexpr int kMostRows = 8;
constexpr int64_t kColumns = 2;  // at once: as many streams through memory, and chains of sums for each row
constexpr int64_t kColumnsOfTask = 32;

/// kCount columns from `column` on.
template <class T, int kRows, int kCount>
void multiply_columns(const View<const T, 2>& a, const View<const T, 2>& b, const View<T, 2>& out, int64_t column,
                      bool accumulate, T alpha) {
  Vec<T> sums[kRows][kCount]{};
  const auto add = [&](int64_t p, int64_t lanes) {
    Vec<T> from_b[kCount];
    for (int c = 0; c < kCount; ++c) from_b[c] = load_some(&b(p, column + c), lanes);
    for (int r = 0; r < kRows; ++r) {
      const Vec<T> from_a = load_some(&a(r, p), lanes);
      for (int c = 0; c < kCount; ++c) sums[r][c] += from_a * from_b[c];
    }
  };
  for_each_vector<T>(0, a.extent(1), add);
  for (int r = 0; r < kRows; ++r)
    for (int c = 0; c < kCount; ++c) {
      T& to = out(r, column + c);
      to = (accumulate ? to : T(0)) + alpha * lane_sum<T>(sums[r][c]);
    }
}

}  // namespace

template <class T>
bool has_few_rows(const View<const T, 2>& a, const View<const T, 2>& b) {
  return a.extent(0) <= kMostRows && a.stride(1) == 1 && b.stride(0) == 1;
}

template <class T>
void few_rows_product(const View<const T, 2>& a, const View<const T, 2>& b, const View<T, 2>& out, bool accumulate,
                      T alpha) {
  with_constant<kMostRows>(a.extent(0), [&](auto rows) {
    parallel_for(b.extent(1), kColumnsOfTask, [&](int64_t begin, int64_t end) {
      int64_t column = begin;
      for (; column + kColumns <= end; column += kColumns)
        multiply_columns<T, rows, kColumns>(a, b, out, column, accumulate, alpha);
      for (; column < end; ++column) multiply_columns<T, rows, 1>(a, b, out, column, accumulate, alpha);
    });
  });
}

template bool has_few_rows(const View<const float, 2>&, const View<const float, 2>&);
template bool has_few_rows(const View<const double, 2>&, const View<const double, 2>&);
template void few_rows_product(const View<const float, 2>&, const View<const float, 2>&, const View<float, 2>&, bool,
                               float);
template void few_rows_product(const View<const double, 2>&, const View<const double, 2>&, const View<double, 2>&, bool,
                               double);

}  // namespace hyscale::kernels
