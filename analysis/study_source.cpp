#include "analysis/study_source.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "storage/db/archive.h"
#include "storage/db/database.h"
#include "storage/files/run_directory.h"

namespace hyscale::analysis {
namespace {

using storage::CellRow;
using storage::ResultRow;
using storage::RunRow;

[[noreturn]] void no_such_study(const std::string& where, const std::string& name,
                                const std::vector<std::string>& names) {
  const std::string like = nearest(name, names);
  throw ConfigError(Problem{.what = fmt::format("{} has no study '{}'", where, name),
                            .remedy = !like.empty()   ? fmt::format("did you mean '{}'?", like)
                                      : names.empty() ? "submit it first: study submit SPEC.yaml"
                                                      : fmt::format("choose one of: {}", fmt::join(names, ", "))});
}

StudySource from_database(const std::string& store, const std::string& name) {
  const storage::Database database(store, storage::Database::Mode::read);
  const auto row = database.study(name);
  if (!row) {
    std::vector<std::string> names;
    for (const storage::StudyRow& known : database.studies()) names.push_back(known.name);
    no_such_study(storage::database_path(store), name, names);
  }
  return {.study = *row,
          .results = database.results(name),
          .runs = database.runs(name),
          .rejected = database.rejected(name)};
}

/// What a cell asks for and its run costs; nothing of how it went.
ResultRow planned_row(const CellRow& cell, const storage::RunFigures& f) {
  const auto tokens = static_cast<double>(f.tokens);
  return {.study = cell.study,
          .run_id = cell.run_id,
          .family = cell.family,
          .size = cell.size,
          .state = "planned",
          .role = cell.role,
          .cluster = cell.cluster,
          .seed = cell.seed,
          .lr = cell.lr,
          .context = f.context,
          .d_model = f.d_model,
          .layers = f.layers,
          .d_ff = f.d_ff,
          .params_total = f.params_total,
          .params_non_embedding = f.params_non_embedding,
          .params_without_head = f.params_without_head,
          .params_active = f.params_active,
          .budget_flops = cell.budget_flops,
          .budget_kind = cell.budget_kind,
          .budget = cell.budget,
          .axes = cell.axes,
          .tokens = f.tokens,
          .flops_paper = f.flops_per_token_paper * tokens,
          .flops_with_head = f.flops_per_token_with_head * tokens,
          .flops_executed = f.flops_per_token_executed * tokens,
          .flops_six_n = f.flops_per_token_six_n * tokens,
          .flops_per_token_with_head = f.flops_per_token_with_head,
          .cache_bytes = f.cache_bytes,
          .validation_loss = std::nan(""),
          .bits_per_byte = std::nan(""),
          .standard_error = std::nan("")};
}

/// Adds what the run's directory says: its result, or how far it has come.
void add_outcome(ResultRow& row) {
  const storage::RunDirectory run{row.directory};
  try {
    const auto status = storage::read_status(run);
    if (status) row.busy_seconds = status->busy_seconds, row.cause = status->message;
    if (status) row.state = status->state == storage::WorkerState::stopped ? "running" : to_string(status->state);
    if (!std::filesystem::exists(run.run_h5())) return;
    const storage::RunRecord record = storage::read_run_record(run.run_h5());
    if (record.run_id != row.run_id || record.evals.empty())
      throw DamagedFile({.what = run.run_h5() + " is not the record of this run"});
    row.state = "done";
    const storage::EvalRow& last = record.evals.back();
    row.validation_loss = last.loss, row.bits_per_byte = last.bits_per_byte, row.standard_error = last.standard_error;
    for (const storage::CorpusLoss& part : last.corpora)
      row.corpora.push_back({part.corpus, part.loss, part.bits_per_byte, part.standard_error});
  } catch (const Error& error) {
    row.state = "failed", row.cause = error.what();
  }
}

StudySource from_directories(const std::string& store, const std::string& name) {
  const auto names = storage::archived_studies(store);
  if (std::find(names.begin(), names.end(), name) == names.end()) no_such_study(store + "/studies", name, names);
  storage::StudyArchive archive = storage::read_archive(store, name);
  std::unordered_map<std::string, const RunRow*> runs;
  for (const RunRow& run : archive.runs) runs.emplace(run.run_id, &run);
  StudySource source{.study = archive.study, .results = {}, .runs = {}, .rejected = std::move(archive.rejected)};
  ProgressLine line;
  for (const CellRow& cell : archive.cells) {
    const auto run = runs.find(cell.run_id);
    if (run == runs.end()) continue;
    ResultRow& row = source.results.emplace_back(planned_row(cell, run->second->figures));
    row.directory = store + "/runs/" + row.run_id;
    add_outcome(row);
    line.show(fmt::format("run directory {} of {}", source.results.size(), archive.cells.size()));
  }
  line.clear();
  source.runs = std::move(archive.runs);
  return source;
}

}  // namespace

StudySource read_study(const std::string& store, const std::string& study, ReadFrom where) {
  return where == ReadFrom::database ? from_database(store, study) : from_directories(store, study);
}

}  // namespace hyscale::analysis
