#include "core/mixers/projection.h"

#include "core/kernels/gemm.h"
#include "core/kernels/quantise.h"

namespace hyscale::model {
namespace {

struct Quantised {
  Tensor plain, turned, unscale;
};

enum class Forms { plain, turned, both };

Quantised quantised(const Tensor& x, DType dtype, Forms forms, const Exec& exec) {
  Quantised q;
  if (forms != Forms::turned) q.plain = exec.arena->matrix(dtype, x.extent(0), x.extent(1));
  if (forms != Forms::plain) q.turned = exec.arena->matrix(dtype, x.extent(1), x.extent(0));
  q.unscale = exec.arena->tensor(DType::f32, {1});
  kernels::quantise({.out = q.plain, .turned = q.turned, .unscale = q.unscale, .x = x}, exec);
  return q;
}

bool whole(const Tensor& t) {
  const auto bytes = static_cast<uint64_t>(t.stride(0)) * size_of(t.dtype());
  return t.extent(0) % 16 == 0 && t.extent(1) % 16 == 0 && (reinterpret_cast<uintptr_t>(t.data()) | bytes) % 16 == 0;
}

bool in_float8(const Tensor& rows, const Tensor& out, const Tensor& weight, const Exec& exec) {
  return exec.float8 && whole(rows) && whole(out) && whole(weight);
}

}  // namespace

void Projection::forward(const Tensor& rows, const Tensor& out, bool accumulate, const Exec& exec) {
  kernels::GemmArgs product{
      .out = out, .a = rows, .b = weight, .transpose_b = true, .accumulate = accumulate, .alpha = sign};
  forget();
  if (!in_float8(rows, out, weight, exec)) return kernels::gemm(product, exec);
  kept_rows = exec.arena->matrix(DType::e4m3, rows.extent(1), rows.extent(0));
  kept_unscale = exec.arena->tensor(DType::f32, {1});
  const Arena::Scope scratch(*exec.arena);
  const Quantised x{.plain = exec.arena->matrix(DType::e4m3, rows.extent(0), rows.extent(1)),
                    .turned = kept_rows,
                    .unscale = kept_unscale},
      w = quantised(weight, DType::e4m3, Forms::plain, exec);
  kernels::quantise({.out = x.plain, .turned = x.turned, .unscale = x.unscale, .x = rows}, exec);
  product.a = x.plain, product.unscale_a = x.unscale;
  product.b = w.plain, product.unscale_b = w.unscale;
  kernels::gemm(product, exec);
}

void Projection::backward(const Tensor& rows, const Tensor& dout, const Tensor& drows, bool accumulate,
                          const Exec& exec) const {
  kernels::GemmArgs to_weight{
      .out = gradient, .a = dout, .b = rows, .transpose_a = true, .accumulate = true, .alpha = sign};
  kernels::GemmArgs to_rows{.out = drows, .a = dout, .b = weight, .accumulate = accumulate, .alpha = sign};
  const Arena::Scope scratch(*exec.arena);
  if (in_float8(rows, dout, weight, exec)) {
    const Quantised d = quantised(dout, DType::e5m2, Forms::both, exec),
                    x = kept_rows.empty() ? quantised(rows, DType::e4m3, Forms::turned, exec)
                                          : Quantised{.plain = {}, .turned = kept_rows, .unscale = kept_unscale},
                    w = quantised(weight, DType::e4m3, Forms::turned, exec);
    to_weight.a = d.turned, to_weight.b = x.turned, to_rows.a = d.plain, to_rows.b = w.turned;
    to_weight.transpose_a = false, to_weight.transpose_b = to_rows.transpose_b = true;
    to_weight.unscale_a = to_rows.unscale_a = d.unscale;
    to_weight.unscale_b = x.unscale, to_rows.unscale_b = w.unscale;
  }
  kernels::gemm(to_weight, exec);
  kernels::gemm(to_rows, exec);
}

}  // namespace hyscale::model
