#include "scheduler/registration.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <tuple>

#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/program.h"

namespace hyscale::scheduler {
namespace {

using storage::CellRow;
using storage::RunRow;

auto key_of(const CellRow& cell) {
  return std::tie(cell.run_id, cell.family, cell.size, cell.budget_kind, cell.budget, cell.axes);
}
using Key = std::tuple<std::string, std::string, std::string, std::string, double, std::string>;

/// Where the worker finds the corpora from any directory.
std::string config_text(spec::RunConfig config) {
  const auto absolute = [](std::string& corpus) {
    if (corpus.find('/') != std::string::npos) corpus = std::filesystem::absolute(corpus).string();
  };
  absolute(config.data.corpus);
  for (spec::CorpusShare& share : config.data.mixture) absolute(share.corpus);
  return spec::to_yaml(config);
}

const std::string& kind_of(const studies::Plan& plan) {
  return studies::kBudgetKinds[static_cast<size_t>(plan.spec.budgets.kind)];
}

CellRow cell_of(const studies::Plan& plan, const studies::PlannedRun& run) {
  return {.study = plan.spec.name,
          .run_id = run.run_id,
          .family = run.family(),
          .size = run.size(),
          .seed = run.seed(),
          .lr = run.train.optimizer.lr,
          .budget_flops = run.budget_flops,
          .budget_kind = kind_of(plan),
          .budget = run.budget,
          .axes = run.model->axes,
          .role = to_string(run.role),
          .parent = run.parent,
          .cluster = run.cluster(),
          .branch_step = run.branch_step,
          .branch_tokens = run.branch_tokens,
          .checkpoint_at = run.checkpoint_at};
}

storage::RejectedRow rejected_of(const studies::Plan& plan, const studies::RejectedCell& cell) {
  return {.study = plan.spec.name,
          .family = cell.family,
          .size = cell.size,
          .reason = cell.reason,
          .budget_flops = cell.budget_flops,
          .seed = cell.seed,
          .budget_kind = kind_of(plan),
          .budget = cell.budget,
          .axes = cell.axes,
          .context = cell.context};
}

}  // namespace

storage::RunFigures figures_of(const spec::RunConfig& config, const spec::Account& account) {
  const auto& [model, data, train] = config;
  storage::RunFigures f;
  f.context = model.context, f.d_model = model.d_model, f.layers = static_cast<int64_t>(model.stack.size());
  for (const spec::BlockConfig& block : model.stack) f.d_ff = std::max(f.d_ff, block.ffn ? block.ffn->d_ff : 0);
  f.seed = train.seed, f.tokens = train.tokens, f.lr = train.optimizer.lr;
  f.params_total = account.params.total, f.params_non_embedding = account.params.non_embedding;
  f.params_without_head = account.params.without_head, f.params_active = account.params.active;
  f.flops_per_token_paper = account.train_flops_per_token.paper;
  f.flops_per_token_with_head = account.train_flops_per_token.with_head;
  f.flops_per_token_executed = account.train_flops_per_token.executed;
  f.flops_per_token_six_n = account.train_flops_per_token.six_n;
  f.cache_bytes = account.cache_bytes_per_sequence.actual;
  return f;
}

Registration registration_of(const studies::Plan& plan, const Settings& settings) {
  const double now = Clock::system().unix_seconds();
  const std::string base = plan.spec.base.empty() ? "" : read_file(plan.spec.base);
  Registration r{.study = {.name = plan.spec.name,
                           .spec = plan.spec.text,
                           .spec_sha256 = sha256_hex(plan.spec.text),
                           .base = base,
                           .commit = build_commit(),
                           .settings = to_json(settings),
                           .created = now,
                           .updated = now}};
  std::set<std::string> seen;
  for (const studies::PlannedRun& run : plan.runs) {
    if (seen.insert(run.run_id).second)
      r.runs.push_back({.run_id = run.run_id,
                        .config = config_text(run.config()),
                        .figures = figures_of(run.config(), run.model->account)});
    r.cells.push_back(cell_of(plan, run));
  }
  for (const auto* cells : {&plan.rejected, &plan.waiting})
    for (const studies::RejectedCell& cell : *cells) r.rejected.push_back(rejected_of(plan, cell));
  return r;
}

Extension extension(const storage::Database& database, const Registration& registration) {
  std::set<Key> before, now;
  for (const CellRow& cell : database.cells(registration.study.name)) before.insert(key_of(cell));
  for (const CellRow& cell : registration.cells) now.insert(key_of(cell));
  Extension e;
  for (const Key& key : now) ++(before.contains(key) ? e.kept_cells : e.new_cells);
  e.dropped_cells =
      static_cast<int>(std::count_if(before.begin(), before.end(), [&](const Key& key) { return !now.contains(key); }));
  for (const RunRow& run : registration.runs) {
    const auto known = database.run(run.run_id);
    e.new_runs += known ? 0 : 1;
    e.done_runs += known && known->state == "done" ? 1 : 0;
  }
  return e;
}

void add_to_database(storage::Database& database, const Registration& registration) {
  database.transaction([&] {
    database.put_study(registration.study);
    for (const RunRow& run : registration.runs) database.add_run(run);
    for (const CellRow& cell : registration.cells) database.put_cell(cell);
    database.put_rejected(registration.study.name, registration.rejected);
  });
}

Registration merged(Registration fresh, const Registration& before) {
  fresh.study.created = before.study.created;
  std::set<std::string> runs;
  for (const RunRow& run : fresh.runs) runs.insert(run.run_id);
  for (const RunRow& run : before.runs)
    if (!runs.contains(run.run_id)) fresh.runs.push_back(run);
  std::set<Key> cells;
  for (const CellRow& cell : fresh.cells) cells.insert(key_of(cell));
  for (const CellRow& cell : before.cells)
    if (!cells.contains(key_of(cell))) fresh.cells.push_back(cell);
  return fresh;
}

}  // namespace hyscale::scheduler
