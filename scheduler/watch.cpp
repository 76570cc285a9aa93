#include "scheduler/watch.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "scheduler/background.h"
#include "scheduler/drive.h"
#include "scheduler/interruptible.h"
#include "scheduler/settings.h"
#include "scheduler/standing.h"
#include "scheduler/watch_table.h"

namespace hyscale::scheduler {
namespace {

constexpr double kLookSeconds = 0.2;
constexpr size_t kShownAtTheEnd = 20;  // runs that are not done
/// Says on standard output what has become of runs since the last look; a plain log for pipes.
class ChangeLog {
 public:
  void show(const Standing& s) {
    for (const RunStanding& r : s.runs) {
      std::string& before = states_[r.run.run_id];
      if (before == r.run.state) continue;
      const bool first = before.empty();
      before = r.run.state;
      if (!(first && r.run.state != "failed") && is_final(state_of(r.run))) print(r, s);
    }
    std::fflush(stdout);
  }

 private:
  static void print(const RunStanding& r, const Standing& s) {
    std::string line = fmt::format("{} {} {} seed {} {:.2e} FLOPs: {}", short_id(r.run.run_id), r.cell.family,
                                   r.cell.size, r.cell.seed, r.cell.budget, r.run.state);
    if (r.run.state == "done") line += fmt::format(", loss {:.4f}", r.validation_loss);
    if (!r.run.cause.empty()) line += " (" + r.run.cause + ")";
    fmt::print("{}  [{}]\n", line, summary_line(s));
  }
  std::map<std::string, std::string> states_;
};

/// A driver that dies again and again will not be helped by one more.
class Restarts {
 public:
  void keep_driven(const storage::Database& database, const Standing& s) {
    const double now = Clock::system().steady_seconds();
    if (s.driver || s.finished()) return;
    if (now - last_ < spacing_) return;  // the last one needs a moment to take its lease
    last_ = now;
    const Settings settings = settings_of(database, s.study);
    if (settings.on == "slurm" && (!settings.waits || is_active(s))) return reconcile_now_and_then(database, s);
    if (++started_ > kMost)
      throw Error(ExitCode::failed, {{.what = "the study's driver ends before the study does",
                                      .remedy = "read " + driver_log(database.store(), s.study)}});
    if (ensure_driver(database, s.study) == Driven::no)
      throw ConfigError({.what = settings.waits
                                     ? fmt::format("study {} waits for somebody to carry on with it", s.study)
                                     : fmt::format("study {} was submitted on another host", s.study),
                         .remedy = settings.waits ? "submit its spec again, or study retry " + s.study
                                                  : "go there, or submit its spec here"});
  }

 private:
  static bool is_active(const Standing& s) { return s.counts.contains("submitted") || s.counts.contains("running"); }

  /// Slurm is asked rarely while nothing changes.
  void reconcile_now_and_then(const storage::Database& database, const Standing& s) {
    constexpr double kSlower = 1.5, kSlowest = 30;
    const bool changed = std::exchange(counts_, s.counts) != s.counts;
    spacing_ = changed ? 1 : std::min(spacing_ * kSlower, kSlowest);
    try_to_reconcile(database.store(), s.study);
  }

  static constexpr double kFirst = 2;
  static constexpr int kMost = 20;
  double spacing_ = kFirst, last_ = -kFirst;
  int started_ = 0;
  std::map<std::string, int> counts_;
};

}  // namespace

int watch(const std::string& store, const std::string& study) {
  const StoreRunFiles files(store);
  LiveTable table;
  ChangeLog changes;
  Restarts restarts;
  const Interruptible interrupt({SIGINT});  // Ctrl-C ends the watching, not the study
  while (true) {
    const double began = Clock::system().steady_seconds();
    const storage::Database database(store, storage::Database::Mode::read);
    const Standing s = standing(database, files, study);
    table.visible() ? table.show(watch_table(s, table.screen())) : changes.show(s);
    if (s.finished()) {
      table.clear();
      fmt::print("{}", to_text(s, kShownAtTheEnd));
      return static_cast<int>(s.all_done() ? ExitCode::done : ExitCode::failed);
    }
    restarts.keep_driven(database, s);
    if (interrupt.asked()) {
      table.clear();
      log::info(
          fmt::format("study {0} goes on in the background: study watch {0} shows it again, study cancel {0} "
                      "stops it",
                      study));
      return interrupt.exit_status();
    }
    // A look at a large study takes a while: never more than a tenth of the time.
    Clock::system().sleep(std::max(kLookSeconds, 9 * (Clock::system().steady_seconds() - began)));
  }
}

}  // namespace hyscale::scheduler
