#include "core/mixers/parameters.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/error.h"
#include "core/kernels/cast.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::model {

static int64_t whole(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// Where and in which dtype matrices are computed with: what the flat arrays' layout follows.
namespace {
struct Layout {
  DType dtype;
  Device device;

  // GPUs step through the arrays in pieces that must not cross from one parameter to the next (optim/gpu_adamw.h).
  int64_t unit() const { return device == Device::cuda ? 64 : 1; }
  int64_t stride(const spec::ParameterSpec& p) const {
    return p.shape.size() == 2 ? row_stride(dtype, p.shape[1], device) : p.count();
  }
  int64_t rows(const spec::ParameterSpec& p) const {
    if (p.shape.size() != 2) return 1;
    return device == Device::cuda ? whole(p.shape[0], 8) : p.shape[0];
  }
  int64_t size(const spec::ParameterSpec& p) const { return rows(p) * stride(p); }
};
}  // namespace

static int64_t flat_size(const std::vector<spec::ParameterSpec>& list, Layout layout, int64_t pad) {
  int64_t size = 0;
  for (const spec::ParameterSpec& p : list) size += whole(layout.size(p), layout.unit());
  return whole(size, pad);
}

static Tensor all_rows(const Tensor& flat, const Parameter& parameter) {
  const Tensor part = flat.slice(0, parameter.offset, parameter.size);
  const Shape shape(parameter.spec.shape);
  if (shape.size() != 2) return part.reshape(shape);
  return part.reshape({parameter.size / std::max<int64_t>(1, parameter.stride), parameter.stride})
      .slice(1, 0, shape[1]);
}

Tensor window(const Tensor& flat, const Parameter& parameter) {
  const Tensor all = all_rows(flat, parameter);
  return parameter.spec.shape.size() == 2 ? all.slice(0, 0, parameter.spec.shape[0]) : all;
}

ParameterTable::ParameterTable(std::vector<spec::ParameterSpec> list, DType compute, DeviceContext& context,
                               int64_t pad)
    : context_(&context) {
  const Layout layout{compute, context.device()};
  const Shape flat{flat_size(list, layout, pad)};
  weight_memory_ = OwnedTensor(wide(compute), flat, context.memory());
  gradient_memory_ = OwnedTensor(wide(compute), flat, context.memory());
  if (compute != wide(compute)) rounded_memory_ = OwnedTensor(compute, flat, context.memory());
  weights_ = weight_memory_, gradients_ = gradient_memory_, rounded_ = rounded_memory_;
  int64_t offset = 0;
  parameters_.reserve(list.size());
  for (spec::ParameterSpec& spec : list) {
    const int64_t size = layout.size(spec);
    Parameter p;
    p.spec = std::move(spec), p.offset = offset, p.size = size, p.stride = layout.stride(p.spec);
    const Tensor& read = p.spec.shape.size() == 2 && !rounded_.empty() ? rounded_ : weights_;
    p.weight = window(read, p);
    p.all_weight_rows = all_rows(read, p), p.all_gradient_rows = all_rows(gradients_, p);
    p.gradient = window(gradients_, p);
    offset += whole(size, layout.unit());
    if (!index_.emplace(p.spec.name, parameters_.size()).second)
      throw ShapeError("parameter " + p.spec.name + " is listed twice");
    parameters_.push_back(std::move(p));
  }
}

const Parameter& ParameterTable::at(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw ShapeError("there is no parameter " + name);
  return parameters_[found->second];
}

void ParameterTable::clear_gradients() {
  if (gradients_.device() != Device::cpu) return context_->memory().zero(gradients_.data(), bytes_of(gradients_));
  with_real(gradients_.dtype(), [&]<class T>(T) {
    T* const all = gradients_.as<T>();
    parallel_for(gradients_.numel(), 65536,
                 [&](int64_t begin, int64_t end) { std::fill(all + begin, all + end, T(0)); });
  });
}

std::vector<float> ParameterTable::host_weights() const {
  std::vector<float> flat(static_cast<size_t>(weights_.numel()));
  context_->download(flat.data(), weights_);
  return flat;
}

void ParameterTable::set_weights(std::span<const float> flat) {
  expect_shape("weights", weights_, {static_cast<int64_t>(flat.size())});
  context_->upload(weights_, flat.data());
  round();
}

void ParameterTable::round() {
  if (rounded_.empty()) return;
  kernels::cast({.out = rounded_, .x = weights_}, {.device = weights_.device(), .context = context_});
}

namespace {

// SplitMix64 (Steele, Lea & Flood 2014) used as a counter: draw i is a function of (key, i) alone.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class Draws {
 public:
  Draws(uint64_t seed, const std::string& name) : key_(mix(seed + 0x9e3779b97f4a7c15u)) {
    for (const char c : name) key_ = mix(key_ ^ static_cast<unsigned char>(c)) + 0x9e3779b97f4a7c15u;
  }
  /// In (0, 1): 53 bits, never 0.
  double uniform(int64_t i) const {
    const uint64_t bits = mix(key_ + (static_cast<uint64_t>(i) + 1) * 0x9e3779b97f4a7c15u);
    return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
  }
  /// N(0, 1) by Box & Muller, two uniform draws each.
  double normal(int64_t i) const {
    return std::sqrt(-2 * std::log(uniform(2 * i))) * std::cos(2 * std::numbers::pi * uniform(2 * i + 1));
  }

 private:
  uint64_t key_;
};

double draw(const spec::Init& init, const Draws& draws, int64_t i) {
  const auto between = [&](double a, double b) { return a + (b - a) * draws.uniform(i); };
  switch (init.kind) {
    case spec::InitKind::normal:
      return init.a * draws.normal(i);
    case spec::InitKind::uniform:
      return between(init.a, init.b);
    case spec::InitKind::log_of_uniform:
      return std::log(between(init.a, init.b));
    case spec::InitKind::inverse_softplus_log_uniform: {
      const double value = std::exp(between(std::log(init.a), std::log(init.b)));
      return value + std::log(-std::expm1(-value));
    }
    case spec::InitKind::constant:
      break;
  }
  return init.a;
}

}  // namespace

template <class T>
void ParameterTable::draw(uint64_t seed, T* flat) const {
  for (const Parameter& p : parameters_) {
    const Draws draws(seed, p.spec.name);
    const int64_t width = p.spec.shape.empty() ? 1 : p.spec.shape.back();
    parallel_for(p.spec.count(), 65536, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        flat[p.offset + i / width * p.stride + i % width] =
            static_cast<T>(model::draw(p.spec.init, draws, p.spec.whole_index(i)));
    });
  }
}

void ParameterTable::initialise(uint64_t seed) {
  if (weights_.device() == Device::cpu)
    return with_real(weights_.dtype(), [&]<class T>(T) { draw(seed, weights_.as<T>()), round(); });
  std::vector<float> flat(static_cast<size_t>(weights_.numel()));
  draw(seed, flat.data());
  set_weights(flat);
}

}  // namespace hyscale::model
