#include "storage/files/curve.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/base/error.h"
#include "storage/files/journal.h"

namespace hyscale::storage {
namespace {

template <class Row>
using Rows = std::map<int64_t, Row>;

template <class Row>
std::vector<Row> values(const Rows<Row>& rows) {
  std::vector<Row> list;
  list.reserve(rows.size());
  for (const auto& [step, row] : rows) list.push_back(row);
  return list;
}

/// Attempts by number, journal first; attempt files fill in what the journal lacks.
std::map<int, AttemptRows> gather(const RunDirectory& run, Curve& curve) {
  JournalContent journal = read_journal(run.journal());
  curve.damage = std::move(journal.damage);
  std::map<int, AttemptRows> attempts;
  for (AttemptRows& rows : journal.attempts) attempts[rows.attempt] = std::move(rows);
  const int last = attempts.empty() ? 0 : attempts.rbegin()->first;
  for (int k = 0; k <= last || std::filesystem::exists(run.attempt(k)); ++k) {
    if (!std::filesystem::exists(run.attempt(k))) continue;
    try {
      RunRecord record = read_run_record(run.attempt(k));
      if (record.steps.empty()) continue;
      AttemptRows& rows = attempts.try_emplace(k, AttemptRows{k, record.steps[0].step - 1, {}, {}}).first->second;
      if (record.steps.size() > rows.steps.size()) rows.steps = std::move(record.steps);
      if (record.evals.size() > rows.evals.size()) rows.evals = std::move(record.evals);
    } catch (const DamagedFile& e) {
      curve.damage.push_back(e.problems().front().what);
    }
  }
  return attempts;
}

}  // namespace

int64_t Curve::complete_until() const {
  int64_t last = 0;
  for (const StepRow& row : steps) {
    if (row.step != last + 1) break;
    last = row.step;
  }
  return last;
}

Curve stitch_curve(const RunDirectory& run) {
  Curve curve;
  Rows<StepRow> steps;
  Rows<EvalRow> evals;
  for (const auto& [k, attempt] : gather(run, curve)) {
    steps.erase(steps.upper_bound(attempt.from), steps.end());
    evals.erase(evals.upper_bound(attempt.from), evals.end());
    for (const StepRow& row : attempt.steps) {
      steps[row.step] = row;
      if (k > 0) curve.busy_seconds += row.seconds;
    }
    for (const EvalRow& row : attempt.evals) evals[row.step] = row;
    curve.attempts = std::max(curve.attempts, k);
  }
  curve.steps = values(steps);
  curve.evals = values(evals);
  return curve;
}

Curve read_curve(const RunDirectory& run) {
  if (!std::filesystem::exists(run.run_h5())) return stitch_curve(run);
  try {
    RunRecord record = read_run_record(run.run_h5());
    Curve curve{.steps = std::move(record.steps), .evals = std::move(record.evals), .damage = {}};
    for (const StepRow& row : curve.steps) curve.busy_seconds += row.seconds;
    return curve;
  } catch (const DamagedFile& e) {
    Curve curve = stitch_curve(run);
    curve.damage.push_back(e.problems().front().what);
    return curve;
  }
}

}  // namespace hyscale::storage
