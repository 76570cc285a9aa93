#include "parallel/train_bench_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/kernels/instruction_set.h"
#include "core/tensor/tensor.h"
#include "parallel/execution.h"
#include "parallel/gemm_yardstick.h"

namespace hyscale::parallel {
namespace {

using Json = nlohmann::ordered_json;

double mib(int64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); }
double gib(size_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0); }

double operation_seconds(const GpuBench& gpu) {
  double sum = 0;
  for (const OperationTime& operation : gpu.operations) sum += operation.seconds;
  return sum;
}

std::string step_text(const TrainBench& b, const TrainBenchPlan& plan) {
  std::string text = fmt::format("{:.3g} parameters, {} sequences a step in micro-batches of {}\n",
                                 static_cast<double>(b.parameters), plan.batch_sequences, plan.micro_batch);
  text += fmt::format("  step           {:>10.1f} ms   median of {} (p5 {:.1f}, p95 {:.1f})\n", b.seconds() * 1e3,
                      plan.steps, percentile(b.step_seconds, 0.05) * 1e3, percentile(b.step_seconds, 0.95) * 1e3);
  text += fmt::format("  tokens         {:>10.0f} /s\n", b.tokens_per_second());
  return text;
}

Json step_json(const TrainBench& b) {
  return {{"median", b.seconds() * 1e3},
          {"p5", percentile(b.step_seconds, 0.05) * 1e3},
          {"p95", percentile(b.step_seconds, 0.95) * 1e3}};
}

std::string cpu_text(const TrainBench& b, const TrainBenchPlan& plan, const ThreadPlan& threads) {
  const CpuBench& cpu = *b.cpu;
  std::string text = fmt::format("{}, {}, kernels for {}\n", cpu_model(), threads.how, kernels::instruction_set());
  text += step_text(b, plan);
  text += fmt::format("  with_head      {:>10.1f} GFLOP/s\n", b.rate() * 1e-9);
  const std::string library = GemmYardstick::library_name();
  text += fmt::format("  matrix product {:>10.1f} GFLOP/s between the steps: {}{:.1f}\n", cpu.gemm_rate() * 1e-9,
                      library.empty() ? "ours " : library + " or ours, which reaches ",
                      percentile(cpu.own_gemm_rates, 0.5) * 1e-9);
  text += fmt::format("  share          {:>10.1f} %\n", b.rate() / cpu.gemm_rate() * 100);
  text += fmt::format("  memory         {:>10.1f} MiB: weights and optimizer {:.1f}, activations {:.1f}\n",
                      mib(b.peak_memory), mib(b.state_bytes), mib(b.activation_bytes));
  return text;
}

Json cpu_json(const TrainBench& b, const TrainBenchPlan& plan, const ThreadPlan& threads) {
  return {{"cpu", cpu_model()},
          {"threads", threads.threads},
          {"placement", threads.how},
          {"kernels", kernels::instruction_set()},
          {"gemm_library", GemmYardstick::library_name()},
          {"parameters", b.parameters},
          {"batch_sequences", plan.batch_sequences},
          {"micro_batch", plan.micro_batch},
          {"steps", plan.steps},
          {"step_ms", step_json(b)},
          {"tokens_per_second", b.tokens_per_second()},
          {"with_head_gflops", b.rate() * 1e-9},
          {"gemm_gflops", b.cpu->gemm_rate() * 1e-9},
          {"own_gemm_gflops", percentile(b.cpu->own_gemm_rates, 0.5) * 1e-9},
          {"share_of_gemm", b.rate() / b.cpu->gemm_rate()},
          {"state_bytes", b.state_bytes},
          {"activation_bytes", b.activation_bytes},
          {"peak_memory_bytes", b.peak_memory}};
}

