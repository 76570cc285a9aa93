#include "storage/db/archive.h"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

// The database's rows as JSON, so that a study outlives its database and later versions of the planner.
namespace hyscale::storage {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StudyRow, name, spec, spec_sha256, base, commit, settings, created, updated)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RunFigures, context, d_model, layers, d_ff, seed, tokens, lr, params_total,
                                   params_non_embedding, params_without_head, params_active, flops_per_token_paper,
                                   flops_per_token_with_head, flops_per_token_executed, flops_per_token_six_n,
                                   cache_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CellRow, study, run_id, family, size, seed, lr, budget_flops, budget_kind, budget,
                                   axes, role, parent, cluster, branch_step, branch_tokens, checkpoint_at)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RejectedRow, study, family, size, reason, budget_flops, seed, budget_kind, budget,
                                   axes, context)

/// Only what is known before a run starts: what became of it is in its directory.
static void to_json(nlohmann::json& j, const RunRow& run) {
  j = {{"run_id", run.run_id}, {"config", run.config}, {"figures", run.figures}};
}
static void from_json(const nlohmann::json& j, RunRow& run) {
  j.at("run_id").get_to(run.run_id);
  j.at("config").get_to(run.config);
  j.at("figures").get_to(run.figures);
}

namespace fs = std::filesystem;
static constexpr const char* kFirstFormat = "hyscale.registration/1";
static constexpr const char* kFormat = "hyscale.registration/2";

std::string study_directory(const std::string& store, const std::string& study) { return store + "/studies/" + study; }

void write_archive(const std::string& store, const StudyArchive& r, const std::string& plan_json) {
  const std::string directory = study_directory(store, r.study.name);
  make_writable_directory(directory);
  write_file_atomically(directory + "/spec.yaml", r.study.spec);
  if (!r.study.base.empty()) write_file_atomically(directory + "/base.yaml", r.study.base);
  write_file_atomically(directory + "/plan.json", plan_json);
  const nlohmann::json all{
      {"format", kFormat}, {"study", r.study}, {"runs", r.runs}, {"cells", r.cells}, {"rejected", r.rejected}};
  write_file_atomically(directory + "/study.json", all.dump(1) + "\n");
}

/// Archives of the first format know budgets of FLOPs alone, and no axes.
static void bring_up_to_date(nlohmann::json& archive) {
  if (archive.at("format") != kFirstFormat) return;
  archive["format"] = kFormat;
  for (const char* list : {"cells", "rejected"})
    for (nlohmann::json& row : archive.at(list)) {
      row["budget_kind"] = "flops", row["budget"] = row.at("budget_flops"), row["axes"] = "";
      row["context"] = 0;
    }
}

StudyArchive read_archive(const std::string& store, const std::string& study) {
  const std::string path = study_directory(store, study) + "/study.json";
  const std::string text = read_file(path);
  try {
    auto j = nlohmann::json::parse(text);
    bring_up_to_date(j);
    if (j.at("format") != kFormat) throw std::runtime_error("its format is not " + std::string(kFormat));
    return {.study = j.at("study").get<StudyRow>(),
            .runs = j.at("runs").get<std::vector<RunRow>>(),
            .cells = j.at("cells").get<std::vector<CellRow>>(),
            .rejected = j.at("rejected").get<std::vector<RejectedRow>>()};
  } catch (const std::exception& e) {
    throw DamagedFile({.what = path + " is damaged: " + e.what(),
                       .remedy = "submit the study again from its spec: runs that are trained are found by their id"});
  }
}

std::vector<std::string> archived_studies(const std::string& store) {
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(store + "/studies", absent))
    if (fs::exists(entry.path() / "study.json")) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace hyscale::storage
