#include "core/spec/memory.h"

#include <algorithm>

#include "core/spec/accounting.h"

namespace hyscale::spec {

static double bytes_of(int64_t elements, double size) { return size * static_cast<double>(elements); }

static int64_t whole(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Of the flat arrays: matrices by stored rows, the whole padded to 64.
static int64_t flat_elements(const ModelConfig& model) {
  int64_t elements = 0;
  for (const ParameterSpec& p : parameter_list(model))
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
  void layer(const BlockConfig& block, int64_t d_model, int64_t sequences, bool first) {
    const int64_t norm_sums = whole(tokens, 128) / 128 * d_model;
    norm(first);
    const ActivationSize mixer = block.mixer->activations(sequences, tokens / sequences);
    kept += mixer.kept + (gpu ? mixer.gpu_scan_states : 0);
    wide += mixer.statistics + (gpu ? 0 : mixer.scan_states);
    scratch = std::max({scratch, mixer.scratch, norm_sums});
    if (!block.ffn) return;
    norm(false);
    const int64_t hidden = tokens * stored_row(block.ffn->d_ff);
    kept += tokens * stored_row(2 * block.ffn->d_ff) + (swiglu_again ? 0 : hidden);
    scratch = std::max(scratch, swiglu_again ? 2 * hidden : hidden);
  }
};

}  // namespace

MemoryBytes memory_per_rank(const ModelConfig& model, const ExecutionShape& shape) {
  const double element = shape.precision == Precision::fp32 ? 4 : 2;
  const double copy = shape.precision == Precision::fp32 ? 0 : shape.precision == Precision::bf16 ? 2 : 1;
  const int64_t flat = flat_elements(model), shard = (flat + shape.dp - 1) / shape.dp;
  const int64_t exchanged = shard * shape.dp != flat ? 2 * shard * shape.dp : 0;
  ArenaElements arena{.tokens = shape.micro_batch * model.context,
                      .row = stored_row(model.d_model),
                      .gpu = shape.gpu,
                      .swiglu_again = shape.recompute == Recompute::swiglu};
  arena.kept = 2 * arena.tokens * arena.row;  // the embedding's rows, and a layer's output
  for (size_t n = 0; n < model.stack.size(); ++n) arena.layer(model.stack[n], model.d_model, shape.micro_batch, n == 0);
  arena.norm(model.stack.empty());
  const int64_t gradient_row = arena.tokens * arena.row;  // of the final rows, then of every layer's input
  const double head =
      bytes_of(logit_elements(arena.tokens, model.vocabulary, shape.gpu), element) + bytes_of(arena.tokens, 8);
  const double backward = bytes_of(gradient_row + arena.scratch, element);
  return {.weights = bytes_of(flat, 4 + copy),
          .gradients = bytes_of(flat, 4),
          .optimizer = bytes_of(2 * shard + exchanged, 4),
          .activations = bytes_of(arena.kept, element) + bytes_of(arena.wide, 4),
          .scratch = bytes_of(gradient_row, element) + std::max(head, backward)};
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
