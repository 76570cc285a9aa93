#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

#include "analysis/curves.h"
#include "analysis/study_points.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "storage/files/run_directory.h"
#include "studies/study_spec.h"

namespace hyscale::analysis {
namespace {

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

void add_corpora(Dataset& data, const StudySettings& settings) {
  for (const auto& [name, corpus] : settings.corpora)
    data.provenance.emplace_back("corpus " + name,
                                 fmt::format("{} training and {} validation tokens, vocabulary {}, SHA-256 {}, unigram "
                                             "entropy {:.4f} nats per token",
                                             corpus.train_tokens, corpus.validation_tokens, corpus.vocabulary,
                                             corpus.identity.corpus_sha256, corpus.unigram_entropy));
  if (settings.corpora.size() == 1) data.unigram_entropy = settings.corpora.begin()->second.unigram_entropy;
  data.problems.insert(data.problems.end(), settings.problems.begin(), settings.problems.end());
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

Dataset dataset_from_study(const std::string& store, const std::string& study, const Conventions& conventions,
                           ReadFrom where) {
  const StudySource source = read_study(store, study, where);
  const storage::StudyRow& row = source.study;
  const StudySettings settings = read_settings(store, source.runs);
  Dataset data{.runs = summaries(source, settings, conventions)};
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
  add_corpora(data, settings);
  for (const auto& [name, values] : gathered)
    data.provenance.emplace_back("runs: " + name, fmt::format("{}", fmt::join(values, "; ")));
  return data;
}

}  // namespace hyscale::analysis
