#include <algorithm>
#include <bit>
#include <cudnn_frontend.h>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/error.h"
#include "core/kernels/cuda/attention_paths.h"
#include "core/tensor/cuda/cuda_context.h"

namespace hyscale::kernels::cuda {
namespace {

namespace fe = cudnn_frontend;

// Older ones fail in recorded graphs, or copy lengths from the host where these are no multiples of 128.
constexpr size_t kOldestVersion = 91501;
// Of the deterministic backward pass, whose workspace grows with the square of the length.
constexpr int64_t kMostWorkspace = int64_t{2} << 30;

void check(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS)
    throw Error(ExitCode::failed, {{.what = fmt::format("{}: cuDNN says \"{}\"", what, cudnnGetErrorString(status))}});
}

enum Id : int64_t { kQ = 1, kK, kV, kOut, kLse, kDout, kDq, kDk, kDv };

// A tensor of a graph: [sequences, length, heads, dim], or lse [sequences, heads, length].
struct Operand {
  Id id;
  Tensor tensor;
};
using Operands = std::vector<Operand>;

struct Plan {
  fe::graph::Graph graph;
  int64_t workspace = 0;  // bytes
};

struct Options {
  bool backward = false;
  bool deterministic = false;
  float scale = 1;
  int64_t window = 0;
};

using Attributes = std::shared_ptr<fe::graph::Tensor_attributes>;

// cuDNN's order of axes is [sequences, heads, length, dim].
void describe(fe::graph::Tensor_attributes& attributes, const Operand& operand) {
  const Tensor& t = operand.tensor;
  attributes.set_uid(operand.id);
  if (operand.id == kLse) {
    const int64_t heads = t.extent(1), length = t.extent(2);
    attributes.set_data_type(fe::DataType_t::FLOAT)
        .set_dim({t.extent(0), heads, length, 1})
        .set_stride({heads * length, length, 1, 1});
    return;
  }
  attributes.set_data_type(fe::DataType_t::BFLOAT16)
      .set_dim({t.extent(0), t.extent(2), t.extent(1), t.extent(3)})
      .set_stride({t.stride(0), t.stride(2), t.stride(1), 1});
}

Attributes input(fe::graph::Graph& graph, const Operand& operand) {
  fe::graph::Tensor_attributes attributes;
  describe(attributes, operand);
  return graph.tensor(attributes);
}

void output(const Attributes& attributes, const Operand& operand) {
  attributes->set_output(true);
  describe(*attributes, operand);
}

// A query sees the keys in (query - left bound, query].
template <class Sdpa>
void set_mask(Sdpa& sdpa, const Options& options) {
  sdpa.set_attn_scale(options.scale)
      .set_diagonal_alignment(fe::DiagonalAlignment_t::TOP_LEFT)
      .set_diagonal_band_right_bound(0);
  if (options.window > 0) sdpa.set_diagonal_band_left_bound(static_cast<int>(options.window));
}

// Operands: q, k, v, out, lse.
void describe_forward(fe::graph::Graph& graph, const Options& options, const Operands& operands) {
  auto sdpa = fe::graph::SDPA_attributes().set_name("attention").set_generate_stats(true);
  set_mask(sdpa, options);
  const auto [out, lse] =
      graph.sdpa(input(graph, operands[0]), input(graph, operands[1]), input(graph, operands[2]), sdpa);
  output(out, operands[3]);
  output(lse, operands[4]);
}

// Operands: q, k, v, out, lse, dout, dq, dk, dv.
void describe_backward(fe::graph::Graph& graph, const Options& options, const Operands& operands) {
  auto sdpa = fe::graph::SDPA_backward_attributes()
                  .set_name("attention_backward")
                  .set_deterministic_algorithm(options.deterministic);
  set_mask(sdpa, options);
  const auto [dq, dk, dv] =
      graph.sdpa_backward(input(graph, operands[0]), input(graph, operands[1]), input(graph, operands[2]),
                          input(graph, operands[3]), input(graph, operands[5]), input(graph, operands[4]), sdpa);
  output(dq, operands[6]);
  output(dk, operands[7]);
  output(dv, operands[8]);
}

// Building loads modules and may allocate, which a recording elsewhere forbids.
class RelaxedCapture {
 public:
  RelaxedCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  ~RelaxedCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

// cuDNN's plans of one GPU, built at first use. What it refused stays refused.
class AttentionPlans {
 public:
  explicit AttentionPlans(CudaContext& context) {
    const RelaxedCapture relaxed;
    check(cudnnCreate(&handle_), "opening cuDNN");
    check(cudnnSetStream(handle_, context.stream()), "giving cuDNN its stream");
  }
  ~AttentionPlans() { cudnnDestroy(handle_); }
  AttentionPlans(const AttentionPlans&) = delete;
  AttentionPlans& operator=(const AttentionPlans&) = delete;

