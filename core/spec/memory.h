#pragma once

#include <cstdint>

#include "core/spec/run_config.h"

namespace hyscale::spec {

/// What memory depends on beside the model.
struct ExecutionShape {
  int64_t tp = 1;           // ranks that hold a part of the model each
  int64_t dp = 1;           // ranks that share the optimizer's state (ZeRO-1)
  int64_t micro_batch = 1;  // sequences of one forward pass on one rank
  Precision precision = Precision::fp32;
  bool gpu = false;  // its kernels work on the logits of more tokens at once and keep fewer SSM states
  Recompute recompute = Recompute::none;
};

/// Bytes of one rank while it trains, each category exact to the rounding of allocations (a test holds them against
/// what is allocated). Not in it: the process itself, the batch, tables of rotary positions, the threads' own tiles.
struct MemoryBytes {
  double weights = 0;      // fp32, and a copy in the compute dtype where that is another
  double gradients = 0;    // fp32, of all parameters on every rank
  double optimizer = 0;    // AdamW's two moments in fp32, a 1/dp share, and the exchange buffers of an uneven split
  double activations = 0;  // kept from forward for backward
  double scratch = 0;      // the most beyond that: gradients of activations, logits of a chunk of tokens
  double total() const { return weights + gradients + optimizer + activations + scratch; }
};

/// Training on sequences of `model.context` tokens; of tp ranks with unequal parts the one that needs most.
MemoryBytes memory_per_rank(const ModelConfig& model, const ExecutionShape& shape);

/// Share of a GPU's memory that a model may take; the rest is for CUDA's own context, libraries and holes between
/// blocks.
inline constexpr double kUsableGpuMemory = 0.92;

/// Sequences of one forward pass on a CPU when nobody says otherwise: about 16,384 tokens keep the caches warm.
int64_t usual_micro_batch(int64_t context);

/// The largest micro-batch of at most `most` sequences that trains in `bytes` of GPU memory; 1 when not even that fits.
int64_t fitting_micro_batch(const ModelConfig& model, ExecutionShape shape, int64_t most, double bytes);

}  // namespace hyscale::spec
