#include "studies/families/ladder.h"

#include <algorithm>
#include <cmath>

namespace hyscale::studies {

static int64_t layers_at(double parameters) {
  return std::max<int64_t>(2, std::llround(2 * std::pow(parameters / 1e4, 0.18)));
}

static int64_t width_step(double width) {
  if (width < 64) return 8;
  if (width < 256) return 32;
  return width < 1024 ? 64 : 128;
}

static int64_t width_at(double parameters, int64_t layers) {
  const double width = std::sqrt(parameters / (12 * static_cast<double>(layers)));
  const int64_t step = width_step(width);
  return std::max<int64_t>(16, std::llround(width / static_cast<double>(step)) * step);
}

static int64_t widest_head(int64_t d_model, int64_t limit, bool in_pairs) {
  for (int64_t head = std::min(limit, d_model); head > 1; --head)
    if (d_model % head == 0 && (!in_pairs || (head % 2 == 0 && (d_model / head) % 2 == 0))) return head;
  return 1;
}

static int64_t query_heads_per_kv_head(int64_t heads) {
  int64_t shared = 4;
  while (heads % shared != 0) --shared;
  return shared;
}

static int64_t state_at(int64_t d_model) {
  if (d_model <= 64) return 16;
  if (d_model <= 128) return 32;
  if (d_model <= 512) return 64;
  return d_model <= 2048 ? 128 : 256;
}

SizeShape shape_of(const SizeSpec& size) {
  SizeShape shape;
  shape.layers = size.layers > 0 ? size.layers : layers_at(size.target);
  const int64_t d = size.d_model > 0 ? size.d_model : width_at(size.target, shape.layers);
  const int64_t limit = d < 256 ? 32 : 64;
  const int64_t head = widest_head(d, limit, true);
  shape.scale = {.d_model = d,
                 .attention_head_dim = head,
                 .heads_per_kv_head = query_heads_per_kv_head(d / head),
                 .ssm_head_dim = widest_head(d, limit, false),
                 .d_state = state_at(d)};
  return shape;
}

double tolerance_at(double parameters) { return parameters < 1e7 ? 0.02 : 0.01; }

}  // namespace hyscale::studies
