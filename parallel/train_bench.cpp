#include "parallel/train_bench.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>

#include "core/base/clock.h"
#include "core/base/process.h"
#include "core/spec/accounting.h"
#include "core/tensor/collective.h"
#include "parallel/batch_buffer.h"
#include "parallel/gemm_yardstick.h"
#include "parallel/train_state.h"

namespace hyscale::parallel {
namespace {

double now() { return Clock::system().steady_seconds(); }

void fill_random(const Tensor& tokens, int64_t vocabulary, std::mt19937_64& random) {
  std::uniform_int_distribution<int32_t> any(0, static_cast<int32_t>(vocabulary - 1));
  std::generate_n(tokens.as<int32_t>(), tokens.numel(), [&] { return any(random); });
}

/// Documents of a quarter of the context on average.
void fill_documents(const Tensor& document_begins, std::mt19937_64& random) {
  const auto begins = document_begins.view<int32_t, 2>();
  std::bernoulli_distribution ends(std::min(1.0, 4.0 / static_cast<double>(begins.extent(1))));
  for (int64_t row = 0; row < begins.extent(0); ++row)
    for (int64_t t = 0; t < begins.extent(1); ++t)
      begins(row, t) = t == 0 ? 0 : ends(random) ? static_cast<int32_t>(t) : begins(row, t - 1);
}

class Bench {
 public:
  /// `plan` with this rank's share of the batch, which is `whole_batch` sequences.
  Bench(const spec::RunConfig& config, const TrainBenchPlan& plan, const WorkDevice& device, const Groups& groups,
        int64_t whole_batch, const Groups* beside = nullptr)
      : plan_(plan),
        learning_rate_(config.train.optimizer.lr),
        state_(config, device, groups, plan.step, beside),
        buffer_(plan.micro_batch, config.model.context, !config.data.cross_document),
        scale_(1.0 / static_cast<double>(whole_batch * config.model.context)) {
    std::mt19937_64 random(static_cast<uint64_t>(groups.data.rank()));
    const model::TokenBatch batch = buffer_.first(plan.micro_batch);
    fill_random(batch.inputs, config.model.vocabulary, random);
    fill_random(batch.targets, config.model.vocabulary, random);
    if (!batch.document_begins.empty()) fill_documents(batch.document_begins, random);
    state_.initialise(config.train.seed);
  }
  double step() {
    const double begin = now();
    for (int64_t row = 0; row < plan_.batch_sequences; row += plan_.micro_batch) {
      const int64_t rows = std::min(plan_.micro_batch, plan_.batch_sequences - row);
      state_.accumulate(buffer_.first(rows), scale_, row + rows == plan_.batch_sequences);
    }
    state_.finish_step(++step_, learning_rate_);
    return now() - begin;
  }
  int64_t activation_bytes() { return static_cast<int64_t>(state_.model().activation_bytes()); }
  int64_t state_bytes() {  // weights, gradients, two moments: f32 each; bf16 weights where the model computes in it
    const model::ParameterTable& table = state_.model().parameters();
    return table.weights().numel() * int64_t{16} + table.rounded().numel() * int64_t{2};
  }

