#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>
#include <tuple>

#include "analysis/curves.h"
#include "analysis/dataset.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/spec/corpus_manifest.h"
#include "core/spec/run_config.h"
#include "storage/files/run_directory.h"
#include "studies/study_spec.h"

namespace hyscale::analysis {
namespace {

using storage::ResultRow;

double parameters_of(const ResultRow& row, const std::string& convention) {
  if (convention == "total") return static_cast<double>(row.params_total);
  if (convention == "without_head") return static_cast<double>(row.params_without_head);
  if (convention == "active") return static_cast<double>(row.params_active);
  return static_cast<double>(row.params_non_embedding);
}

double flops_of(const ResultRow& row, const std::string& convention) {
  if (convention == "paper") return row.flops_paper;
  if (convention == "executed") return row.flops_executed;
  if (convention == "six_n") return row.flops_six_n;
  return row.flops_with_head;
}

std::vector<RunSummary::CorpusLoss> corpora_of(const ResultRow& row) {
  std::vector<RunSummary::CorpusLoss> corpora;
  for (const storage::CorpusLossRow& part : row.corpora)
    corpora.push_back({part.corpus, part.loss, part.standard_error, part.bits_per_byte});
  return corpora;
}

/// Runs with other contexts or other settings of the axes belong to other curves: each setting is a family of its own,
/// "mamba weight_decay=0.01 context=512", as soon as the study has several.
class FamilyNames {
 public:
  explicit FamilyNames(const std::vector<ResultRow>& rows) {
    for (const ResultRow& row : rows) contexts_.insert(row.context), axes_.insert(row.axes);
  }
  std::string of(const std::string& family, const std::string& axes, int64_t context) const {
    std::string name = family;
    if (axes_.size() > 1 && !axes.empty()) name += " " + short_paths(axes);
    if (contexts_.size() > 1 && context > 0) name += fmt::format(" context={}", context);
    return name;
  }

 private:
  // "train.optimizer.weight_decay=0.1" as "weight_decay=0.1"
  static std::string short_paths(const std::string& axes) {
    std::string text;
    for (size_t begin = 0; begin < axes.size();) {
      const size_t equals = axes.find('=', begin), dot = axes.rfind('.', equals);
      const size_t next = next_path(axes, equals);
      text += axes.substr(dot == std::string::npos || dot < begin ? begin : dot + 1, next - std::max(begin, dot + 1));
      begin = next;
    }
    return text;
  }
  // A value may hold spaces, as a list does; a path is what stands before the next '='.
  static size_t next_path(const std::string& axes, size_t equals) {
    const size_t next_equals = axes.find('=', equals + 1);
    if (next_equals == std::string::npos) return axes.size();
    return axes.rfind(' ', next_equals) + 1;
  }

