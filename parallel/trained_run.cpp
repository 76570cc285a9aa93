#include "parallel/trained_run.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"

namespace hyscale::parallel {
namespace {

std::unique_ptr<storage::CheckpointReader> open_checkpoint(const TrainedRunOptions& options, const TrainedRun& t) {
  const std::vector<int64_t> steps = storage::list_checkpoints(t.run);
  if (steps.empty())
    throw ConfigError({.what = t.run.path + " has no checkpoint", .remedy = "train it first, or name another run"});
  const int64_t step = options.checkpoint.value_or(steps.back());
  if (std::find(steps.begin(), steps.end(), step) == steps.end())
    throw ConfigError({.what = fmt::format("{} has no checkpoint of step {}", t.run.path, step),
                       .remedy = fmt::format("there is one of step {}", fmt::join(steps, ", "))});
  const std::string path = storage::checkpoint_path(t.run, step);
  auto reader = std::make_unique<storage::CheckpointReader>(path);
  const std::string& run_id = reader->info().run_id;
  if (run_id != t.identity.run_id && run_id != storage::kImportedRunId)
    throw ConfigError(
        {.what = fmt::format("{} belongs to another run than {} with this corpus", path, t.run.run_yaml()),
         .remedy = "give the store that the run was trained from with --store"});
  return reader;
}

void check_extension(const spec::RopeExtension& extension, const spec::ModelConfig& model) {
  const auto turns = [](const spec::BlockConfig& block) { return block.mixer->has_rope(); };
  if (extension.kind == spec::RopeExtension::Kind::none || std::any_of(model.stack.begin(), model.stack.end(), turns))
    return;
  throw ConfigError({.what = fmt::format("--rope-extension {}: no layer of this model has rotary positions",
                                         spec::to_string(extension)),
                     .remedy = "leave it out"});
}

/// The CPU computes in fp32 also what was trained in less.
WorkDevice device_for(const TrainedRunOptions& options, spec::Precision trained, int ranks) {
  const bool cpu = options.device == "cpu" || (options.device == "auto" && cuda_devices() == 0);
  return open_device(options.device, cpu ? spec::Precision::fp32 : trained, true, ranks);
}

}  // namespace

TrainedRun open_trained_run(const TrainedRunOptions& options, int ranks, bool reads_checkpoint) {
  TrainedRun t;
  t.run = {options.run};
  if (!std::filesystem::exists(t.run.run_yaml()))
    throw ConfigError({.what = options.run + " is no run directory: it has no run.yaml",
                       .remedy = "name the --out of hybrid-worker train"});
  spec::RunConfig config = spec::load_run_config(t.run.run_yaml());
  t.device = device_for(options, config.train.precision, ranks);
  t.extension = spec::parse_rope_extension(options.rope_extension);
  check_extension(t.extension, config.model);
  t.data.emplace(config.data, spec::store_directory(options.store));
  if (auto problem = spec::vocabulary_problem(config.model.vocabulary, t.data->manifest()))
    throw ConfigError(std::move(*problem));
  t.identity = identify(std::move(config), t.data->manifest().identity);
  if (reads_checkpoint) t.checkpoint = open_checkpoint(options, t);
  return t;
}

}  // namespace hyscale::parallel