 private:
  TrainBenchPlan plan_;
  double learning_rate_;
  TrainState state_;
  BatchBuffer buffer_;
  double scale_;
  int64_t step_ = 0;
};

CpuBench time_on_cpu(Bench& bench, const TrainBenchPlan& plan, std::vector<double>& step_seconds,
                     const std::function<void(int)>& done) {
  CpuBench result;
  const GemmYardstick yardstick;
  for (int step = 0; step < plan.warmup + plan.steps; ++step) {
    const double seconds = bench.step();
    const GemmYardstick::Rates gemm = yardstick.measure();
    if (step >= plan.warmup) {
      step_seconds.push_back(seconds);
      result.gemm_rates.push_back(gemm.best());
      result.own_gemm_rates.push_back(gemm.ours);
    }
    done(step + 1);
  }
  return result;
}

/// While steps go on; a nvidia-smi that hangs is waited for in the end.
GpuSensors sensors_at_work(Bench& bench, const std::string& bus) {
  constexpr double kLongest = 10;  // seconds
  const double begin = now();
  SensorQuery query(bus);
  while (!query.done() && now() - begin < kLongest) bench.step();
  return query.answer();
}

double idle_share(const RecordingTime& time) { return time.span > 0 ? 1 - time.busy / time.span : 0; }

int64_t widest_ffn(const spec::ModelConfig& model) {
  int64_t width = 0;
  for (const spec::BlockConfig& block : model.stack)
    if (block.ffn) width = std::max(width, block.ffn->d_ff);
  return width > 0 ? width : 4 * model.d_model;
}

GpuBench time_on_gpu(Bench& bench, const TrainBenchPlan& plan, DeviceContext& gpu, std::vector<double>& step_seconds,
                     const std::function<void(int)>& done) {
  constexpr int kLeastWarmup = 3;  // kernel by kernel, recorded, replayed
  const int warmup = std::max(plan.warmup, kLeastWarmup);
  for (int step = 0; step < warmup + plan.steps; ++step) {
    if (step == warmup) gpu.time_recordings();
    const double seconds = bench.step();
    if (step >= warmup) step_seconds.push_back(seconds);
    done(step + 1);
  }
  GpuBench result;
  result.name = gpu.name();
  result.facts = gpu.facts();
  result.peak = dense_bf16_peak(result.name);
  result.idle_share = idle_share(gpu.recording_time());
  result.memory = gpu.memory_use();
  result.sensors = sensors_at_work(bench, result.facts.bus);
  gpu.time_operations();
  bench.step();
  result.operations = gpu.operation_times();
  return result;
}

}  // namespace

double percentile(std::vector<double> values, double p) {
  const auto rank = static_cast<std::ptrdiff_t>(std::ceil(p * static_cast<double>(values.size())));
  const auto at = values.begin() + std::max<std::ptrdiff_t>(rank - 1, 0);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double TrainBench::seconds() const { return percentile(step_seconds, 0.5); }
double CpuBench::gemm_rate() const { return percentile(gemm_rates, 0.5); }

TrainBench bench_train(const spec::RunConfig& config, const TrainBenchPlan& plan, const WorkDevice& device,
                       const std::function<void(int)>& done) {
  const spec::Account account = spec::account(config.model);
  const int64_t tokens = plan.batch_sequences * config.model.context;
  TrainBench result;
  result.parameters = account.params.non_embedding;
  result.tokens = tokens;
  result.flops = account.train_flops_per_token.with_head * static_cast<double>(tokens);
  {
    SelfCollective self;
    Bench bench(config, plan, device, {self, self, self}, plan.batch_sequences);
    if (device.gpu != nullptr)
      result.gpu = time_on_gpu(bench, plan, *device.gpu, result.step_seconds, done);
    else
      result.cpu = time_on_cpu(bench, plan, result.step_seconds, done);
    result.activation_bytes = bench.activation_bytes();
    result.state_bytes = bench.state_bytes();
  }
  if (result.gpu && plan.ceiling_seconds > 0)
    result.gpu->sustained_rate =
        sustained_gemm_rate(*device.gpu, tokens, config.model.d_model, widest_ffn(config.model), plan.ceiling_seconds);
  result.peak_memory = peak_memory_bytes();
  return result;
}

/// Medians of the timed steps of one rank.
struct StepTimes {
  std::vector<double> seconds, waited;
};

static StepTimes time_steps(Bench& bench, const TrainBenchPlan& plan, const Groups& groups,
                            const std::function<void()>& done) {
  StepTimes times;
  for (int step = 0; step < plan.warmup + plan.steps; ++step, done()) {
    groups.world.barrier();
    const double before = groups.waits->seconds, seconds = bench.step();
    if (step < plan.warmup) continue;
    times.seconds.push_back(seconds);
    times.waited.push_back(groups.waits->seconds - before);
  }
  return times;
}

TrainBench bench_ranks(const spec::RunConfig& config, const TrainBenchPlan& plan, const WorkDevice& device,
                       const Mesh& mesh, const Groups& groups, const Groups* beside,
                       const std::function<void(int)>& done) {
  const spec::Account account = spec::account(config.model);
  const int ranks = mesh.dp * mesh.tp;
  int steps = 0;
  const auto count = [&] { done(++steps); };
  TrainBench result;
  result.parameters = account.params.non_embedding;
  result.tokens = plan.batch_sequences * config.model.context;
  result.flops = account.train_flops_per_token.with_head * static_cast<double>(result.tokens);
  result.ranks.emplace(RanksBench{.mesh = mesh});
  TrainBenchPlan share = plan;
  {
    SelfCollective self;
    share.batch_sequences = std::max<int64_t>(1, plan.batch_sequences / ranks);
    share.micro_batch = std::min(plan.micro_batch, share.batch_sequences);
    Bench bench(config, share, device, {self, self, self}, share.batch_sequences);
    std::array<double, 1> alone{percentile(time_steps(bench, share, groups, count).seconds, 0.5)};
    groups.world.all_reduce_sum(std::span<double>(alone));
    result.ranks->alone_seconds = alone[0] / ranks;
  }
  const double alone_rate = static_cast<double>(ranks * share.batch_sequences) / result.ranks->alone_seconds;
  share.batch_sequences = plan.batch_sequences / mesh.dp;
  share.micro_batch = std::min(plan.micro_batch, share.batch_sequences);
  Bench bench(config, share, device, groups, plan.batch_sequences, beside);
  const StepTimes times = time_steps(bench, share, groups, count);
  result.step_seconds = times.seconds;
  const double all = std::accumulate(times.seconds.begin(), times.seconds.end(), 0.0);
  std::array<double, 1> exposed{std::accumulate(times.waited.begin(), times.waited.end(), 0.0) / all};
  groups.world.all_reduce_max(std::span<double>(exposed));
  result.ranks->exposed = exposed[0];
  result.ranks->efficiency = static_cast<double>(plan.batch_sequences) / result.seconds() / alone_rate;
  result.activation_bytes = bench.activation_bytes();
  result.state_bytes = bench.state_bytes();
  result.peak_memory = peak_memory_bytes();
  return result;
}

}  // namespace hyscale::parallel
