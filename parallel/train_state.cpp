#include "parallel/train_state.h"

#include <algorithm>
#include <deque>

#include "core/spec/accounting.h"
#include "parallel/gpu_optimizer.h"
#include "parallel/sharded_optimizer.h"

namespace hyscale::parallel {
namespace {

constexpr const char* kWeights = "weights/";
constexpr const char* kFirstMoment = "optimizer/m/";
constexpr const char* kSecondMoment = "optimizer/v/";

/// One parameter's window on a flat array, as matrix [rows, width].
View<float, 2> rows_of(std::span<float> flat, const model::Parameter& parameter) {
  const Tensor all(flat.data(), DType::f32, Device::cpu, {static_cast<int64_t>(flat.size())});
  const Tensor window = model::window(all, parameter);
  return (window.rank() == 2 ? window : window.reshape({1, window.numel()})).view<float, 2>();
}

std::vector<float> gathered(std::span<float> flat, const model::Parameter& parameter) {
  const auto rows = rows_of(flat, parameter);
  std::vector<float> dense(static_cast<size_t>(parameter.spec.count()));
  for (int64_t i = 0; i < rows.extent(0); ++i)
    std::copy_n(&rows(i, 0), rows.extent(1), dense.begin() + i * rows.extent(1));
  return dense;
}

void scatter(const std::vector<float>& dense, std::span<float> flat, const model::Parameter& parameter) {
  const auto rows = rows_of(flat, parameter);
  for (int64_t i = 0; i < rows.extent(0); ++i)
    std::copy_n(dense.begin() + i * rows.extent(1), rows.extent(1), &rows(i, 0));
}

std::unique_ptr<Optimizer> make_optimizer(model::ParameterTable& parameters, const spec::OptimizerConfig& config,
                                          const WorkDevice& device, const Groups& groups, const Groups* beside) {
  if (device.gpu != nullptr) return std::make_unique<GpuOptimizer>(parameters, config, *device.gpu);
  return std::make_unique<ShardedOptimizer>(parameters, config, groups, beside != nullptr ? &beside->data : nullptr);
}

}  // namespace

TrainState::TrainState(const spec::RunConfig& config, const WorkDevice& device, const Groups& groups,
                       const StepOptions& step, const Groups* beside)
    : groups_(groups),
      context_(device.context()),
      tensor_group_(groups.tensor.size() > 1 ? std::make_unique<HostTensorGroup>(groups.tensor) : nullptr),
      model_(config.model, device.compute, {}, device.context(), tensor_group_.get()),
      optimizer_(make_optimizer(model_.parameters(), config.train.optimizer, device, groups, beside)) {
  model_.recompute(step.recompute);
  model_.run_branches_side_by_side(step.side_by_side);
  model_.multiply_in_float8(device.float8);
}

TrainState::StepResult TrainState::finish_step(int64_t step, double lr) {
  model_.complete_gradients();
  optimizer_->step(step, lr);
  StepResult result{.nll = model_.take_loss(), .gradient_norm = optimizer_->gradient_norm()};
  groups_.data.all_reduce_sum(std::span(&result.nll, 1));
  return result;
}

void TrainState::initialise(int64_t seed) {
  model_.parameters().initialise(static_cast<uint64_t>(seed));
  model_.parameters().clear_gradients();
}

/// Fills `flat`, laid out like the parameters, with this rank's part of the checkpoint's arrays of one kind, which rank
/// 0 reads.
static void read_arrays(const storage::CheckpointReader* checkpoint, const char* kind,
                        const model::ParameterTable& parameters, Collective& ranks, std::span<float> flat) {
  std::vector<float> whole, part;
  for (const model::Parameter& p : parameters.all()) {
    whole.resize(static_cast<size_t>(p.spec.whole_count()));
    part.resize(static_cast<size_t>(p.spec.count()));
    if (checkpoint != nullptr) checkpoint->read(kind + p.spec.name, whole);
    ranks.broadcast(std::as_writable_bytes(std::span(whole)), 0);
    p.spec.for_each_run([&](int64_t here, int64_t there, int64_t count, bool) {
      std::copy_n(whole.begin() + there, count, part.begin() + here);
    });
    scatter(part, flat, p);
  }
}

void load_weights(const storage::CheckpointReader* checkpoint, model::ParameterTable& parameters, Collective& ranks) {
  std::vector<float> weights(static_cast<size_t>(parameters.weights().numel()));
  read_arrays(checkpoint, kWeights, parameters, ranks, weights);
  parameters.set_weights(weights);
}

void TrainState::load(const storage::CheckpointReader* checkpoint) {
  model::ParameterTable& parameters = model_.parameters();
  load_weights(checkpoint, parameters, groups_.world);
  std::vector<float> m(static_cast<size_t>(parameters.weights().numel())), v(m.size());
  read_arrays(checkpoint, kFirstMoment, parameters, groups_.world, m);
  read_arrays(checkpoint, kSecondMoment, parameters, groups_.world, v);
  optimizer_->set_moments(m, v);
  parameters.clear_gradients();
}

/// The whole of parameter `index` from the parts of all ranks of the group. Each in turn shows its part to the others.
static std::vector<float> joined(std::vector<float> part, size_t index,
                                 const std::vector<std::vector<spec::ParameterSpec>>& lists, Collective& ranks) {
  if (ranks.size() == 1) return part;
  std::vector<float> whole(static_cast<size_t>(lists[0][index].whole_count())), shown;
  for (int rank = 0; rank < ranks.size(); ++rank) {
    const spec::ParameterSpec& spec = lists[static_cast<size_t>(rank)][index];
    shown = part;
    shown.resize(static_cast<size_t>(spec.count()));
    ranks.broadcast(std::as_writable_bytes(std::span(shown)), rank);
    spec.for_each_run([&](int64_t here, int64_t there, int64_t count, bool) {
      std::copy_n(shown.begin() + here, count, whole.begin() + there);
    });
  }
  return whole;
}

/// The shards of all ranks, one behind the other, as far as the flat weights reach.
static std::vector<float> all_shards(const std::vector<float>& shard, size_t flat, Collective& ranks) {
  std::vector<float> all(shard.size() * static_cast<size_t>(ranks.size()));
  std::ranges::copy(shard, all.begin() + static_cast<std::ptrdiff_t>(shard.size() * static_cast<size_t>(ranks.rank())));
  ranks.all_gather(all);
  all.resize(flat);
  return all;
}

void TrainState::copy_share(Share& share) const {
  const Tensor& weights = model_.parameters().weights();
  share.weights.resize(static_cast<size_t>(weights.numel()));
  context_.download(share.weights.data(), weights);
  optimizer_->copy_moments(share.m, share.v);
}

void TrainState::write(const Share& share, const std::string& path, const storage::CheckpointInfo& info,
                       const Groups& groups) const {
  std::vector<float> weights = share.weights, m = all_shards(share.m, weights.size(), groups.data),
                     v = all_shards(share.v, weights.size(), groups.data);
  if (groups.data.rank() != 0) return;
  std::vector<std::vector<spec::ParameterSpec>> lists;
  const int tp = groups.tensor.size();
  for (int rank = 0; rank < tp; ++rank) lists.push_back(spec::parameter_list(model_.config(), {rank, tp}));
  std::deque<std::vector<float>> values;  // a deque: `arrays` looks at what is in it
  std::vector<storage::NamedArray> arrays;
  for (size_t i = 0; i < lists[0].size(); ++i) {
    const model::Parameter& p = model_.parameters().all()[i];
    const auto add = [&](const char* kind, std::span<float> flat) {
      std::vector<float> whole = joined(gathered(flat, p), i, lists, groups.tensor);
      if (groups.world.rank() == 0)
        arrays.push_back({kind + p.spec.name, p.spec.whole_shape(), values.emplace_back(std::move(whole))});
    };
    add(kWeights, weights);
    add(kFirstMoment, m);
    add(kSecondMoment, v);
  }
  if (groups.world.rank() == 0) storage::write_checkpoint(path, info, arrays);
}

void TrainState::save(const std::string& path, const storage::CheckpointInfo& info) const {
  Share share;
  copy_share(share);
  write(share, path, info, groups_);
}

}  // namespace hyscale::parallel