  std::set<int64_t> contexts_;
  std::set<std::string> axes_;
};

std::vector<RunSummary> summaries(const std::vector<ResultRow>& rows, const Conventions& conventions) {
  const FamilyNames names(rows);
  std::vector<RunSummary> runs;
  for (const ResultRow& row : rows)
    runs.push_back({.family = names.of(row.family, row.axes, row.context),
                    .size = row.size,
                    .state = row.state,
                    .cause = row.cause,
                    .role = row.role,
                    .run = row.run_id,
                    .cluster = row.cluster,
                    .directory = row.directory,
                    .seed = row.seed,
                    .lr = row.lr,
                    .budget = row.budget_flops,
                    .asked = row.budget,
                    .n = parameters_of(row, conventions.params),
                    .d = static_cast<double>(row.tokens),
                    .c = flops_of(row, conventions.flops),
                    .loss = row.validation_loss,
                    .standard_error = row.standard_error,
                    .bits_per_byte = row.bits_per_byte,
                    .seconds = row.busy_seconds,
                    .corpora = corpora_of(row)});
  return runs;
}

Point point_of(const RunSummary& run) {
  return {.family = run.family,
          .size = run.size,
          .budget = run.budget,
          .n = run.n,
          .d = run.d,
          .c = run.c,
          .loss = run.loss,
          .standard_error = run.standard_error,
          .run = run.run,
          .cluster = run.cluster,
          .seed = std::to_string(run.seed)};
}

// Cells whose best learning rate is the smallest or the largest tried.
void warn_of_rates_at_the_edge(const std::vector<RunSummary>& runs, PointSet& set) {
  using Cell = std::tuple<std::string, std::string, double, double, int64_t>;
  std::map<Cell, std::map<double, double>> sweeps;  // loss by rate
  for (const RunSummary& run : runs)
    if (run.state == "done" && std::isfinite(run.loss) && std::isfinite(run.lr))
      sweeps[{run.family, run.size, run.budget, run.asked, run.seed}][run.lr] = run.loss;
  std::vector<std::string> edges;
  for (const auto& [cell, losses] : sweeps) {
    if (losses.size() < 2) continue;
    const auto best = std::min_element(losses.begin(), losses.end(),
                                       [](const auto& x, const auto& y) { return x.second < y.second; });
    const bool low = best == losses.begin(), high = std::next(best) == losses.end();
    if (low || high)
      edges.push_back(fmt::format("{} {} at {:g}, the {} of {}", std::get<0>(cell), std::get<1>(cell), best->first,
                                  low ? "smallest" : "largest", losses.size()));
  }
  if (!edges.empty())
    set.warnings.push_back(
        fmt::format("the best learning rate stands at the edge of its sweep: {}; sweep further that "
                    "way, or these losses are too high",
                    fmt::join(edges, "; ")));
}

PointSet points_of(const std::vector<RunSummary>& runs, const std::string& study, const Conventions& conventions) {
  PointSet set{.source = study, .n_name = conventions.params, .c_name = conventions.flops};
  std::map<std::tuple<std::string, std::string, double, double, int64_t>, size_t> best;  // cell without its rate
  std::set<std::string> families_tuned;
  for (const RunSummary& run : runs) {
    if (run.state != "done" || !std::isfinite(run.loss)) continue;
    const auto [place, fresh] =
        best.try_emplace({run.family, run.size, run.budget, run.asked, run.seed}, set.points.size());
    if (fresh) {
      set.points.push_back(point_of(run));
      continue;
    }
    Point& kept = set.points[place->second];
    if (kept.run == run.run) continue;
    families_tuned.insert(run.family);
    if (run.loss < kept.loss) kept = point_of(run);
  }
  if (!families_tuned.empty())
    set.notices.push_back(
        fmt::format("Several learning rates of one cell: the one with the lowest validation loss was kept ({}). Taking "
                    "the best of several favours the families that had more tries.",
                    fmt::join(families_tuned, ", ")));
  warn_of_rates_at_the_edge(runs, set);
  return set;
}

// The values of one provenance name over all runs, each once.
using Gathered = std::map<std::string, std::set<std::string>>;

void read_records(Dataset& data, Gathered& gathered) {
  std::map<std::pair<std::string, std::string>, const RunSummary*> longest;
  std::set<std::string> seen;
  for (const RunSummary& run : data.runs) {
    if (run.state != "done" || !seen.insert(run.family + "\n" + run.run).second) continue;
    const RunSummary*& kept = longest[{run.family, run.size}];
    if (kept == nullptr || run.d > kept->d) kept = &run;
  }
  for (const auto& [key, run] : longest) {
    const storage::RunDirectory directory{run->directory};
    try {
      const storage::RunRecord record = storage::read_run_record(directory.run_h5());
      data.curves.push_back({.family = run->family,
                             .size = run->size,
                             .run = run->run,
                             .n = run->n,
                             .loss_at = thinned_losses(record.steps)});
      for (const auto& [name, value] : record.provenance)
        if (!value.empty()) gathered[name].insert(value);
    } catch (const Error& error) {
      data.problems.emplace_back(error.what());
    }
  }
}

std::set<std::string> corpus_names(Dataset& data, const std::vector<storage::RunRow>& runs) {
  std::set<std::string> names;
  for (const storage::RunRow& run : runs) {
    try {
      for (const auto& share : spec::parse_run_config(run.config, "run " + run.run_id).data.shares())
        names.insert(share.corpus);
    } catch (const Error& error) {
      data.problems.emplace_back(error.what());
    }
  }
  return names;
}

void add_corpora(Dataset& data, const std::string& store, const std::set<std::string>& names) {
  for (const std::string& name : names) {
    try {
      const spec::CorpusManifest corpus = spec::load_corpus_manifest(spec::corpus_directory(store, name));
      data.provenance.emplace_back(
          "corpus " + name, fmt::format("{} training and {} validation tokens, vocabulary {}, SHA-256 {}, unigram "
                                        "entropy {:.4f} nats per token",
                                        corpus.train_tokens, corpus.validation_tokens, corpus.vocabulary,
                                        corpus.identity.corpus_sha256, corpus.unigram_entropy));
      if (names.size() == 1) data.unigram_entropy = corpus.unigram_entropy;
    } catch (const Error& error) {
      data.problems.emplace_back(error.what());
    }
  }
}

void add_seeds(Dataset& data) {
  std::set<int64_t> seeds;
  for (const RunSummary& run : data.runs) seeds.insert(run.seed);
  data.provenance.emplace_back("seeds", fmt::format("{}", fmt::join(seeds, ", ")));
}

/// A question about families is asked once for each setting that both were trained with, where they have several.
std::vector<studies::Question> for_each_setting(const studies::Question& question, const PointSet& set) {
  const std::vector<std::string> names = set.families();
  std::vector<studies::Question> asked;
  for (const std::string& name : names) {
    if (!name.starts_with(question.compare[0] + " ")) continue;
    const std::string setting = name.substr(question.compare[0].size());
    if (std::find(names.begin(), names.end(), question.compare[1] + setting) == names.end()) continue;
    studies::Question& one = asked.emplace_back(question);
    for (std::string& family : one.compare) family += setting;
    one.ask += " (" + setting.substr(1) + ")";
  }
  if (asked.empty()) asked.push_back(question);
  return asked;
}

void read_questions(Dataset& data, const storage::StudyRow& row) {
  try {
    for (const studies::Question& question : studies::parse_study_spec(row.spec, row.name + "/spec.yaml").questions)
      for (studies::Question& one : for_each_setting(question, data.set)) data.questions.push_back(std::move(one));
  } catch (const Error& error) {
    data.problems.push_back(fmt::format("the questions of the study's spec: {}", error.what()));
  }
}

std::string unit_of(const std::string& budget_kind) {
  if (budget_kind == "tokens") return "tokens";
  return budget_kind == "flops" ? "FLOPs" : "tokens per parameter";
}

}  // namespace

PointSet points_from_study(const std::string& store, const std::string& study, const Conventions& conventions,
                           ReadFrom where) {
  PointSet set = points_of(summaries(read_study(store, study, where).results, conventions), study, conventions);
  if (set.points.empty())
    set.notices.push_back(fmt::format("No run of '{}' is done yet: see study status {}", study, study));
  return set;
}

Dataset dataset_from_study(const std::string& store, const std::string& study, const Conventions& conventions,
                           ReadFrom where) {
  const StudySource source = read_study(store, study, where);
  const storage::StudyRow& row = source.study;
  Dataset data{.runs = summaries(source.results, conventions)};
  data.set = points_of(data.runs, study, conventions);
  for (const storage::RejectedRow& cell : source.rejected)
    data.rejected.push_back(fmt::format("{} {} at {:g} {}: {}", cell.family, cell.size, cell.budget,
                                        unit_of(cell.budget_kind), cell.reason));
  data.provenance = {{"study", row.name},
                     {"spec SHA-256", row.spec_sha256},
                     {"planned by commit", row.commit},
                     {"submitted", format_utc(row.created)}};
  read_questions(data, row);
  Gathered gathered;
  read_records(data, gathered);
  add_seeds(data);
  add_corpora(data, store, corpus_names(data, source.runs));
  for (const auto& [name, values] : gathered)
    data.provenance.emplace_back("runs: " + name, fmt::format("{}", fmt::join(values, "; ")));
  return data;
}

}  // namespace hyscale::analysis
