#include "scheduler/find_run.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace hyscale::scheduler {

void check_study(const storage::Database& database, const std::string& study) {
  if (database.study(study)) return;
  std::string names;
  for (const auto& row : database.studies()) names += (names.empty() ? "" : ", ") + row.name;
  throw ConfigError({.what = "there is no study " + study,
                     .remedy = names.empty() ? "this store has none yet; study submit SPEC.yaml makes one"
                                             : "this store has: " + names});
}

storage::RunRow find_run(const storage::Database& database, const std::string& study, const std::string& prefix) {
  check_study(database, study);
  std::vector<storage::RunRow> found;
  for (const storage::RunRow& run : database.runs(study))
    if (run.run_id.starts_with(prefix)) found.push_back(run);
  if (found.size() == 1) return found.front();
  throw ConfigError({.what = fmt::format("{} runs of study {} have an id that begins with {}",
                                         found.empty() ? "no" : std::to_string(found.size()), study, prefix),
                     .remedy = fmt::format("study status {} --json lists them", study)});
}

}  // namespace hyscale::scheduler
