#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>

#include "core/base/error.h"
#include "core/spec/mixture.h"
#include "core/spec/split.h"
#include "parallel/commands.h"
#include "parallel/inspect_checkpoint.h"
#include "parallel/inspect_text.h"
#include "parallel/mesh.h"
#include "parallel/step_options.h"

namespace hyscale::parallel {

namespace {

struct Options {
  std::string path;
  std::string store;
  std::vector<std::string> set;
  int64_t dp = 1, tp = 1;
  int64_t micro_batch = 0;  // 0: as train chooses it
  spec::Recompute recompute = spec::Recompute::none;
  bool json = false;
};

// How train would run it; the same rules.
spec::ExecutionShape execution_of(const Options& options, const spec::RunConfig& config) {
  spec::check_split(config.model, options.tp);
  const int64_t sequences = batch_sequences(config);
  if (sequences % options.dp != 0)
    throw ConfigError(
        {.what = fmt::format("a batch of {} sequences does not split over --dp {}", sequences, options.dp),
         .why = "every rank must take the same number of sequences",
         .remedy = "use a divisor"});
  const int64_t local = sequences / options.dp;
  const int64_t wanted = options.micro_batch > 0 ? options.micro_batch : spec::usual_micro_batch(config.model.context);
  const bool gpu = config.train.precision != spec::Precision::fp32;  // the CPU computes in fp32 only
  return {.tp = options.tp,
          .dp = options.dp,
          .micro_batch = std::min(wanted, local),
          .precision = config.train.precision,
          .gpu = gpu,
          .recompute = options.recompute};
}

Inspection inspect(const Options& options) {
  namespace fs = std::filesystem;
  const std::string file = fs::is_directory(options.path) ? options.path + "/run.yaml" : options.path;
  Inspection result;
  result.config = spec::load_run_config(file, options.set);
  result.account = spec::account(result.config.model, result.config.model.context, result.config.train.precision);
  result.execution = execution_of(options, result.config);
  result.memory = spec::memory_per_rank(result.config.model, result.execution);
  try {
    const auto data = spec::load_data_manifest(result.config.data, spec::store_directory(options.store));
    result.run_id = spec::run_id(result.config, data.identity);
    if (const auto problem = spec::vocabulary_problem(result.config.model.vocabulary, data))
      result.id_problem = problem->what + ": train would refuse";
  } catch (const ConfigError& e) {
    result.id_problem = e.problems().at(0).what;
  }
  return result;
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show a model's parameters, FLOPs, caches and run id; or what a checkpoint holds");
  command->add_option("run", options->path, "A run.yaml, a run directory, or a checkpoint")
      ->required()
      ->type_name("RUN.yaml|DIR|CHECKPOINT");
  command->add_option("--set", options->set, "Change a value first: a.b=c (may be repeated)")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--store", options->store, "Store with the corpus (default: HYSCALE_STORE, ./hyscale-store)");
  add_recompute_option(*command, options->recompute);
  command
      ->add_option("--micro-batch", options->micro_batch, "Sequences of one forward pass (memory; default: as train)")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--dp", options->dp, "Data-parallel ranks (memory; default 1)")->check(CLI::Range(1, 1'000'000));
  command->add_option("--tp", options->tp, "Ranks that hold a part of the model each (memory; default 1)")
      ->check(CLI::Range(1, 1'000'000));
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Example: hybrid-worker inspect run.yaml --set model.context=8192 --json\n"
      "         hybrid-worker inspect run.yaml --micro-batch 4 --dp 8 --tp 2\n"
      "         hybrid-worker inspect runs/first/checkpoints/step-000000400.h5");
  command->callback([options] {
    if (is_hdf5(options->path)) {
      const auto show = options->json ? checkpoint_json : checkpoint_text;
      std::fputs(show(options->path).c_str(), stdout);
      return;
    }
    const Inspection result = inspect(*options);
    std::fputs((options->json ? inspection_json(result) : inspection_text(result)).c_str(), stdout);
  });
}

}  // namespace hyscale::parallel
