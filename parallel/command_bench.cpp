#include <algorithm>
#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/kernels/instruction_set.h"
#include "parallel/commands.h"
#include "parallel/device.h"
#include "parallel/execution.h"
#include "parallel/gemm_yardstick.h"
#include "parallel/mesh.h"
#include "parallel/micro_batch.h"
#include "parallel/threads.h"
#include "parallel/train_bench.h"

namespace hyscale::parallel {
namespace {

struct BenchOptions {
  std::string run_file;
  std::vector<std::string> overrides;
  std::vector<int> pin;
  int64_t micro_batch = 0;
  int64_t batch = 0;
  int threads = 0;
  std::string device = "auto", deterministic = "yes";
  TrainBenchPlan plan;
  bool json = false;
};

TrainBenchPlan resolve(const BenchOptions& options, const spec::RunConfig& config) {
  TrainBenchPlan plan = options.plan;
  plan.batch_sequences = options.batch > 0 ? options.batch : batch_sequences(config);
  plan.micro_batch = options.micro_batch > 0 ? options.micro_batch : usual_micro_batch(config.model.context);
  plan.micro_batch = std::min(plan.micro_batch, plan.batch_sequences);
  return plan;
}

nlohmann::ordered_json to_json(const TrainBench& b, const TrainBenchPlan& plan, const ThreadPlan& threads) {
  return {{"cpu", cpu_model()},
          {"threads", threads.threads},
          {"placement", threads.how},
          {"kernels", kernels::instruction_set()},
          {"gemm_library", GemmYardstick::library_name()},
          {"parameters", b.parameters},
          {"batch_sequences", plan.batch_sequences},
          {"micro_batch", plan.micro_batch},
          {"steps", plan.steps},
          {"step_ms",
           {{"median", b.seconds() * 1e3},
            {"p5", percentile(b.step_seconds, 0.05) * 1e3},
            {"p95", percentile(b.step_seconds, 0.95) * 1e3}}},
          {"tokens_per_second", b.tokens_per_second()},
          {"with_head_gflops", b.rate() * 1e-9},
          {"gemm_gflops", b.gemm_rate() * 1e-9},
          {"own_gemm_gflops", percentile(b.own_gemm_rates, 0.5) * 1e-9},
          {"share_of_gemm", b.share()},
          {"state_bytes", b.state_bytes},
          {"activation_bytes", b.activation_bytes},
          {"peak_memory_bytes", b.peak_memory}};
}

std::string to_text(const TrainBench& b, const TrainBenchPlan& plan, const ThreadPlan& threads) {
  const auto mib = [](int64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); };
  std::string text = fmt::format("{}, {}, kernels for {}\n", cpu_model(), threads.how, kernels::instruction_set());
  text += fmt::format("{:.3g} parameters, {} sequences a step in micro-batches of {}\n",
                      static_cast<double>(b.parameters), plan.batch_sequences, plan.micro_batch);
  text += fmt::format("  step           {:>10.1f} ms   median of {} (p5 {:.1f}, p95 {:.1f})\n", b.seconds() * 1e3,
                      plan.steps, percentile(b.step_seconds, 0.05) * 1e3, percentile(b.step_seconds, 0.95) * 1e3);
  text += fmt::format("  tokens         {:>10.0f} /s\n", b.tokens_per_second());
  text += fmt::format("  with_head      {:>10.1f} GFLOP/s\n", b.rate() * 1e-9);
  const std::string library = GemmYardstick::library_name();
  text += fmt::format("  matrix product {:>10.1f} GFLOP/s between the steps: {}{:.1f}\n", b.gemm_rate() * 1e-9,
                      library.empty() ? "ours " : library + " or ours, which reaches ",
                      percentile(b.own_gemm_rates, 0.5) * 1e-9);
  text += fmt::format("  share          {:>10.1f} %\n", b.share() * 100);
  text += fmt::format("  memory         {:>10.1f} MiB: weights and optimizer {:.1f}, activations {:.1f}\n",
                      mib(b.peak_memory), mib(b.state_bytes), mib(b.activation_bytes));
  return text;
}

void bench(const BenchOptions& options) {
  const spec::RunConfig config = spec::load_run_config(options.run_file, options.overrides);
  const WorkDevice device = open_device(options.device, config.train.precision, options.deterministic == "yes", 1);
  const TrainBenchPlan plan = resolve(options, config);
  const ThreadPlan threads = set_threads(options.threads, 1, options.pin);
  ProgressLine line;
  const TrainBench result = bench_train(
      config, plan, device, [&](int step) { line.show(fmt::format("step {} of {}", step, plan.warmup + plan.steps)); });
  line.clear();
  fmt::print("{}", options.json ? to_json(result, plan, threads).dump(2) + "\n" : to_text(result, plan, threads));
}

void add_train(CLI::App& app) {
  CLI::App* command = app.add_subcommand("train", "Time whole training steps on random tokens");
  const auto options = std::make_shared<BenchOptions>();
  command->add_option("run", options->run_file, "The run config; its corpus is not read")
      ->required()
      ->type_name("RUN.yaml");
  command->add_option("--set", options->overrides, "Change a field of the config: model.d_model=512")
      ->type_name("A.B=C")
      ->allow_extra_args(false);
  command->add_option("--batch", options->batch, "Sequences of a step (default: train.batch_tokens / context)")
      ->check(CLI::PositiveNumber);
  command->add_option("--micro-batch", options->micro_batch, "Sequences of one forward pass (default: as train does)")
      ->check(CLI::PositiveNumber);
  command->add_option("--steps", options->plan.steps, "Steps timed")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--warmup", options->plan.warmup, "Steps before them")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads (default: allowed cores)")->check(CLI::PositiveNumber);
  command->add_option("--pin", options->pin, "Cores for the threads, one each: 0,1")->delimiter(',');
  command->add_option("--device", options->device, "auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command->add_option("--deterministic", options->deterministic, "yes or no; the CPU is deterministic either way")
      ->check(CLI::IsMember({"yes", "no"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Prints tokens/s and the with_head FLOP rate as a share of this machine's rate for plain matrix products,\n"
      "measured in the same run on the same threads.\n"
      "Example: hybrid-worker bench train run.yaml --threads 1 --json");
  command->callback([options] { bench(*options); });
}

}  // namespace

void add_bench_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "Measure speed and memory");
  command->require_subcommand(1);
  command->footer("Example: hybrid-worker bench train run.yaml --threads 1");
  add_train(*command);
}

}  // namespace hyscale::parallel
