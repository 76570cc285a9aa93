#include "parallel/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/spec/memory.h"
#include "parallel/mpi_collective.h"
#include "parallel/threads.h"
#include "parallel/together.h"
#include "parallel/train_state.h"
#include "parallel/trained_run.h"
#include "parallel/validation.h"

namespace hyscale::parallel {
namespace {

/// Everything that an evaluation reads before it computes.
struct Evaluation {
  TrainedRun trained;
  ValidationPlan plan;
  Mesh mesh;

  int64_t targets() const {  // every token but a corpus's first
    int64_t count = 0;
    for (const data::Corpus& corpus : trained.data->corpora()) count += corpus.size(true) - 1;
    return count;
  }
  int64_t windows() const {
    int64_t count = 0;
    for (const data::Corpus& corpus : trained.data->corpora()) count += data::validation_windows(corpus, plan.context);
    return count;
  }
};

void prepare(const EvalOptions& options, World& world, Evaluation& e) {
  e.trained = open_trained_run(options.trained, world.ranks().size(), world.ranks().rank() == 0);
  const spec::RunConfig& config = e.trained.identity.config;
  e.mesh = make_mesh(world.ranks().size(), options.tp, config.model);
  check_on_one_host(e.mesh, world.first_on_host());
  e.plan.context = options.context > 0 ? options.context : config.model.context;
  e.plan.documents_apart = !config.data.cross_document;
  e.plan.micro_batch = options.micro_batch > 0 ? options.micro_batch : spec::usual_micro_batch(e.plan.context);
  set_threads(options.threads, world.local_ranks(), {});
}

nlohmann::json number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

std::string to_json(const Evaluation& e, const storage::EvalRow& row) {
  nlohmann::ordered_json json{{"run_id", e.trained.identity.run_id},
                              {"step", row.step},
                              {"trained_tokens", row.tokens},
                              {"context", e.plan.context},
                              {"trained_context", e.trained.identity.config.model.context},
                              {"rope_extension", spec::to_string(e.trained.extension)},
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
                                 e.trained.identity.run_id.substr(0, 12), row.step, e.targets(), e.plan.context,
                                 e.trained.identity.config.model.context, spec::to_string(e.trained.extension));
  text += line("validation loss", {"", row.loss, row.bits_per_byte, row.standard_error});
  for (const storage::CorpusLoss& one : row.corpora) text += line("  " + one.corpus, one);
  return text + fmt::format("{:<16}{:.5f}\n", "perplexity", std::exp(row.loss));
}

storage::EvalRow compute(Evaluation& e, const Groups& groups) {
  const TrainedRun& t = e.trained;
  HostTensorGroup tensor(groups.tensor);
  model::Model model(t.identity.config.model, t.device.compute, t.extension, t.device.context(),
                     e.mesh.tp > 1 ? &tensor : nullptr);
  model.multiply_in_float8(t.device.float8);
  load_weights(t.checkpoint.get(), model.parameters(), groups.world);
  Collective& ranks = groups.data;
  ProgressLine progress;
  int64_t done = 0;
  const int64_t mine = std::max<int64_t>(1, e.windows() / ranks.size());
  const auto alive = [&] {
    done = std::min(mine, done + e.plan.micro_batch);
    if (groups.world.rank() == 0)
      progress.show(fmt::format("evaluating: {} of {} windows", done * ranks.size(), mine * ranks.size()));
  };
  storage::EvalRow row = validate(model, *e.trained.data, e.plan, ranks, alive);
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
    row.step = e.trained.checkpoint->info().step;
    row.tokens = e.trained.checkpoint->info().tokens;
    std::fputs((options.json ? to_json(e, row) : to_text(e, row)).c_str(), stdout);
  } catch (const std::exception& error) {
    end_all_ranks(world, error);
  }
}

}  // namespace hyscale::parallel
