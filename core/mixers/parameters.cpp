#include "core/mixers/parameters.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/error.h"
#include "core/tensor/parallel_for.h"

namespace hyscale::model {

// Elements of the flat arrays.
static int64_t size_in(DType dtype, const spec::ParameterSpec& p) {
  return p.shape.size() == 2 ? p.shape[0] * row_stride(dtype, p.shape[1]) : p.count();
}

static int64_t flat_size(const std::vector<spec::ParameterSpec>& list, DType dtype, int64_t pad) {
  int64_t size = 0;
  for (const spec::ParameterSpec& p : list) size += size_in(dtype, p);
  return (size + pad - 1) / pad * pad;
}

Tensor window(const Tensor& flat, const Parameter& parameter) {
  const Shape shape(parameter.spec.shape);
  const Tensor part = flat.slice(0, parameter.offset, parameter.size);
  if (shape.size() != 2) return part.reshape(shape);
  return part.reshape({shape[0], parameter.size / std::max<int64_t>(1, shape[0])}).slice(1, 0, shape[1]);
}

ParameterTable::ParameterTable(std::vector<spec::ParameterSpec> list, DType dtype, int64_t pad)
    : weight_memory_(dtype, {flat_size(list, dtype, pad)}),
      gradient_memory_(dtype, {flat_size(list, dtype, pad)}),
      weights_(weight_memory_),
      gradients_(gradient_memory_) {
  int64_t offset = 0;
  parameters_.reserve(list.size());
  for (spec::ParameterSpec& spec : list) {
    const int64_t size = size_in(dtype, spec);
    Parameter p{.spec = std::move(spec), .weight = {}, .gradient = {}, .offset = offset, .size = size};
    p.weight = window(weights_, p);
    p.gradient = window(gradients_, p);
    offset += size;
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
  with_real(gradients_.dtype(), [&]<class T>(T) {
    T* const all = gradients_.as<T>();
    parallel_for(gradients_.numel(), 65536,
                 [&](int64_t begin, int64_t end) { std::fill(all + begin, all + end, T(0)); });
  });
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

void ParameterTable::initialise(uint64_t seed) {
  with_real(weights_.dtype(), [&]<class T>(T) {
    for (const Parameter& p : parameters_) {
      const Draws draws(seed, p.spec.name);
      const int64_t width = p.spec.shape.empty() ? 1 : p.spec.shape.back(), rows = p.spec.count() / width;
      const int64_t stride = p.size / rows;
      T* const weight = weights_.as<T>() + p.offset;
      for (int64_t i = 0; i < p.spec.count(); ++i)
        weight[i / width * stride + i % width] = static_cast<T>(draw(p.spec.init, draws, i));
    }
  });
}

}  // namespace hyscale::model
