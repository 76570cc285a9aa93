// Forward of the chunked scan: a walk over chunk states per (sequence, head), then all chunks at once.
#include "core/kernels/ssm_chunks.h"
#include "core/kernels/ssm_scan.h"

namespace hyscale::kernels {
namespace {

template <class T>
void softplus_row(const Scan<T>& scan, int64_t sequence, int64_t h) {
  T* const dt = scan.dt_of(sequence, h, 0);
  const int64_t row = scan.first_row(sequence, 0);
  for (int64_t t = 0; t < scan.shape.length; ++t) {
    const T raw = scan.dt_raw(row + t, h) + scan.dt_bias[h];
    dt[t] = raw > 20 ? raw : std::log1p(std::exp(raw));
  }
}

/// next = whole · state + Σ_j to_end_j dt_j B_j x_jᵀ over one chunk; `state` null stands for zeros.
template <class T>
void advance_state(const Scan<T>& scan, int64_t sequence, int64_t h, int64_t chunk, const T* state, T* next) {
  Arena& arena = thread_arena();
  const Arena::Scope scope(arena);
  const int64_t count = scan.count(chunk), width = scan.padded_dim;
  const T* const dt = scan.dt_of(sequence, h, chunk);
  ChunkDecay<T> decay(arena, scan.shape.chunk);
  decay.set_ends(dt, scan.a(h), scan.tokens(sequence, chunk));
  const Rows<T> weighted{take<T>(arena, count * width), width};
  pack_rows(count, scan.shape.head_dim, scan.head(scan.x, sequence, chunk, h), weighted,
            [&](int64_t t) { return decay.to_end()[t] * dt[t]; });
  if (state != nullptr)
    for (int64_t i = 0; i < scan.state_size(); i += kLanes<T>) store(next + i, decay.whole() * load(state + i));
  const Rows<const T> b = scan.group(scan.b, sequence, chunk, h / scan.heads_of_group());
  small_product<T>(Part::whole, scan.shape.d_state, width, count, {b.data, 1, b.row}, {weighted.data, width},
                   {next, width}, state != nullptr);
}

/// dt and the state at each chunk's start, of one head of one sequence.
template <class T>
void walk(const Scan<T>& scan, int64_t sequence, int64_t h, const T* initial, T* final_state) {
  const SsdShape& s = scan.shape;
  const int64_t index = sequence * s.heads + h, dense = s.d_state * s.head_dim, width = scan.padded_dim;
  softplus_row(scan, sequence, h);
  if (initial != nullptr) {
    T* const first = scan.block(scan.states, sequence, h, 0);
    std::fill_n(first, scan.state_size(), T(0));
    for (int64_t n = 0; n < s.d_state; ++n)
      std::copy_n(initial + index * dense + n * s.head_dim, s.head_dim, first + n * width);
  }
  const auto before = [&](int64_t chunk) {
    return scan.has_state(chunk) ? scan.block(scan.states, sequence, h, chunk) : nullptr;
  };
  const int64_t last = s.chunks() - 1;
  for (int64_t chunk = 0; chunk < last; ++chunk)
    advance_state(scan, sequence, h, chunk, before(chunk), scan.block(scan.states, sequence, h, chunk + 1));
  if (final_state == nullptr) return;
  Arena& arena = thread_arena();
  const Arena::Scope scope(arena);
  T* const end = take<T>(arena, scan.state_size());
  advance_state(scan, sequence, h, last, before(last), end);
  for (int64_t n = 0; n < s.d_state; ++n)
    std::copy_n(end + n * width, s.head_dim, final_state + index * dense + n * s.head_dim);
}

/// kl[i][j] = scores[i][j] · L(i, j) up to the end of i's tile; what lies behind it is left alone.
template <class T>
void apply_decay(const ChunkDecay<T>& decay, int64_t count, Rows<const T> scores, Rows<T> kl) {
  constexpr int64_t L = kLanes<T>;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t tile = i / L;
    const T* const column = decay.column(tile);
    const T row = decay.row(i);
    for (int64_t j = 0; j < tile * L; j += L) store(kl[i] + j, load(scores[i] + j) * (row * load(column + j)));
    store(kl[i] + tile * L, load(scores[i] + tile * L) * decay.diagonal(i));
  }
}

/// Outputs of one chunk, all heads of one group: y = d x + from_start · C S + (C Bᵀ ∘ L) (dt x).
template <class T>
void chunk_outputs(const Scan<T>& scan, const View<T, 2>& y, int64_t sequence, int64_t chunk, int64_t g) {
  Arena& arena = thread_arena();
  const Arena::Scope scope(arena);
  const SsdShape& s = scan.shape;
  const int64_t count = scan.count(chunk), width = scan.padded_dim, padded = scan.padded_tokens;
  const Rows<const T> b = scan.group(scan.b, sequence, chunk, g), c = scan.group(scan.c, sequence, chunk, g);
  const Left<T> left_c{c.data, c.row, 1};
  const Rows<T> b_packed{take<T>(arena, count * scan.padded_state), scan.padded_state};
  const Rows<T> b_turned{take<T>(arena, s.d_state * padded), padded};
  pack_rows(count, s.d_state, b, b_packed, [](int64_t) { return T(1); });
  transpose<T>(count, s.d_state, {b_packed.data, b_packed.row}, b_turned);
  const Rows<T> scores{take<T>(arena, count * padded), padded}, kl{take<T>(arena, count * padded), padded};
  small_product<T>(Part::lower_result, count, round_up(count, kLanes<T>), s.d_state, left_c, {b_turned.data, padded},
                   scores, false);
  std::fill_n(kl.data, count * padded, T(0));  // above the diagonal it stays so
  const Rows<T> input{take<T>(arena, count * width), width}, sum{take<T>(arena, count * width), width};
  ChunkDecay<T> decay(arena, s.chunk);
  for (int64_t h = g * scan.heads_of_group(); h < (g + 1) * scan.heads_of_group(); ++h) {
    const T* const dt = scan.dt_of(sequence, h, chunk);
    const Rows<const T> x = scan.head(scan.x, sequence, chunk, h);
    decay.set(dt, scan.a(h), scan.tokens(sequence, chunk));
    apply_decay<T>(decay, count, {scores.data, padded}, kl);
    pack_rows(count, s.head_dim, x, input, [&](int64_t t) { return dt[t]; });
    if (scan.has_state(chunk)) {
      small_product<T>(Part::whole, count, width, s.d_state, left_c,
                       {scan.block(scan.states, sequence, h, chunk), width}, sum, false);
      pack_rows<T>(count, width, {sum.data, width}, sum, [&](int64_t t) { return decay.from_start()[t]; });
    }
    small_product<T>(Part::lower_left, count, width, count, {kl.data, padded, 1}, {input.data, width}, sum,
                     scan.has_state(chunk));
    const Rows<T> out = scan.head(y, sequence, chunk, h);
    for (int64_t t = 0; t < count; ++t)
      for (int64_t p = 0; p < s.head_dim; ++p) out[t][p] = sum[t][p] + scan.d[h] * x[t][p];
  }
}

}  // namespace

template <class T>
void scan_forward(const SsdShape& shape, const SsdInputs& in, const SsdSaved& saved, const Tensor& y,
                  const Tensor& final_state) {
  const Scan<T> scan(shape, in, saved);
  const T* const initial = scan.initial ? in.initial_state.as<const T>() : nullptr;
  T* const end = final_state.data() != nullptr ? final_state.as<T>() : nullptr;
  const auto out = y.view<T, 2>();
  for_each_task(shape.sequences, shape.heads, 1,
                [&](int64_t sequence, int64_t h, int64_t) { walk(scan, sequence, h, initial, end); });
  for_each_task(shape.sequences, shape.chunks(), shape.groups,
                [&](int64_t sequence, int64_t chunk, int64_t g) { chunk_outputs(scan, out, sequence, chunk, g); });
}

template void scan_forward<float>(const SsdShape&, const SsdInputs&, const SsdSaved&, const Tensor&, const Tensor&);
template void scan_forward<double>(const SsdShape&, const SsdInputs&, const SsdSaved&, const Tensor&, const Tensor&);

}  // namespace hyscale::kernels