  /// Null when cuDNN cannot do it.
  const Plan* find(const Options& options, const Operands& operands) {
    const auto [at, is_new] = plans_.try_emplace(key_of(options, operands));
    if (is_new) at->second = build(options, operands);
    return at->second.get();
  }

  void execute(const Plan& plan, const Operands& operands, Arena& arena) const {
    const Arena::Scope scope(arena);
    const Tensor workspace = arena.tensor(DType::i32, {(plan.workspace + 3) / 4});
    std::unordered_map<int64_t, void*> pointers;
    for (const Operand& operand : operands) pointers.emplace(operand.id, operand.tensor.data());
    fe::error_t status = plan.graph.execute(handle_, pointers, workspace.data());
    if (status.is_bad())
      throw Error(ExitCode::failed, {{.what = "attention: cuDNN says \"" + status.get_message() + "\""}});
  }

 private:
  using Key = std::vector<int64_t>;

  static Key key_of(const Options& options, const Operands& operands) {
    Key key{options.backward, options.deterministic, std::bit_cast<int32_t>(options.scale), options.window};
    for (const Operand& operand : operands)
      for (int axis = 0; axis < operand.tensor.rank(); ++axis) {
        key.push_back(operand.tensor.extent(axis));
        key.push_back(operand.tensor.stride(axis));
      }
    return key;
  }

  std::unique_ptr<Plan> build(const Options& options, const Operands& operands) const {
    const RelaxedCapture relaxed;
    auto plan = std::make_unique<Plan>();
    plan->graph.set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    if (options.backward)
      describe_backward(plan->graph, options, operands);
    else
      describe_forward(plan->graph, options, operands);
    if (plan->graph.build(handle_, {fe::HeurMode_t::A}).is_bad()) return nullptr;
    if (plan->graph.get_workspace_size(plan->workspace).is_bad()) return nullptr;
    return plan;
  }

