#include "parallel/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/spec/memory.h"
#include "parallel/device.h"
#include "parallel/mpi_collective.h"
#include "parallel/run_identity.h"
#include "parallel/threads.h"
#include "parallel/together.h"
#include "parallel/train_state.h"
#include "parallel/validation.h"

namespace hyscale::parallel {
namespace {

/// Everything that an evaluation reads before it computes.
struct Evaluation {
  storage::RunDirectory run;
  WorkDevice device;
  RunIdentity identity;
  std::optional<data::Mixture> data;
  spec::RopeExtension extension;
  ValidationPlan plan;
  Mesh mesh;
  std::unique_ptr<storage::CheckpointReader> checkpoint;  // rank 0 only

  int64_t targets() const {  // every token but a corpus's first
    int64_t count = 0;
    for (const data::Corpus& corpus : data->corpora()) count += corpus.size(true) - 1;
    return count;
  }
  int64_t windows() const {
    int64_t count = 0;
    for (const data::Corpus& corpus : data->corpora()) count += data::validation_windows(corpus, plan.context);
    return count;
  }
};

std::unique_ptr<storage::CheckpointReader> open_checkpoint(const EvalOptions& options, const Evaluation& e) {
  const std::vector<int64_t> steps = storage::list_checkpoints(e.run);
  if (steps.empty())
    throw ConfigError({.what = e.run.path + " has no checkpoint", .remedy = "train it first, or name another run"});
  const int64_t step = options.checkpoint.value_or(steps.back());
  if (std::find(steps.begin(), steps.end(), step) == steps.end())
    throw ConfigError({.what = fmt::format("{} has no checkpoint of step {}", e.run.path, step),
                       .remedy = fmt::format("there is one of step {}", fmt::join(steps, ", "))});
  const std::string path = storage::checkpoint_path(e.run, step);
  auto reader = std::make_unique<storage::CheckpointReader>(path);
  const std::string& run_id = reader->info().run_id;
  if (run_id != e.identity.run_id && run_id != storage::kImportedRunId)
    throw ConfigError(
        {.what = fmt::format("{} belongs to another run than {} with this corpus", path, e.run.run_yaml()),
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
WorkDevice device_for(const EvalOptions& options, spec::Precision trained, int ranks) {
  const bool cpu = options.device == "cpu" || (options.device == "auto" && cuda_devices() == 0);
  return open_device(options.device, cpu ? spec::Precision::fp32 : trained, true, ranks);
}

void prepare(const EvalOptions& options, World& world, Evaluation& e) {
  e.run = {options.run};
  if (!std::filesystem::exists(e.run.run_yaml()))
    throw ConfigError({.what = options.run + " is no run directory: it has no run.yaml",
                       .remedy = "name the --out of hybrid-worker train"});
  spec::RunConfig config = spec::load_run_config(e.run.run_yaml());
  e.device = device_for(options, config.train.precision, world.ranks().size());
  e.extension = spec::parse_rope_extension(options.rope_extension);
  check_extension(e.extension, config.model);
  e.mesh = make_mesh(world.ranks().size(), options.tp, config.model);
  check_on_one_host(e.mesh, world.first_on_host());
  e.data.emplace(config.data, spec::store_directory(options.store));
  if (auto problem = spec::vocabulary_problem(config.model.vocabulary, e.data->manifest()))
    throw ConfigError(std::move(*problem));
  e.identity = identify(std::move(config), e.data->manifest().identity);
  e.plan.context = options.context > 0 ? options.context : e.identity.config.model.context;
  e.plan.documents_apart = !e.identity.config.data.cross_document;
  e.plan.micro_batch = options.micro_batch > 0 ? options.micro_batch : spec::usual_micro_batch(e.plan.context);
  if (world.ranks().rank() == 0) e.checkpoint = open_checkpoint(options, e);
  set_threads(options.threads, world.local_ranks(), {});
}

nlohmann::json number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

std::string to_json(const Evaluation& e, const storage::EvalRow& row) {
  nlohmann::ordered_json json{{"run_id", e.identity.run_id},
                              {"step", row.step},
                              {"trained_tokens", row.tokens},
                              {"context", e.plan.context},
                              {"trained_context", e.identity.config.model.context},
                              {"rope_extension", spec::to_string(e.extension)},
                              {"tokens", e.targets()},
                              {"loss", number(row.loss)},
                              {"standard_error", number(row.standard_error)},
                              {"perplexity", number(std::exp(row.loss))},
                              {"bits_per_byte", number(row.bits_per_byte)}};
  for (const storage::CorpusLoss& one : row.corpora)
    json["corpora"].push_back({{"corpus", one.corpus},
                               {"loss", number(one.loss)},
                               {"standard_error", number(one.standard_error)},
                               {"bits_per_byte", number(one.bits_per_byte)}});
  return json.dump(2) + "\n";
}

std::string line(const std::string& name, const storage::CorpusLoss& loss) {
  std::string text = fmt::format("{:<16}{:.5f} nats/token", name, loss.loss);
  if (std::isfinite(loss.standard_error)) text += fmt::format(" ± {:.5f}", loss.standard_error);
  if (std::isfinite(loss.bits_per_byte)) text += fmt::format(", {:.5f} bits/byte", loss.bits_per_byte);
  return text + "\n";
}

std::string to_text(const Evaluation& e, const storage::EvalRow& row) {
  std::string text = fmt::format("run {}, step {}: {} tokens in windows of {} (trained: {}), rope extension {}\n",
                                 e.identity.run_id.substr(0, 12), row.step, e.targets(), e.plan.context,
                                 e.identity.config.model.context, spec::to_string(e.extension));
  text += line("validation loss", {"", row.loss, row.bits_per_byte, row.standard_error});
  for (const storage::CorpusLoss& one : row.corpora) text += line("  " + one.corpus, one);
  return text + fmt::format("{:<16}{:.5f}\n", "perplexity", std::exp(row.loss));
}

storage::EvalRow compute(Evaluation& e, const Groups& groups) {
  HostTensorGroup tensor(groups.tensor);
  model::Model model(e.identity.config.model, e.device.compute, e.extension, e.device.context(),
                     e.mesh.tp > 1 ? &tensor : nullptr);
  model.multiply_in_float8(e.device.float8);
  load_weights(e.checkpoint.get(), model.parameters(), groups.world);
  Collective& ranks = groups.data;
  ProgressLine progress;
  int64_t done = 0;
  const int64_t mine = std::max<int64_t>(1, e.windows() / ranks.size());
  const auto alive = [&] {
    done = std::min(mine, done + e.plan.micro_batch);
    if (groups.world.rank() == 0)
      progress.show(fmt::format("evaluating: {} of {} windows", done * ranks.size(), mine * ranks.size()));
  };
  storage::EvalRow row = validate(model, *e.data, e.plan, ranks, alive);
  progress.clear();
  return row;
}

}  // namespace

void evaluate(const EvalOptions& options) {
  World world;
  Collective& ranks = world.ranks();
  log::set_quiet(ranks.rank() != 0);
  Evaluation e;
  together(ranks, [&] { prepare(options, world, e); });
  try {
    storage::EvalRow row = compute(e, world.groups(e.mesh));
    if (ranks.rank() != 0) return;
    row.step = e.checkpoint->info().step;
    row.tokens = e.checkpoint->info().tokens;
    std::fputs((options.json ? to_json(e, row) : to_text(e, row)).c_str(), stdout);
  } catch (const std::exception& error) {
    end_all_ranks(world, error);
  }
}

}  // namespace hyscale::parallel
