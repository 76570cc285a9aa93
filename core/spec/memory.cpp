#include "core/spec/memory.h"

#include <algorithm>

#include "core/spec/accounting.h"
#include "core/spec/split.h"

namespace hyscale::spec {

static double bytes_of(int64_t elements, double size) { return size * static_cast<double>(elements); }

static int64_t whole(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Of the flat arrays: matrices by stored rows, the whole padded to 64.
static int64_t flat_elements(const ModelConfig& model, Shard part) {
  int64_t elements = 0;
  for (const ParameterSpec& p : parameter_list(model, part))
    elements += p.shape.size() == 2 ? p.shape[0] * stored_row(p.shape[1]) : p.count();
  return whole(elements, 64);
}

// The head works through chunks of tokens, 128 at least: 2^21 logits, on a GPU 2^28.
static int64_t logit_elements(int64_t tokens, int64_t vocabulary, bool gpu) {
  const int64_t logits = int64_t{1} << (gpu ? 28 : 21);
  const int64_t chunk = std::min(tokens, std::max<int64_t>(128, logits / vocabulary / 16 * 16));
  return chunk * stored_row(whole(vocabulary, 16));
}

namespace {

/// Bytes of eight-bit products: the rows of all projections, kept turned; of the widest, the gradients of its outputs
/// as they lie and turned, and its weight.
struct Float8Bytes {
  double kept = 0, scratch = 0;
};

Float8Bytes float8_bytes(const ModelConfig& model, Shard part, int64_t tokens) {
  Float8Bytes sum;
  for (const ParameterSpec& p : parameter_list(model, part)) {
    if (p.shape.size() != 2 || p.name == "embedding.weight") continue;
    sum.kept += bytes_of(tokens * p.shape[1], 1);
    sum.scratch = std::max(sum.scratch, bytes_of(2 * tokens * p.shape[0] + p.count(), 1));
  }
  return sum;
}

/// Elements of the arena, summed up as Model runs through the stack.
struct ArenaElements {
  int64_t tokens, row;  // row: of the residual stream
  bool gpu;
  bool swiglu_again;                        // recomputed
  int64_t kept = 0, wide = 0, scratch = 0;  // wide: in fp32

  // The normed row and its scale; the stream behind it unless it is the one before.
  void norm(bool first) {
    kept += tokens * (first ? row : 2 * row);
    wide += tokens;
  }
  void layer(const BlockConfig& block, Shard part, int64_t d_model, int64_t sequences, bool first) {
    const int64_t norm_sums = whole(tokens, 128) / 128 * d_model;
    norm(first);
    const ActivationSize mixer = mixer_part(block, part)->activations(sequences, tokens / sequences);
    kept += mixer.kept + (gpu ? mixer.gpu_scan_states : 0);
    wide += mixer.statistics + (gpu ? 0 : mixer.scan_states);
    scratch = std::max({scratch, mixer.scratch, norm_sums});
    if (!block.ffn) return;
    norm(false);
    const int64_t d_ff = even_share(block.ffn->d_ff, part).count, hidden = tokens * stored_row(d_ff);
    kept += tokens * stored_row(2 * d_ff) + (swiglu_again ? 0 : hidden);
    scratch = std::max(scratch, swiglu_again ? 2 * hidden : hidden);
  }
};

}  // namespace

static MemoryBytes memory_of(const ModelConfig& model, const ExecutionShape& shape, Shard part) {
  const double element = shape.precision == Precision::fp32 ? 4 : 2;
  const double copy = shape.precision == Precision::fp32 ? 0 : 2;
  const int64_t flat = flat_elements(model, part), shard = (flat + shape.dp - 1) / shape.dp;
  const int64_t exchanged = shard * shape.dp != flat ? 2 * shard * shape.dp : 0;
  ArenaElements arena{.tokens = shape.micro_batch * model.context,
                      .row = stored_row(model.d_model),
                      .gpu = shape.gpu,
                      .swiglu_again = shape.recompute == Recompute::swiglu};
  arena.kept = 2 * arena.tokens * arena.row;  // the embedding's rows, and a layer's output
  for (size_t n = 0; n < model.stack.size(); ++n)
    arena.layer(model.stack[n], part, model.d_model, shape.micro_batch, n == 0);
  arena.norm(model.stack.empty());
  const int64_t gradient_row = arena.tokens * arena.row;  // of the final rows, then of every layer's input
  const double head =
      bytes_of(logit_elements(arena.tokens, even_share(model.vocabulary, part).count, shape.gpu), element) +
      bytes_of(arena.tokens, 8);
  const Float8Bytes float8 =
      shape.precision == Precision::fp8 ? float8_bytes(model, part, arena.tokens) : Float8Bytes{};
  const double backward = bytes_of(gradient_row + arena.scratch, element) + float8.scratch;
  return {.weights = bytes_of(flat, 4 + copy),
          .gradients = bytes_of(flat, 4),
          .optimizer = bytes_of(2 * shard + exchanged, 4),
          .activations = bytes_of(arena.kept, element) + bytes_of(arena.wide, 4) + float8.kept,
          .scratch = bytes_of(gradient_row, element) + std::max(head, backward)};
}

MemoryBytes memory_per_rank(const ModelConfig& model, const ExecutionShape& shape) {
  MemoryBytes most;
  for (int rank = 0; rank < shape.tp; ++rank) {
    const MemoryBytes own = memory_of(model, shape, {rank, static_cast<int>(shape.tp)});
    if (own.total() > most.total()) most = own;
  }
  return most;
}

int64_t usual_micro_batch(int64_t context) { return std::max<int64_t>(1, 16384 / context); }

int64_t fitting_micro_batch(const ModelConfig& model, ExecutionShape shape, int64_t most, double bytes) {
  const auto fits = [&](int64_t micro_batch) {
    shape.micro_batch = micro_batch;
    return memory_per_rank(model, shape).total() <= kUsableGpuMemory * bytes;
  };
  int64_t fitting = 1, too_many = std::max<int64_t>(most, 1) + 1;  // more sequences never take less
  while (too_many - fitting > 1) {
    const int64_t middle = fitting + (too_many - fitting) / 2;
    (fits(middle) ? fitting : too_many) = middle;
  }
  return fitting;
}

}  // namespace hyscale::spec
