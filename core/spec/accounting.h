#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/spec/run_config.h"

namespace hyscale::spec {

/// Exact counts, norms and biases included.
struct ParameterCounts {
  int64_t total = 0;          // the tied matrix counted once
  int64_t non_embedding = 0;  // N of six_n, sizes and fits unless said otherwise
  int64_t without_head = 0;   // total less an untied head
  int64_t active = 0;         // used by one token
};

/// FLOPs of training on one token (forward + backward), under the four conventions.
struct FlopsPerToken {
  double paper = 0;      // 6 × (non-embedding parameters, norms left out) + mixer terms: no head
  double with_head = 0;  // paper + 6 × vocabulary × d_model: budgets, MFU and fits unless said otherwise
  double executed = 0;   // what our kernels do: matrix products, causal pairs, chunked SSD, recomputation, head
  double six_n = 0;      // 6 × non_embedding
};

/// Decode-time state of one sequence. SSM states are fp32 always, the other parts of the compute dtype.
struct CacheBytes {
  double paper_bf16 = 0;  // the paper's formula, bytes of one sequence
  double actual = 0;      // what our caches hold: keys, values and convolution tail in `precision`, states in fp32
  int64_t kv_elements = 0, conv_elements = 0, state_elements = 0;
  double fp32() const { return 4.0 * static_cast<double>(kv_elements + conv_elements + state_elements); }
  double bf16() const {
    return 2.0 * static_cast<double>(kv_elements + conv_elements) + 4.0 * static_cast<double>(state_elements);
  }
};

struct LayerAccount {
  std::string name;   // mixer block's name
  std::string mixer;  // its kind
  int64_t mixer_parameters = 0;
  int64_t ffn_parameters = 0;
  double mixer_flops = 0;  // paper term beyond 6 × parameters, per token
  double cache_bytes = 0;  // of one sequence, actual
};

struct Account {
  ParameterCounts params;
  FlopsPerToken train_flops_per_token;
  CacheBytes cache_bytes_per_sequence;
  std::vector<LayerAccount> layers;
};
Account account(const ModelConfig& model);  // at the training context, caches in fp32
Account account(const ModelConfig& model, int64_t context, Precision precision = Precision::fp32);

/// Every parameter of the model in allocation order, full names.
std::vector<ParameterSpec> parameter_list(const ModelConfig& model);
/// Those of one tensor-parallel rank: parts of the same tensors, under the same names and in the same order.
std::vector<ParameterSpec> parameter_list(const ModelConfig& model, Shard shard);

}  // namespace hyscale::spec
