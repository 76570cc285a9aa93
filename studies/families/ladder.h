#pragma once

#include <cstdint>

#include "core/spec/mixer_spec.h"
#include "studies/study_spec.h"

namespace hyscale::studies {

/// What all families of one size share.
struct SizeShape {
  int64_t layers = 0;
  spec::MixerScale scale;  // d_model, head widths, state
};

/// The ladder, from 10K to 3B non-embedding parameters N:
///   layers   max(2, round(2 (N / 10⁴)^0.18)): 2 at 10K, 3 at 100K, 5 at 1M, 7 at 10M, 10 at 100M, 16 at 1B, 19 at 3B
///   d_model  √(N / 12 layers), to the nearest multiple of 8 below 64, of 32 below 256, of 64 below 1024, of 128 above;
///            at least 16
///   heads    the widest even head of at most 32 channels (64 from d_model 256 on) that splits d_model into an even
///            number of heads, so that a hybrid block can take half of them; up to 4 query heads share a key/value head
///   Mamba    d_ssm 2 d_model, heads the widest divisor of d_model up to the same limit; d_state 16 up to d_model 64,
///            32 up to 128, 64 up to 512, 128 up to 2048, 256 above
/// d_model and layers of an explicit size are taken as they are.
SizeShape shape_of(const SizeSpec& size);

/// How far d_ff may leave a family from its size: 2 % below 10M parameters, 1 % above.
double tolerance_at(double parameters);

}  // namespace hyscale::studies