std::string ranks_text(const TrainBench& b, const TrainBenchPlan& plan, const ThreadPlan& threads) {
  const RanksBench& ranks = *b.ranks;
  std::string text =
      fmt::format("{} x {} ranks (dp x tp), each: {}, {}\n", ranks.mesh.dp, ranks.mesh.tp, cpu_model(), threads.how);
  text += step_text(b, plan);
  text += fmt::format("  with_head      {:>10.1f} GFLOP/s\n", b.rate() * 1e-9);
  text += fmt::format("  exposed        {:>10.1f} % of a step, in which the rank that waits most waits for others\n",
                      ranks.exposed * 100);
  text += fmt::format("  efficiency     {:>10.1f} % of what the ranks reach side by side, each by itself\n",
                      ranks.efficiency * 100);
  return text +
         fmt::format("  memory         {:>10.1f} MiB on rank 0: weights and optimizer {:.1f}, activations {:.1f}\n",
                     mib(b.peak_memory), mib(b.state_bytes), mib(b.activation_bytes));
}

Json ranks_json(const TrainBench& b, const TrainBenchPlan& plan, const ThreadPlan& threads) {
  return {{"cpu", cpu_model()},
          {"dp", b.ranks->mesh.dp},
          {"tp", b.ranks->mesh.tp},
          {"threads", threads.threads},
          {"placement", threads.how},
          {"kernels", kernels::instruction_set()},
          {"parameters", b.parameters},
          {"batch_sequences", plan.batch_sequences},
          {"micro_batch", plan.micro_batch},
          {"steps", plan.steps},
          {"step_ms", step_json(b)},
          {"tokens_per_second", b.tokens_per_second()},
          {"with_head_gflops", b.rate() * 1e-9},
          {"exposed_communication", b.ranks->exposed},
          {"scaling_efficiency", b.ranks->efficiency},
          {"state_bytes", b.state_bytes},
          {"activation_bytes", b.activation_bytes},
          {"peak_memory_bytes", b.peak_memory}};
}

std::string rate_text(const TrainBench& b) {
  const GpuBench& gpu = *b.gpu;
  std::string text = fmt::format("  with_head      {:>10.1f} TFLOP/s\n", b.rate() * 1e-12);
  if (gpu.peak)
    text += fmt::format("  MFU            {:>10.1f} % of {:.0f} TFLOP/s, the dense bf16 peak of an {}\n",
                        b.rate() / gpu.peak->flops * 100, gpu.peak->flops * 1e-12, gpu.peak->gpu);
  if (gpu.sustained_rate > 0)
    text += fmt::format("  of products    {:>10.1f} % of {:.1f} TFLOP/s, which plain bf16 products sustain here\n",
                        b.rate() / gpu.sustained_rate * 100, gpu.sustained_rate * 1e-12);
  return text;
}

/// What a token costs, in joules; the GPU alone.
std::optional<double> energy_per_token(const TrainBench& b) {
  if (!b.gpu->sensors.power_watts || b.tokens_per_second() <= 0) return {};
  return *b.gpu->sensors.power_watts / b.tokens_per_second();
}

std::string sensors_text(const TrainBench& b) {
  const GpuSensors& sensors = b.gpu->sensors;
  std::string text;
  if (sensors.sm_clock_mhz) text += fmt::format("  clock          {:>10.0f} MHz\n", *sensors.sm_clock_mhz);
  if (sensors.power_watts) text += fmt::format("  power          {:>10.0f} W\n", *sensors.power_watts);
  if (const auto energy = energy_per_token(b))
    text += fmt::format("  energy         {:>10.2f} mJ a token\n", *energy * 1e3);
  if (sensors.temperature_celsius) text += fmt::format("  temperature    {:>10.0f} °C\n", *sensors.temperature_celsius);
  return text;
}

std::string operations_text(const GpuBench& gpu) {
  const double all = operation_seconds(gpu);
  std::string text = fmt::format("one step enqueued operation by operation:\n  {:<44} {:>6} {:>10} {:>7}\n",
                                 "operation", "calls", "ms", "share");
  for (const OperationTime& operation : gpu.operations)
    text += fmt::format("  {:<44} {:>6} {:>10.3f} {:>6.1f}%\n", operation.name, operation.calls,
                        operation.seconds * 1e3, operation.seconds / all * 100);
  return text + fmt::format("  {:<44} {:>6} {:>10.3f}\n", "together", "", all * 1e3);
}

