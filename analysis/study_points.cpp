#include "analysis/study_points.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>
#include <tuple>

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

}  // namespace

std::vector<RunSummary> summaries(const StudySource& source, const StudySettings& settings,
                                  const Conventions& conventions) {
  const FamilyNames names(source.results);
  std::vector<RunSummary> runs;
  for (const ResultRow& row : source.results) {
    const auto known = settings.runs.find(row.run_id);
    const StudySettings::Run set = known == settings.runs.end() ? StudySettings::Run{} : known->second;
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
                    .corpora = corpora_of(row),
                    .phase = set.phase,
                    .tokenizer = set.tokenizer});
  }
  return runs;
}

namespace {

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
          .seed = std::to_string(run.seed),
          .phase = run.phase,
          .tokenizer = run.tokenizer};
}

/// Losses in bits per byte. Runs whose corpus does not know its bytes are left out, with a warning.
void use_bits_per_byte(PointSet& set, const std::vector<RunSummary>& runs) {
  std::map<std::string, double> bits;
  for (const RunSummary& run : runs) bits[run.run] = run.bits_per_byte;
  size_t unknown = 0;
  std::erase_if(set.points, [&](Point& point) {
    const double value = bits.at(point.run);
    if (!std::isfinite(value)) return ++unknown > 0;
    point.standard_error *= value / point.loss;
    point.loss = value;
    return false;
  });
  set.loss_name = "bits_per_byte";
  if (unknown > 0)
    set.warnings.push_back(
        fmt::format("{} runs left out: the bytes of their validation text are not known; prepare the corpus from text "
                    "(hybrid-worker data), or use --metric nats_per_token",
                    unknown));
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

}  // namespace

PointSet points_of(const std::vector<RunSummary>& runs, const std::string& study, const Conventions& conventions) {
  PointSet set{
      .source = study, .n_name = conventions.params, .c_name = conventions.flops, .loss_name = "nats_per_token"};
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
  if (conventions.metric == "bits_per_byte") use_bits_per_byte(set, runs);
  warn_of_doubts(set);
  return set;
}

PointSet points_from_study(const std::string& store, const std::string& study, const Conventions& conventions,
                           ReadFrom where) {
  const StudySource source = read_study(store, study, where);
  PointSet set = points_of(summaries(source, read_settings(store, source.runs), conventions), study, conventions);
  if (set.points.empty())
    set.notices.push_back(fmt::format("No run of '{}' is done yet: see study status {}", study, study));
  return set;
}

}  // namespace hyscale::analysis
