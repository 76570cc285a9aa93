#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/spec/run_config.h"

namespace hyscale::parallel {

/// How decoding is timed: the protocol of arXiv 2510.04800, section 5: a batch of prompts is read and written on to a
/// total length.
struct DecodeBenchPlan {
  int64_t batch = 4;
  int64_t prompt = 512;  // tokens of each
  int64_t total = 2048;  // prompt and what is written, of each
  int64_t piece = 2048;  // tokens of one forward pass over prompts
};

struct DecodeBench {
  int64_t parameters = 0;
  double prefill_seconds = 0;         // to the first token
  std::vector<double> token_seconds;  // of each step behind it, which writes one token of every sequence
  double weight_bytes = 0;            // what a step reads of them: all, the embedding as head
  double cache_bytes = 0;             // of all sequences at the end, as measured
  double mean_cache_bytes = 0;        // over the steps, by the accounting
  double read_rate = 0;               // bytes/s that all threads read from memory, measured in the same run

  double decode_seconds() const;
  /// Generated tokens over the whole time, prefill included: what the paper prints.
  double tokens_per_second(const DecodeBenchPlan& plan) const;
  double step_quantile(double q) const;  // seconds
  /// What reading weights and caches once a step would take, of what the steps took.
  double share_of_floor() const;
};

/// Random weights and prompts, on the CPU in fp32. `progress` is called with the tokens written of each sequence.
DecodeBench bench_decode(const spec::ModelConfig& config, const DecodeBenchPlan& plan,
                         const std::function<void(int64_t)>& progress);

}  // namespace hyscale::parallel
