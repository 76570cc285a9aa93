#include "core/mixers/parameters.h"

#include <algorithm>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

#include "core/base/error.h"
#include "tests/support/gradient_check.h"

namespace hyscale::model {

using hyscale::tests::values_of;
using spec::InitKind;

static spec::ParameterSpec parameter(const std::string& name, std::vector<int64_t> shape, spec::Init init) {
  return {.name = name, .shape = std::move(shape), .init = init};
}

static std::vector<double> drawn(spec::Init init, uint64_t seed = 1) {
  ParameterTable table({parameter("p", {20'000}, init)}, DType::f64);
  table.initialise(seed);
  return values_of(table.at("p").weight);
}

static double mean(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

TEST(ParameterTable, LaysParametersSideBySideAndPadsTheEnd) {
  const spec::Init one{InitKind::constant, 1, 0};
  ParameterTable table({parameter("a", {3, 4}, one), parameter("b", {5}, one)}, DType::f32, host_context(), 8);
  table.initialise(0);
  EXPECT_EQ(table.weights().numel(), 24);
  EXPECT_EQ(table.at("b").offset, 12);
  EXPECT_EQ(table.at("b").weight.data(), table.weights().as<float>() + 12);
  EXPECT_EQ(table.at("a").gradient.shape(), (std::vector<int64_t>{3, 4}));
  EXPECT_THAT(values_of(table.weights().slice(0, 17, 7)), ::testing::Each(0.0));
}

TEST(ParameterTable, KeepsRowsOfMatricesApartAndWhatIsBetweenThemZero) {
  const spec::Init normal{InitKind::normal, 1, 0};
  ParameterTable table({parameter("wide", {3, 256}, normal), parameter("flat", {768}, normal)}, DType::f32);
  table.initialise(2);
  const Parameter& wide = table.at("wide");
  EXPECT_EQ(wide.weight.stride(0), 272);
  EXPECT_EQ(wide.size, 3 * 272);
  EXPECT_EQ(table.at("flat").offset, 3 * 272);
  for (int64_t row = 0; row < 3; ++row)
    EXPECT_THAT(values_of(table.weights().slice(0, row * 272 + 256, 16)), ::testing::Each(0.0));
  EXPECT_EQ(wide.spec.count(), 768);
  EXPECT_EQ(window(table.weights(), wide).data(), wide.weight.data());
  // the same draws as without gaps
  ParameterTable dense({parameter("wide", {768}, normal)}, DType::f32);
  dense.initialise(2);
  EXPECT_EQ(values_of(wide.weight), values_of(dense.at("wide").weight));
}

TEST(ParameterTable, DrawsTheSameValuesInWhateverOrderAndNeighbourhood) {
  const spec::Init normal{InitKind::normal, 0.02, 0};
  ParameterTable one({parameter("a", {7}, normal), parameter("b", {9}, normal)}, DType::f32);
  ParameterTable two({parameter("b", {9}, normal), parameter("c", {5}, normal), parameter("a", {7}, normal)},
                     DType::f32);
  one.initialise(3);
  two.initialise(3);
  EXPECT_EQ(values_of(one.at("a").weight), values_of(two.at("a").weight));
  EXPECT_EQ(values_of(one.at("b").weight), values_of(two.at("b").weight));
  EXPECT_NE(values_of(one.at("a").weight)[0], values_of(one.at("b").weight)[0]);
  two.initialise(4);
  EXPECT_NE(values_of(one.at("a").weight), values_of(two.at("a").weight));
}

TEST(ParameterTable, NormalDrawsHaveTheirMomentsAndNoMemory) {
  const std::vector<double> v = drawn({InitKind::normal, 0.5, 0});
  double squares = 0, fourth = 0, neighbours = 0;
  for (size_t i = 0; i < v.size(); ++i) {
    squares += v[i] * v[i], fourth += std::pow(v[i], 4);
    if (i > 0) neighbours += v[i] * v[i - 1];
  }
  const auto n = static_cast<double>(v.size());
  EXPECT_NEAR(mean(v), 0, 4 * 0.5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 0.25, 0.25 * 4 * std::sqrt(2 / n));
  EXPECT_NEAR(fourth / n / 0.0625, 3, 0.4);
  EXPECT_NEAR(neighbours / n, 0, 4 * 0.25 / std::sqrt(n));
}

TEST(ParameterTable, DrawsEachKindFromItsRange) {
  const auto range = [](const std::vector<double>& v) { return std::minmax_element(v.begin(), v.end()); };
  const auto uniform = drawn({InitKind::uniform, -1, 3});
  EXPECT_GE(*range(uniform).first, -1);
  EXPECT_LE(*range(uniform).second, 3);
  EXPECT_NEAR(mean(uniform), 1, 0.04);
  const auto logs = drawn({InitKind::log_of_uniform, 0.01, 2});
  EXPECT_GE(std::exp(*range(logs).first), 0.01 - 1e-12);
  EXPECT_LE(std::exp(*range(logs).second), 2 + 1e-12);
  auto steps = drawn({InitKind::inverse_softplus_log_uniform, 1e-3, 1e-1});
  for (double& x : steps) x = std::log(std::log1p(std::exp(x)));  // log softplus: uniform again
  EXPECT_NEAR(*range(steps).first, std::log(1e-3), 1e-2);
  EXPECT_NEAR(*range(steps).second, std::log(1e-1), 1e-2);
  EXPECT_NEAR(mean(steps), (std::log(1e-3) + std::log(1e-1)) / 2, 0.04);
}

TEST(ParameterTable, NamesAParameterThatItDoesNotHave) {
  const ParameterTable table({}, DType::f32);
  EXPECT_THAT([&] { table.at("layers.0.x"); },
              ::testing::ThrowsMessage<ShapeError>(::testing::HasSubstr("layers.0.x")));
}

}  // namespace hyscale::model
