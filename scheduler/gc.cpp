#include "scheduler/gc.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <set>
#include <sys/stat.h>
#include <tuple>

#include "core/base/error.h"
#include "core/base/files.h"
#include "scheduler/run_state.h"
#include "storage/files/checkpoint.h"

namespace hyscale::scheduler {
namespace {

namespace fs = std::filesystem;
using storage::Database;
using storage::RunDirectory;
using storage::RunRow;
using Steps = std::set<int64_t>;

constexpr size_t kNewestOfResumable = 2;  // the last one may turn out to be damaged
constexpr size_t kBatch = 256;            // runs looked at and cleaned while the database is held

RunDirectory directory_of(const Database& database, const std::string& run_id) {
  return {database.store() + "/runs/" + run_id};
}

/// Nothing of it will ever be resumed.
bool is_over(const RunRow& run) { return run.state == "done" || run.state == "diverged"; }

/// The run's checkpoints that may go, as the database now stands.
std::vector<Disposable> disposable(const Database& database, const RunRow& run, const Steps& branch_points,
                                   const GcOptions& options, uint64_t& total) {
  std::vector<Disposable> found;
  const RunDirectory directory = directory_of(database, run.run_id);
  const auto steps = storage::list_checkpoints(directory);
  const size_t newest = is_over(run) ? 1 : kNewestOfResumable;
  for (size_t i = 0; i < steps.size(); ++i) {
    struct stat info {};
    if (::stat(storage::checkpoint_path(directory, steps[i]).c_str(), &info) != 0) continue;  // another gc was here
    total += static_cast<uint64_t>(info.st_size);
    const bool is_last = i + newest >= steps.size();
    if (is_active(state_of(run)) || branch_points.contains(steps[i])) continue;
    if (is_last && !(is_over(run) && options.weights)) continue;
    found.push_back(
        {run.run_id, steps[i], static_cast<uint64_t>(info.st_size), static_cast<double>(info.st_mtime), is_last});
  }
  return found;
}

std::vector<std::string> runs_of(const Database& database, const GcOptions& options) {
  std::vector<std::string> studies = options.studies;
  if (studies.empty())
    for (const storage::StudyRow& study : database.studies()) studies.push_back(study.name);
  std::set<std::string> seen;
  std::vector<std::string> ids;
  for (const std::string& study : studies)
    for (const RunRow& run : database.runs(study, Database::Configs::left_out))
      if (seen.insert(run.run_id).second) ids.push_back(run.run_id);
  return ids;
}

/// Drops from the end of the list what the quota does not ask for.
void keep_to_quota(std::vector<Disposable>& list, uint64_t total, const std::optional<uint64_t>& quota) {
  std::sort(list.begin(), list.end(), [](const Disposable& a, const Disposable& b) {
    return std::tie(a.weights, a.written, a.run_id, a.step) < std::tie(b.weights, b.written, b.run_id, b.step);
  });
  if (!quota) return;
  size_t needed = 0;
  while (needed < list.size() && total > *quota) total -= list[needed++].bytes;
  list.resize(needed);
}

/// Looks again, with the database held and the run's lock taken, and removes what still may go.
void remove_from(const Database& database, const std::string& run_id, const Steps& chosen, const Steps& branch_points,
                 const GcOptions& options, GcReport& report) {
  const RunDirectory directory = directory_of(database, run_id);
  const auto run = database.run(run_id);
  if (!run || !fs::exists(directory.path)) return;
  const FileLock lock(directory.lock(), FileLock::Wait::no);
  if (!lock.held()) {
    ++report.busy;
    return;
  }
  Steps pinned = storage::read_pinned(directory);
  uint64_t ignored = 0;
  for (Disposable& checkpoint : disposable(database, *run, branch_points, options, ignored)) {
    if (!chosen.contains(checkpoint.step)) continue;
    if (!fs::remove(storage::checkpoint_path(directory, checkpoint.step))) continue;
    pinned.erase(checkpoint.step);
    report.freed += checkpoint.bytes;
    report.removed.push_back(std::move(checkpoint));
  }
  if (pinned != storage::read_pinned(directory)) storage::write_pinned(directory, pinned);
  storage::remove_leftovers(directory);
}

}  // namespace

GcReport collect_garbage(Database& database, const GcOptions& options) {
  GcReport report;
  uint64_t total = 0;
  std::vector<Disposable> list;
  const auto branch_points = database.open_branch_points();
  const auto points_of = [](const auto& points, const std::string& run_id) {
    const auto found = points.find(run_id);
    return found == points.end() ? Steps{} : found->second;
  };
  for (const std::string& run_id : runs_of(database, options)) {
    const auto found = disposable(database, *database.run(run_id), points_of(branch_points, run_id), options, total);
    list.insert(list.end(), found.begin(), found.end());
  }
  keep_to_quota(list, total, options.quota);
  if (options.dry_run) {
    for (const Disposable& checkpoint : list) report.freed += checkpoint.bytes;
    report.removed = std::move(list);
  } else {
    std::map<std::string, Steps> chosen;
    for (const Disposable& checkpoint : list) chosen[checkpoint.run_id].insert(checkpoint.step);
    for (auto next = chosen.begin(); next != chosen.end();)
      database.transaction([&] {  // nobody plans a branch or launches a run meanwhile
        const auto now = database.open_branch_points();
        for (size_t i = 0; i < kBatch && next != chosen.end(); ++i, ++next)
          remove_from(database, next->first, next->second, points_of(now, next->first), options, report);
      });
  }
  report.kept = total - report.freed;
  return report;
}

uint64_t parse_bytes(const std::string& text) {
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const std::string letters = "KMGT";
  const size_t power = unit.empty() || unit == "B" ? 0 : letters.find(static_cast<char>(std::toupper(unit[0]))) + 1;
  const std::string rest = unit.empty() || unit == "B" ? "" : unit.substr(1);
  const bool known = unit.empty() || unit == "B" || (power > 0 && (rest.empty() || rest == "B" || rest == "iB"));
  number *= std::pow(1024.0, static_cast<double>(power));
  constexpr double kMost = 1e18;
  if (problem != std::errc{} || !known || !(number >= 0 && number < kMost))
    throw ConfigError({.what = "'" + text + "' is no amount of memory", .remedy = "write 500M, 20G or 1.5T"});
  return static_cast<uint64_t>(number);
}

std::string bytes_text(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) value /= 1024, ++unit;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

}  // namespace hyscale::scheduler