std::string gpu_text(const TrainBench& b, const TrainBenchPlan& plan, const WorkDevice& device) {
  const GpuBench& gpu = *b.gpu;
  std::string text = fmt::format("{}, {}, driver {}, {}, deterministic: {}\n", gpu.name, gpu.facts.runtime,
                                 gpu.sensors.driver.empty() ? "for CUDA " + gpu.facts.driver : gpu.sensors.driver,
                                 device.precision(), gpu.facts.deterministic ? "yes" : "no");
  text += step_text(b, plan) + rate_text(b);
  text += fmt::format("  idle           {:>10.1f} % of the time of a step\n", gpu.idle_share * 100);
  text += sensors_text(b);
  text += fmt::format("  memory         {:>10.2f} GiB of {:.1f}: weights and optimizer {:.2f}, activations {:.2f}\n",
                      gib(gpu.memory.peak), gib(gpu.memory.total), gib(static_cast<size_t>(b.state_bytes)),
                      gib(static_cast<size_t>(b.activation_bytes)));
  return text + operations_text(gpu);
}

Json operations_json(const GpuBench& gpu) {
  const double all = operation_seconds(gpu);
  Json list = Json::array();
  for (const OperationTime& operation : gpu.operations)
    list.push_back({{"operation", operation.name},
                    {"calls", operation.calls},
                    {"ms", operation.seconds * 1e3},
                    {"share", operation.seconds / all}});
  return list;
}

void add_if_known(Json& json, const GpuBench& gpu, double rate) {
  if (gpu.peak) {
    json["peak_gpu"] = gpu.peak->gpu;
    json["peak_tflops"] = gpu.peak->flops * 1e-12;
    json["mfu"] = rate / gpu.peak->flops;
  }
  if (gpu.sustained_rate > 0) {
    json["sustained_gemm_tflops"] = gpu.sustained_rate * 1e-12;
    json["share_of_sustained_gemm"] = rate / gpu.sustained_rate;
  }
  if (gpu.sensors.sm_clock_mhz) json["sm_clock_mhz"] = *gpu.sensors.sm_clock_mhz;
  if (gpu.sensors.power_watts) json["power_watts"] = *gpu.sensors.power_watts;
  if (gpu.sensors.temperature_celsius) json["temperature_celsius"] = *gpu.sensors.temperature_celsius;
  if (!gpu.sensors.driver.empty()) json["driver"] = gpu.sensors.driver;
}

Json gpu_json(const TrainBench& b, const TrainBenchPlan& plan, const WorkDevice& device) {
  const GpuBench& gpu = *b.gpu;
  Json json = {{"gpu", gpu.name},
               {"runtime", gpu.facts.runtime},
               {"driver_serves_cuda", gpu.facts.driver},
               {"precision", device.precision()},
               {"deterministic", gpu.facts.deterministic},
               {"parameters", b.parameters},
               {"batch_sequences", plan.batch_sequences},
               {"micro_batch", plan.micro_batch},
               {"steps", plan.steps},
               {"step_ms", step_json(b)},
               {"tokens_per_second", b.tokens_per_second()},
               {"with_head_tflops", b.rate() * 1e-12}};
  add_if_known(json, gpu, b.rate());
  if (const auto energy = energy_per_token(b)) json["joules_per_token"] = *energy;
  json["idle_share"] = gpu.idle_share;
  json["state_bytes"] = b.state_bytes;
  json["activation_bytes"] = b.activation_bytes;
  json["peak_memory_bytes"] = gpu.memory.peak;
  json["memory_bytes"] = gpu.memory.total;
  json["operations"] = operations_json(gpu);
  return json;
}

}  // namespace

std::string to_text(const TrainBench& bench, const TrainBenchPlan& plan, const ThreadPlan& threads,
                    const WorkDevice& device) {
  if (bench.ranks) return ranks_text(bench, plan, threads);
  return bench.gpu ? gpu_text(bench, plan, device) : cpu_text(bench, plan, threads);
}

Json to_json(const TrainBench& bench, const TrainBenchPlan& plan, const ThreadPlan& threads, const WorkDevice& device) {
  if (bench.ranks) return ranks_json(bench, plan, threads);
  return bench.gpu ? gpu_json(bench, plan, device) : cpu_json(bench, plan, threads);
}

}  // namespace hyscale::parallel
