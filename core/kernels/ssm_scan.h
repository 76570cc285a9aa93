#pragma once

#include <cmath>

#include "core/kernels/ssd.h"
#include "core/kernels/ssm_decay.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::kernels {

/// One call of the chunked scan with its tensors typed; shared by forward and backward.
template <class T>
struct Scan {
  static constexpr int64_t kLane = kLanes<T>;

  SsdShape shape;
  View<const T, 2> x, b, c, dt_raw;
  const T *dt_bias, *a_log, *d;
  Tensor document_begins;
  T *dt, *states;
  bool initial;           // a state before the first token
  int64_t padded_dim;     // head_dim in whole vectors
  int64_t padded_state;   // d_state in whole vectors
  int64_t padded_tokens;  // row length of [chunk, chunk] matrices: whole vectors beyond what a block of rows may touch

  Scan(const SsdShape& s, const SsdInputs& in, const SsdSaved& saved)
      : shape(s),
        x(in.x.view<const T, 2>()),
        b(in.b.view<const T, 2>()),
        c(in.c.view<const T, 2>()),
        dt_raw(in.dt_raw.view<const T, 2>()),
        dt_bias(in.dt_bias.as<const T>()),
        a_log(in.a_log.as<const T>()),
        d(in.d.as<const T>()),
        document_begins(in.document_begins),
        dt(saved.dt.as<T>()),
        states(saved.states.as<T>()),
        initial(in.initial_state.data() != nullptr),
        padded_dim(round_up(s.head_dim, kLane)),
        padded_state(round_up(s.d_state, kLane)),
        padded_tokens(round_up(s.chunk + kProductRows, kLane)) {}

  T a(int64_t head) const { return -std::exp(a_log[head]); }
  int64_t count(int64_t chunk) const { return std::min(shape.chunk, shape.length - chunk * shape.chunk); }
  typename ChunkDecay<T>::Tokens tokens(int64_t sequence, int64_t chunk) const {
    return {chunk * shape.chunk, count(chunk), DocumentBegins(document_begins, sequence)};
  }
  int64_t first_row(int64_t sequence, int64_t chunk) const { return sequence * shape.length + chunk * shape.chunk; }
  int64_t heads_of_group() const { return shape.heads / shape.groups; }

  /// A head's (a group's) columns of `rows` from the chunk's first token on.
  template <class U>
  Rows<U> head(const View<U, 2>& rows, int64_t sequence, int64_t chunk, int64_t h) const {
    return {&rows(first_row(sequence, chunk), h * shape.head_dim), rows.stride(0)};
  }
  template <class U>
  Rows<U> group(const View<U, 2>& rows, int64_t sequence, int64_t chunk, int64_t g) const {
    return {&rows(first_row(sequence, chunk), g * shape.d_state), rows.stride(0)};
  }
  T* dt_of(int64_t sequence, int64_t h, int64_t chunk) const {
    return dt + (sequence * shape.heads + h) * shape.length + chunk * shape.chunk;
  }
  int64_t state_size() const { return shape.d_state * padded_dim; }
  bool has_state(int64_t chunk) const { return chunk > 0 || initial; }
  /// A [d_state, padded_dim] block per (sequence, head, chunk) in an array laid out like `states`.
  T* block(T* array, int64_t sequence, int64_t h, int64_t chunk) const {
    return array + ((sequence * shape.heads + h) * shape.chunks() + chunk) * state_size();
  }
};

/// Runs task(sequence, middle, last) over sequences × middles × lasts on all threads, one task at a time.
template <class F>
void for_each_task(int64_t sequences, int64_t middles, int64_t lasts, F&& task) {
  parallel_for(sequences * middles * lasts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) task(i / lasts / middles, i / lasts % middles, i % lasts);
  });
}

}  // namespace hyscale::kernels
