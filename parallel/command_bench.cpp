#include <algorithm>
#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "parallel/commands.h"
#include "parallel/device.h"
#include "parallel/execution.h"
#include "parallel/gpu_memory.h"
#include "parallel/mesh.h"
#include "parallel/mpi_collective.h"
#include "parallel/step_options.h"
#include "parallel/threads.h"
#include "parallel/together.h"
#include "parallel/train_bench.h"
#include "parallel/train_bench_text.h"

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
  int tp = 1;
  double require_overlap = 0;     // per cent
  double slow_communication = 0;  // milliseconds
  bool json = false;
};

TrainBenchPlan resolve(const BenchOptions& options, const spec::RunConfig& config, const WorkDevice& device) {
  TrainBenchPlan plan = options.plan;
  plan.batch_sequences = options.batch > 0 ? options.batch : batch_sequences(config);
  const int64_t usual = device.gpu == nullptr
                            ? spec::usual_micro_batch(config.model.context)
                            : fitting_micro_batch(config.model, config.train.precision, plan.step.recompute,
                                                  plan.batch_sequences, device.gpu->memory_use().free);
  plan.micro_batch = std::min(options.micro_batch > 0 ? options.micro_batch : usual, plan.batch_sequences);
  return plan;
}

/// Under a launcher of several ranks.
TrainBench bench_together(const BenchOptions& options, World& world, const spec::RunConfig& config,
                          const TrainBenchPlan& plan, const WorkDevice& device, const std::function<void(int)>& done) {
  Mesh mesh;
  together(world.ranks(), [&] {
    spec::RunConfig run = config;
    run.train.batch_tokens = plan.batch_sequences * config.model.context;
    mesh = make_mesh(world.ranks().size(), options.tp, run);
    check_on_one_host(mesh, world.first_on_host());
  });
  world.slow_down(options.slow_communication * 1e-3);
  try {
    const Groups groups = world.groups(mesh), beside = world.groups_of_a_thread(mesh);
    return bench_ranks(config, plan, device, mesh, groups, world.has_threads() ? &beside : nullptr, done);
  } catch (const std::exception& e) {
    end_all_ranks(world, e);
  }
}

/// The part of a step in which no rank waits for others, per cent.
void check_overlap(const BenchOptions& options, const TrainBench& result) {
  const double overlap = result.ranks ? 100 * (1 - result.ranks->exposed) : 100;
  if (overlap < options.require_overlap)
    throw Error(
        ExitCode::failed,
        {{.what = fmt::format("{:.1f} % of a step are exposed communication; --require-overlap {:g} allows {:g}",
                              100 - overlap, options.require_overlap, 100 - options.require_overlap)}});
}

void bench(const BenchOptions& options) {
  World world;
  const bool several = world.ranks().size() > 1;
  log::set_quiet(world.ranks().rank() != 0);
  const spec::RunConfig config = spec::load_run_config(options.run_file, options.overrides);
  const WorkDevice device =
      open_device(options.device, config.train.precision, options.deterministic == "yes", world.ranks().size());
  const TrainBenchPlan plan = resolve(options, config, device);
  const ThreadPlan threads = set_threads(options.threads, world.local_ranks(), options.pin);
  ProgressLine line;
  const auto show = [&](int step) {
    if (world.ranks().rank() == 0) line.show(fmt::format("step {} of {}", step, plan.warmup + plan.steps));
  };
  const TrainBench result =
      several ? bench_together(options, world, config, plan, device, show) : bench_train(config, plan, device, show);
  line.clear();
  if (world.ranks().rank() == 0)
    fmt::print("{}", options.json ? to_json(result, plan, threads, device).dump(2) + "\n"
                                  : to_text(result, plan, threads, device));
  std::fflush(stdout);
  together(world.ranks(), [&] { check_overlap(options, result); });
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
  command->add_option("--tp", options->tp, "Under mpirun: ranks that hold one model together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--require-overlap", options->require_overlap,
                   "Exit 1 when ranks wait for each other in more than the rest of a step's time")
      ->check(CLI::Range(0.0, 100.0))
      ->type_name("PERCENT");
  command
      ->add_option("--slow-communication", options->slow_communication,
                   "Under mpirun: let every transfer take this much longer, to see what a slow network would cost")
      ->check(CLI::NonNegativeNumber)
      ->type_name("MS");
  add_step_options(*command, options->plan.step);
  command->add_option("--threads", options->threads, "Threads (default: allowed cores)")->check(CLI::PositiveNumber);
  command->add_option("--pin", options->pin, "Cores for the threads, one each: 0,1")->delimiter(',');
  command->add_option("--device", options->device, "auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command->add_option("--deterministic", options->deterministic, "yes or no; the CPU is deterministic either way")
      ->check(CLI::IsMember({"yes", "no"}))
      ->capture_default_str();
  command
      ->add_option("--ceiling", options->plan.ceiling_seconds,
                   "On a GPU: then multiply matrices for so many seconds, to tell the share of what they sustain")
      ->check(CLI::NonNegativeNumber)
      ->type_name("SECONDS");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Prints tokens/s and the with_head FLOP rate as a share of this machine's rate for plain matrix products,\n"
      "measured in the same run on the same threads. On a GPU: MFU, memory, clocks, power, and where a step's time "
      "goes.\n"
      "Under mpirun (CPU): tokens/s of all ranks, the share of a step that is exposed communication, and scaling "
      "efficiency.\n"
      "Example: hybrid-worker bench train run.yaml --threads 1 --json\n"
      "         mpirun -n 4 hybrid-worker bench train run.yaml --tp 2 --require-overlap 97");
  command->callback([options] { bench(*options); });
}

}  // namespace

void add_bench_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bench", "Measure speed and memory");
  command->require_subcommand(1);
  command->footer("Example: hybrid-worker bench train run.yaml --threads 1");
  add_train(*command);
  add_bench_decode(*command);
  add_bench_kernels(*command);
  add_bench_comm(*command);
}

}  // namespace hyscale::parallel
