#include "parallel/train_state.h"

#include <algorithm>
#include <deque>

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
                                          const WorkDevice& device, Collective& ranks) {
  if (device.gpu != nullptr) return std::make_unique<GpuOptimizer>(parameters, config, *device.gpu);
  return std::make_unique<ShardedOptimizer>(parameters, config, ranks);
}

}  // namespace

TrainState::TrainState(const spec::RunConfig& config, const WorkDevice& device, Collective& ranks,
                       spec::Recompute recompute)
    : ranks_(ranks),
      model_(config.model, device.compute, {}, device.context()),
      optimizer_(make_optimizer(model_.parameters(), config.train.optimizer, device, ranks)) {
  model_.recompute(recompute);
}

TrainState::StepResult TrainState::finish_step(int64_t step, double lr) {
  optimizer_->step(step, lr);
  StepResult result{.nll = model_.take_loss(), .gradient_norm = optimizer_->gradient_norm()};
  ranks_.all_reduce_sum(std::span(&result.nll, 1));
  return result;
}

void TrainState::initialise(int64_t seed) {
  model_.parameters().initialise(static_cast<uint64_t>(seed));
  model_.parameters().clear_gradients();
}

/// Fills `flat`, laid out like the parameters, with the checkpoint's arrays of one kind.
static void read_arrays(const storage::CheckpointReader& checkpoint, const char* kind,
                        const model::ParameterTable& parameters, std::span<float> flat) {
  for (const model::Parameter& p : parameters.all()) {
    std::vector<float> dense(static_cast<size_t>(p.spec.count()));
    checkpoint.read(kind + p.spec.name, dense);
    scatter(dense, flat, p);
  }
}

void load_weights(const storage::CheckpointReader* checkpoint, model::ParameterTable& parameters, Collective& ranks) {
  std::vector<float> weights(static_cast<size_t>(parameters.weights().numel()));
  if (checkpoint != nullptr) read_arrays(*checkpoint, kWeights, parameters, weights);
  ranks.broadcast(std::as_writable_bytes(std::span(weights)), 0);
  parameters.set_weights(weights);
}

void TrainState::load(const storage::CheckpointReader* checkpoint) {
  model::ParameterTable& parameters = model_.parameters();
  load_weights(checkpoint, parameters, ranks_);
  std::vector<float> m(static_cast<size_t>(parameters.weights().numel())), v(m.size());
  if (checkpoint != nullptr) {
    read_arrays(*checkpoint, kFirstMoment, parameters, m);
    read_arrays(*checkpoint, kSecondMoment, parameters, v);
  }
  for (const std::span<float> values : {std::span(m), std::span(v)})
    ranks_.broadcast(std::as_writable_bytes(values), 0);
  optimizer_->set_moments(m, v);
  parameters.clear_gradients();
}

void TrainState::save(const std::string& path, const storage::CheckpointInfo& info) {
  std::vector<float> m = optimizer_->gather_m(), v = optimizer_->gather_v();
  if (ranks_.rank() != 0) return;
  std::vector<float> weights = model_.parameters().host_weights();
  std::deque<std::vector<float>> values;  // a deque: `arrays` looks at what is in it
  std::vector<storage::NamedArray> arrays;
  for (const model::Parameter& p : model_.parameters().all()) {
    const auto add = [&](const char* kind, std::span<float> flat) {
      arrays.push_back({kind + p.spec.name, p.spec.shape, values.emplace_back(gathered(flat, p))});
    };
    add(kWeights, weights);
    add(kFirstMoment, m);
    add(kSecondMoment, v);
  }
  storage::write_checkpoint(path, info, arrays);
}

}  // namespace hyscale::parallel
