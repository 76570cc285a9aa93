#include "parallel/train_state.h"

namespace hyscale::parallel {
namespace {

constexpr const char* kWeights = "weights/";
constexpr const char* kFirstMoment = "optimizer/m/";
constexpr const char* kSecondMoment = "optimizer/v/";

std::span<float> part(std::span<float> flat, const model::Parameter& parameter) {
  return flat.subspan(static_cast<size_t>(parameter.offset), static_cast<size_t>(parameter.spec.count()));
}

std::span<float> flat_weights(model::ParameterTable& parameters) {
  return {parameters.weights().as<float>(), static_cast<size_t>(parameters.weights().numel())};
}

}  // namespace

TrainState::TrainState(const spec::RunConfig& config, Collective& ranks)
    : ranks_(ranks), model_(config.model, DType::f32), optimizer_(model_.parameters(), config.train.optimizer, ranks) {}

void TrainState::initialise(int64_t seed) {
  model_.parameters().initialise(static_cast<uint64_t>(seed));
  model_.parameters().clear_gradients();
}

void TrainState::load(const storage::CheckpointReader* checkpoint) {
  const std::span<float> weights = flat_weights(model_.parameters());
  std::vector<float> m(weights.size()), v(weights.size());
  if (checkpoint != nullptr) {
    for (const model::Parameter& p : model_.parameters().all()) {
      checkpoint->read(kWeights + p.spec.name, part(weights, p));
      checkpoint->read(kFirstMoment + p.spec.name, part(m, p));
      checkpoint->read(kSecondMoment + p.spec.name, part(v, p));
    }
  }
  for (const std::span<float> values : {weights, std::span(m), std::span(v)})
    ranks_.broadcast(std::as_writable_bytes(values), 0);
  optimizer_.set_moments(m, v);
  model_.parameters().clear_gradients();
}

void TrainState::save(const std::string& path, const storage::CheckpointInfo& info) {
  std::vector<float> m = optimizer_.gather_m(), v = optimizer_.gather_v();
  if (ranks_.rank() != 0) return;
  const std::span<float> weights = flat_weights(model_.parameters());
  std::vector<storage::NamedArray> arrays;
  for (const model::Parameter& p : model_.parameters().all()) {
    arrays.push_back({kWeights + p.spec.name, p.spec.shape, part(weights, p)});
    arrays.push_back({kFirstMoment + p.spec.name, p.spec.shape, part(m, p)});
    arrays.push_back({kSecondMoment + p.spec.name, p.spec.shape, part(v, p)});
  }
  storage::write_checkpoint(path, info, arrays);
}

}  // namespace hyscale::parallel
