// Backward of the chunked scan: a reverse walk over the gradients of chunk states per (sequence, head), then all chunks
// at once, the heads of a group one after another so that db and dc are summed in one fixed order.
#include "core/kernels/ssm_chunks.h"
#include "core/kernels/ssm_scan.h"

namespace hyscale::kernels {
namespace {

/// Sums over one chunk that go into parameter gradients, per (sequence, chunk, head).
template <class T>
struct ParameterSums {
  T a = 0, dt_bias = 0, d = 0;
};

template <class T>
struct BackwardArgs {
  const Scan<T>& scan;
  View<const T, 2> dy;
  View<T, 2> dx, db, dc, ddt_raw;
  T* end_gradients;        // like states: gradient of the state at each chunk's end; the last chunk has none
  ParameterSums<T>* sums;  // [sequences, chunks, heads]

  bool has_end(int64_t chunk) const { return chunk + 1 < scan.shape.chunks(); }
};

/// gradient at the end of chunk - 1 = whole · (gradient at the end of chunk) + Σ_t from_start_t C_t dy_tᵀ.
template <class T>
void walk_back(const BackwardArgs<T>& args, int64_t sequence, int64_t h) {
  const Scan<T>& scan = args.scan;
  const int64_t width = scan.padded_dim;
  for (int64_t chunk = scan.shape.chunks() - 1; chunk > 0; --chunk) {
    Arena& arena = thread_arena();
    const Arena::Scope scope(arena);
    const int64_t count = scan.count(chunk);
    ChunkDecay<T> decay(arena, scan.shape.chunk);
    decay.set_ends(scan.dt_of(sequence, h, chunk), scan.a(h), scan.tokens(sequence, chunk));
    const Rows<T> weighted{take<T>(arena, count * width), width};
    pack_rows(count, scan.shape.head_dim, scan.head(args.dy, sequence, chunk, h), weighted,
              [&](int64_t t) { return decay.from_start()[t]; });
    const T* const end = scan.block(args.end_gradients, sequence, h, chunk);
    T* const before = scan.block(args.end_gradients, sequence, h, chunk - 1);
    if (args.has_end(chunk))
      for (int64_t i = 0; i < scan.state_size(); i += kLanes<T>) store(before + i, decay.whole() * load(end + i));
    const Rows<const T> c = scan.group(scan.c, sequence, chunk, h / scan.heads_of_group());
    small_product<T>(Part::whole, scan.shape.d_state, width, count, {c.data, 1, c.row}, {weighted.data, width},
                     {before, width}, args.has_end(chunk));
  }
}

/// Works on one chunk of one group; the buffers live as long as the task.
template <class T>
class ChunkBackward {
 public:
  ChunkBackward(const BackwardArgs<T>& args, Arena& arena, int64_t sequence, int64_t chunk, int64_t g);
  void run();

 private:
  static constexpr int64_t kLane = kLanes<T>;
  Rows<T> matrix(int64_t rows, int64_t row) { return {take<T>(arena_, rows * row), row}; }
  static Rows<const T> read(Rows<T> rows) { return {rows.data, rows.row}; }
  static Left<T> left(Rows<T> rows) { return {rows.data, rows.row, 1}; }
  static Left<T> turned(Rows<T> rows) { return {rows.data, 1, rows.row}; }
  static T row_dot(const T* a, const T* b, int64_t width) {
    Vec<T> sum{};
    for (int64_t i = 0; i < width; i += kLane) sum += load(a + i) * load(b + i);
    return lane_sum<T>(sum);
  }

  void head(int64_t h);
  void scores_gradient();
  void input_gradient(int64_t h);
  void through_start_state(int64_t h);
  void through_end_state(int64_t h);
  void finish_dt(int64_t h, ParameterSums<T>& sums);

