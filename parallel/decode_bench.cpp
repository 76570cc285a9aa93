#include "parallel/decode_bench.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>

#include "core/base/clock.h"
#include "core/infer/generation.h"
#include "core/spec/accounting.h"

namespace hyscale::parallel {
namespace {

/// Bytes/s at which all threads together read memory that no cache holds; the best of a few passes.
double measure_read_rate() {
  constexpr int64_t kFloats = int64_t{96} << 20, kAtOnce = 64;  // so many sums that adding is no limit
  const std::vector<float> data(static_cast<size_t>(kFloats), 1.0F);
  double best = 0;
  volatile float kept = 0;  // so that the sums are computed
  for (int pass = 0; pass < 5; ++pass) {
    const double begin = Clock::system().steady_seconds();
    float sum = 0;
#pragma omp parallel reduction(+ : sum)
    {
      std::array<float, kAtOnce> sums{};
#pragma omp for schedule(static)
      for (int64_t i = 0; i < kFloats / kAtOnce; ++i)
#pragma omp simd
        for (int64_t lane = 0; lane < kAtOnce; ++lane)
          sums[static_cast<size_t>(lane)] += data[static_cast<size_t>(i * kAtOnce + lane)];
      sum += std::accumulate(sums.begin(), sums.end(), 0.0F);
    }
    kept = kept + sum;
    best = std::max(best, static_cast<double>(kFloats) * sizeof(float) / (Clock::system().steady_seconds() - begin));
  }
  return best;
}

std::vector<std::vector<int32_t>> random_prompts(const DecodeBenchPlan& plan, int64_t vocabulary) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int32_t> any(0, static_cast<int32_t>(vocabulary - 1));
  std::vector<std::vector<int32_t>> prompts(static_cast<size_t>(plan.batch));
  for (auto& prompt : prompts) {
    prompt.resize(static_cast<size_t>(plan.prompt));
    std::generate(prompt.begin(), prompt.end(), [&] { return any(random); });
  }
  return prompts;
}

double mean_cache_bytes(const spec::ModelConfig& config, const DecodeBenchPlan& plan) {
  double sum = 0;
  for (int64_t length = plan.prompt; length < plan.total; ++length)
    sum += spec::account(config, length).cache_bytes_per_sequence.actual;
  return sum * static_cast<double>(plan.batch) / static_cast<double>(plan.total - plan.prompt);
}

}  // namespace

double DecodeBench::decode_seconds() const { return std::accumulate(token_seconds.begin(), token_seconds.end(), 0.0); }

double DecodeBench::tokens_per_second(const DecodeBenchPlan& plan) const {
  return static_cast<double>(plan.batch * (plan.total - plan.prompt)) / (prefill_seconds + decode_seconds());
}

double DecodeBench::step_quantile(double q) const {
  std::vector<double> sorted = token_seconds;
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
}

double DecodeBench::share_of_floor() const {
  const double floor = (weight_bytes + mean_cache_bytes) / read_rate;
  return floor * static_cast<double>(token_seconds.size()) / decode_seconds();
}

DecodeBench bench_decode(const spec::ModelConfig& config, const DecodeBenchPlan& plan,
                         const std::function<void(int64_t)>& progress) {
  DecodeBench result;
  model::Model model(config, DType::f32);
  model.parameters().initialise(0);
  result.parameters = spec::account(config).params.total;
  result.weight_bytes = 4.0 * static_cast<double>(result.parameters);
  result.mean_cache_bytes = mean_cache_bytes(config, plan);
  result.read_rate = measure_read_rate();
  infer::Generation generation(
      model,
      {.prompts = random_prompts(plan, config.vocabulary), .tokens = plan.total - plan.prompt, .piece = plan.piece},
      {});
  double begin = Clock::system().steady_seconds();
  generation.read_prompts();
  generation.step();
  result.prefill_seconds = Clock::system().steady_seconds() - begin;
  while (!generation.done()) {
    begin = Clock::system().steady_seconds();
    generation.step();
    result.token_seconds.push_back(Clock::system().steady_seconds() - begin);
    progress(static_cast<int64_t>(result.token_seconds.size()) + 1);
  }
  result.cache_bytes = static_cast<double>(generation.past().bytes());
  return result;
}

}  // namespace hyscale::parallel