  cudnnHandle_t handle_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

int64_t window_of(const AttentionArgs& a) { return a.mask.window >= a.q.extent(1) ? 0 : a.mask.window; }

// What no plan needs to be built for to know.
bool possible(const AttentionArgs& a) {
  if (a.q.dtype() != DType::bf16 || !a.document_begins.empty() || !a.lse.is_dense() || a.lse.dtype() != DType::f32)
    return false;
  if (window_of(a) > 0 && a.mask.sinks > 0) return false;
  const int64_t dim = a.q.extent(3), value_dim = a.v.extent(3);
  if (std::min(dim, value_dim) < 16 || std::max(dim, value_dim) > 256 || a.q.extent(1) == 1) return false;
  return cudnn_version() > 0 && whole_vectors(a.q) && whole_vectors(a.k) && whole_vectors(a.v) && whole_vectors(a.out);
}

Operands operands_of(const AttentionArgs& a) { return {{kQ, a.q}, {kK, a.k}, {kV, a.v}, {kOut, a.out}, {kLse, a.lse}}; }

// Some sequences with all key heads, or some key heads of one sequence, with their query heads.
struct Block {
  int64_t sequence, sequences, kv_head, kv_heads;
};

Operands operands_of(const AttentionBackwardArgs& a, const Block& block) {
  Operands all = operands_of(a.saved);
  for (const Operand& more : Operands{{kDout, a.dout}, {kDq, a.dq}, {kDk, a.dk}, {kDv, a.dv}}) all.push_back(more);
  const int64_t kv_heads = a.saved.k.extent(2);
  for (Operand& operand : all) {
    const int axis = operand.id == kLse ? 1 : 2;
    const int64_t group = operand.tensor.extent(axis) / kv_heads;
    operand.tensor = operand.tensor.slice(0, block.sequence, block.sequences)
                         .slice(axis, block.kv_head * group, block.kv_heads * group);
  }
  return all;
}

// `total` in as few equal steps of at most `most` as can be.
int64_t even_step(int64_t total, int64_t most) {
  const int64_t steps = (total + most - 1) / most;
  return (total + steps - 1) / steps;
}

// Empty: not even one key head fits into the workspace.
std::vector<Block> blocks_of(const AttentionArgs& a, bool deterministic) {
  const int64_t sequences = a.q.extent(0), length = a.q.extent(1), heads = a.q.extent(2), kv_heads = a.k.extent(2);
  if (!deterministic) return {{0, sequences, 0, kv_heads}};
  const int64_t padded = (length + 127) / 128 * 128;
  const int64_t fit = kMostWorkspace / (padded * padded * 2 * (heads / kv_heads));  // key heads
  std::vector<Block> blocks;
  if (fit == 0) return blocks;
  const int64_t by_sequence = fit >= kv_heads ? even_step(sequences, fit / kv_heads) : 1;
  const int64_t by_head = fit >= kv_heads ? kv_heads : even_step(kv_heads, fit);
  for (int64_t s = 0; s < sequences; s += by_sequence)
    for (int64_t h = 0; h < kv_heads; h += by_head)
      blocks.push_back({s, std::min(by_sequence, sequences - s), h, std::min(by_head, kv_heads - h)});
  return blocks;
}

}  // namespace

int64_t cudnn_version() {
  const size_t version = cudnnGetVersion();
  return version < kOldestVersion ? 0 : static_cast<int64_t>(version);
}

bool cudnn_attention(const AttentionArgs& args, const Exec& exec) {
  if (!possible(args)) return false;
  auto& plans = cuda_context(exec).part<AttentionPlans>();
  const Options options{.scale = static_cast<float>(args.scale), .window = window_of(args)};
  const Operands operands = operands_of(args);
  const Plan* const plan = plans.find(options, operands);
  if (plan == nullptr) return false;
  plans.execute(*plan, operands, *exec.arena);
  return true;
}

bool cudnn_attention_backward(const AttentionBackwardArgs& args, const Exec& exec) {
  const AttentionArgs& saved = args.saved;
  if (!possible(saved) || !whole_vectors(args.dq) || !whole_vectors(args.dk) || !whole_vectors(args.dv) ||
      !whole_vectors(args.dout))
    return false;
  // a window with wide heads has given NaN on Hopper
  if (window_of(saved) > 0 && std::max(saved.q.extent(3), saved.v.extent(3)) > 128) return false;
  CudaContext& context = cuda_context(exec);
  auto& plans = context.part<AttentionPlans>();
  const Options options{.backward = true,
                        .deterministic = context.deterministic(),
                        .scale = static_cast<float>(saved.scale),
                        .window = window_of(saved)};
  const std::vector<Block> blocks = blocks_of(saved, options.deterministic);
  std::vector<std::pair<const Plan*, Operands>> work;
  for (const Block& block : blocks) {
    Operands operands = operands_of(args, block);
    const Plan* const plan = plans.find(options, operands);
    if (plan == nullptr) return false;
    work.emplace_back(plan, std::move(operands));
  }
  for (const auto& [plan, operands] : work) plans.execute(*plan, operands, *exec.arena);
  return !work.empty();
}

}  // namespace hyscale::kernels::cuda