  const BackwardArgs<T>& args_;
  const Scan<T>& scan_;
  Arena& arena_;
  int64_t sequence_, chunk_, group_, count_, dim_, state_, padded_;
  ChunkDecay<T> decay_;
  Rows<T> b_, c_, db_, dc_, per_head_state_;             // [count, padded_state]
  Rows<T> scores_, dscores_, kl_, products_;             // [count, padded_tokens]
  Rows<T> x_, input_, dy_, v_, weighted_;                // [count, padded_dim]
  Rows<T> input_turned_;                                 // [padded_dim, padded_tokens]
  Rows<T> state_turned_;                                 // [padded_dim, padded_state]
  T *below_, *dlog_, *din_, *start_terms_, *end_terms_;  // [padded_tokens]
  const T* dt_ = nullptr;
};

template <class T>
ChunkBackward<T>::ChunkBackward(const BackwardArgs<T>& args, Arena& arena, int64_t sequence, int64_t chunk, int64_t g)
    : args_(args),
      scan_(args.scan),
      arena_(arena),
      sequence_(sequence),
      chunk_(chunk),
      group_(g),
      count_(scan_.count(chunk)),
      dim_(scan_.padded_dim),
      state_(scan_.padded_state),
      padded_(scan_.padded_tokens),
      decay_(arena, scan_.shape.chunk) {
  for (Rows<T>* one : {&b_, &c_, &db_, &dc_, &per_head_state_}) *one = matrix(count_, state_);
  for (Rows<T>* one : {&scores_, &dscores_, &kl_, &products_}) *one = matrix(count_, padded_);
  for (Rows<T>* one : {&x_, &input_, &dy_, &v_, &weighted_}) *one = matrix(count_, dim_);
  input_turned_ = matrix(dim_, padded_);
  state_turned_ = matrix(dim_, state_);
  for (T** one : {&below_, &dlog_, &din_, &start_terms_, &end_terms_}) *one = take<T>(arena, padded_);
}

template <class T>
void ChunkBackward<T>::run() {
  const int64_t n = scan_.shape.d_state;
  const auto one = [](int64_t) { return T(1); };
  pack_rows(count_, n, scan_.group(scan_.b, sequence_, chunk_, group_), b_, one);
  pack_rows(count_, n, scan_.group(scan_.c, sequence_, chunk_, group_), c_, one);
  {
    const Arena::Scope scope(arena_);
    const Rows<T> b_turned = matrix(state_, padded_);
    transpose(count_, n, read(b_), b_turned);
    small_product(Part::lower_result, count_, round_up(count_, kLane), n, left(c_), read(b_turned), scores_, false);
  }
  for (const Rows<T>& zero : {dscores_, kl_}) std::fill_n(zero.data, count_ * padded_, T(0));
  for (const Rows<T>& zero : {db_, dc_}) std::fill_n(zero.data, count_ * state_, T(0));
  for (int64_t h = group_ * scan_.heads_of_group(); h < (group_ + 1) * scan_.heads_of_group(); ++h) head(h);
  small_product(Part::lower_left, count_, state_, count_, left(dscores_), read(b_), dc_, true);
  small_product(Part::upper_left, count_, state_, count_, turned(dscores_), read(c_), db_, true);
  const Rows<T> db = scan_.group(args_.db, sequence_, chunk_, group_),
                dc = scan_.group(args_.dc, sequence_, chunk_, group_);
  for (int64_t t = 0; t < count_; ++t) {
    std::copy_n(db_[t], n, db[t]);
    std::copy_n(dc_[t], n, dc[t]);
  }
}

template <class T>
void ChunkBackward<T>::head(int64_t h) {
  ParameterSums<T>& sums = args_.sums[(sequence_ * scan_.shape.chunks() + chunk_) * scan_.shape.heads + h];
  dt_ = scan_.dt_of(sequence_, h, chunk_);
  decay_.set(dt_, scan_.a(h), scan_.tokens(sequence_, chunk_));
  const int64_t dim = scan_.shape.head_dim;
  pack_rows(count_, dim, scan_.head(scan_.x, sequence_, chunk_, h), x_, [](int64_t) { return T(1); });
  pack_rows(count_, dim, scan_.head(args_.dy, sequence_, chunk_, h), dy_, [](int64_t) { return T(1); });
  pack_rows(count_, dim_, read(x_), input_, [&](int64_t t) { return dt_[t]; });
  transpose(count_, dim, read(input_), input_turned_);
  small_product(Part::lower_result, count_, round_up(count_, kLane), dim, left(dy_), read(input_turned_), products_,
                false);
  scores_gradient();
  if (scan_.has_state(chunk_)) through_start_state(h);
  if (args_.has_end(chunk_)) through_end_state(h);
  small_product(Part::upper_left, count_, dim_, count_, turned(kl_), read(dy_), v_, args_.has_end(chunk_));
  input_gradient(h);
  sums.d = 0;
  for (int64_t t = 0; t < count_; ++t) sums.d += row_dot(x_[t], dy_[t], dim_);
  finish_dt(h, sums);
}

/// From products_[i][j] = dy_i · (dt_j x_j): kl_ = scores ∘ L, dscores_ += products ∘ L, and the part of dlog_ that
/// stays inside the chunk: dlog_t = Σ_{i ≥ t > j} products ∘ L ∘ scores. Rows go from the last to the first, so that
/// below_[j] = Σ_{i ≥ t} is only ever added to.
template <class T>
void ChunkBackward<T>::scores_gradient() {
  const Vec<T> lane = lane_numbers<T>();
  std::fill_n(below_, padded_, T(0));
  for (int64_t t = count_; t-- > 0;) {
    const int64_t own = t / kLane * kLane;
    const T* const column = decay_.column(t / kLane);
    const T row = decay_.row(t);
    T *const product = products_[t], *const score = scores_[t], *const dscore = dscores_[t], *const kl = kl_[t];
    Vec<T> sum{};
    for (int64_t j = 0; j < own; j += kLane) {
      const Vec<T> l = row * load(column + j), k = load(score + j), dk = load(product + j) * l;
      store(kl + j, k * l);
      store(dscore + j, load(dscore + j) + dk);
      const Vec<T> below = load(below_ + j) + dk * k;
      store(below_ + j, below);
      sum += below;
    }
    const Vec<T> l = decay_.diagonal(t), k = load(score + own), dk = load(product + own) * l;
    store(kl + own, k * l);
    store(dscore + own, load(dscore + own) + dk);
    const auto before = lane < static_cast<T>(t - own);
    const Vec<T> below = load(below_ + own) + (before ? dk * k : Vec<T>{});
    store(below_ + own, below);
    dlog_[t] = lane_sum<T>(sum + (before ? below : Vec<T>{}));
  }
}

/// dc += from_start · dy Sᵀ and, from it, what each token's output owes to the decay since the chunk's start.
template <class T>
void ChunkBackward<T>::through_start_state(int64_t h) {
  const Rows<T> state{scan_.block(scan_.states, sequence_, h, chunk_), dim_};
  const Arena::Scope scope(arena_);
  transpose(scan_.shape.d_state, scan_.shape.head_dim, read(state), state_turned_);
  small_product(Part::whole, count_, state_, scan_.shape.head_dim, left(dy_), read(state_turned_), per_head_state_,
                false);
  for (int64_t t = 0; t < count_; ++t) {
    const T from_start = decay_.from_start()[t];
    start_terms_[t] = from_start * row_dot(c_[t], per_head_state_[t], state_);
    for (int64_t n = 0; n < state_; n += kLane)
      store(dc_[t] + n, load(dc_[t] + n) + from_start * load(per_head_state_[t] + n));
  }
}

/// With R the gradient of the state at the chunk's end: v = to_end · B R, db += (to_end dt x) Rᵀ, and what each token's
/// input owes to the decay until the chunk's end.
template <class T>
void ChunkBackward<T>::through_end_state(int64_t h) {
  const Rows<T> end{scan_.block(args_.end_gradients, sequence_, h, chunk_), dim_};
  small_product(Part::whole, count_, dim_, scan_.shape.d_state, left(b_), read(end), v_, false);
  const T* const to_end = decay_.to_end();
  const auto scale = [&](int64_t t) { return to_end[t]; };
  pack_rows(count_, dim_, read(v_), v_, scale);
  pack_rows(count_, dim_, read(input_), weighted_, scale);
  for (int64_t t = 0; t < count_; ++t) end_terms_[t] = row_dot(input_[t], v_[t], dim_);
  transpose(scan_.shape.d_state, scan_.shape.head_dim, read(end), state_turned_);
  small_product(Part::whole, count_, state_, scan_.shape.head_dim, left(weighted_), read(state_turned_), db_, true);
}

/// v_ is the gradient of dt x: dx = dt v + d dy, din = x · v.
template <class T>
void ChunkBackward<T>::input_gradient(int64_t h) {
  const Rows<T> dx = scan_.head(args_.dx, sequence_, chunk_, h);
  const T skip = scan_.d[h];
  for (int64_t t = 0; t < count_; ++t) {
    din_[t] = row_dot(x_[t], v_[t], dim_);
    for (int64_t p = 0; p < scan_.shape.head_dim; ++p) dx[t][p] = dt_[t] * v_[t][p] + skip * dy_[t][p];
  }
}

/// dlog_t, the gradient of dt_t A, gets its terms across the chunk's ends; then dt, its bias and A.
template <class T>
void ChunkBackward<T>::finish_dt(int64_t h, ParameterSums<T>& sums) {
  if (scan_.has_state(chunk_)) {
    T after = 0;
    for (int64_t t = count_; t-- > 0;) dlog_[t] += after += start_terms_[t];
  }
  if (args_.has_end(chunk_)) {
    T before = 0;
    for (int64_t t = 0; t < count_; before += end_terms_[t++]) dlog_[t] += before;
  }
  if (scan_.has_state(chunk_) && args_.has_end(chunk_)) {
    const T through =
        decay_.whole() * row_dot(scan_.block(scan_.states, sequence_, h, chunk_),
                                 scan_.block(args_.end_gradients, sequence_, h, chunk_), scan_.state_size());
    for (int64_t t = 0; t < count_; ++t) dlog_[t] += through;
  }
  const T a = scan_.a(h);
  const int64_t first = scan_.first_row(sequence_, chunk_);
  sums.a = sums.dt_bias = 0;
  for (int64_t t = 0; t < count_; ++t) {
    const T slope = -std::expm1(-dt_[t]);  // softplus' = sigmoid = 1 - e^-softplus
    const T ddt = (a * dlog_[t] + din_[t]) * slope;
    args_.ddt_raw(first + t, h) = ddt;
    sums.dt_bias += ddt;
    sums.a += dlog_[t] * dt_[t];
  }
}

template <class T>
void add_parameter_sums(const Scan<T>& scan, const ParameterSums<T>* sums, const SsdGradients& gradients) {
  const SsdShape& s = scan.shape;
  for (int64_t h = 0; h < s.heads; ++h) {
    double a = 0, dt_bias = 0, d = 0;
    for (int64_t i = 0; i < s.sequences * s.chunks(); ++i) {
      const ParameterSums<T>& one = sums[i * s.heads + h];
      a += one.a, dt_bias += one.dt_bias, d += one.d;
    }
    gradients.a_log.as<T>()[h] += static_cast<T>(a * scan.a(h));
    gradients.dt_bias.as<T>()[h] += static_cast<T>(dt_bias);
    gradients.d.as<T>()[h] += static_cast<T>(d);
  }
}

}  // namespace

template <class T>
void scan_backward(const SsdShape& shape, const SsdInputs& in, const SsdSaved& saved, const Tensor& dy,
                   const SsdGradients& gradients, Arena& arena) {
  const Arena::Scope scope(arena);
  const Scan<T> scan(shape, in, saved);
  static_assert(sizeof(ParameterSums<T>) == 3 * sizeof(T));
  auto* const sums =
      reinterpret_cast<ParameterSums<T>*>(take<T>(arena, 3 * shape.sequences * shape.chunks() * shape.heads));
  T* const ends = take<T>(arena, shape.sequences * shape.heads * shape.chunks() * scan.state_size());
  const BackwardArgs<T> args{scan,
                             dy.view<const T, 2>(),
                             gradients.x.view<T, 2>(),
                             gradients.b.view<T, 2>(),
                             gradients.c.view<T, 2>(),
                             gradients.dt_raw.view<T, 2>(),
                             ends,
                             sums};
  for_each_task(shape.sequences, shape.heads, 1,
                [&](int64_t sequence, int64_t h, int64_t) { walk_back(args, sequence, h); });
  for_each_task(shape.sequences, shape.chunks(), shape.groups, [&](int64_t sequence, int64_t chunk, int64_t g) {
    Arena& own = thread_arena();
    const Arena::Scope task(own);
    ChunkBackward<T>(args, own, sequence, chunk, g).run();
  });
  add_parameter_sums(scan, sums, gradients);
}

template void scan_backward<float>(const SsdShape&, const SsdInputs&, const SsdSaved&, const Tensor&,
                                   const SsdGradients&, Arena&);
template void scan_backward<double>(const SsdShape&, const SsdInputs&, const SsdSaved&, const Tensor&,
                                    const SsdGradients&, Arena&);

}  // namespace hyscale::kernels
