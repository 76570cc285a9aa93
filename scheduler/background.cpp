#include "scheduler/background.h"

#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <map>

#include "cluster/spawn.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/process.h"
#include "scheduler/driver.h"
#include "scheduler/registration.h"
#include "scheduler/standing.h"

namespace hyscale::scheduler {
namespace {

constexpr double kLookSeconds = 0.2;
constexpr int kInterrupted = 128 + SIGINT;  // what a shell says of a command that Ctrl-C ended

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
                                   r.cell.size, r.cell.seed, r.cell.budget_flops, r.run.state);
    if (r.run.state == "done") line += fmt::format(", loss {:.4f}", r.validation_loss);
    if (!r.run.cause.empty()) line += " (" + r.run.cause + ")";
    fmt::print("{}  [{}]\n", line, summary_line(s));
  }
  std::map<std::string, std::string> states_;
};

volatile std::sig_atomic_t interrupted = 0;

/// Ctrl-C ends the watching, not the study.
class Interruptible {
 public:
  Interruptible() {
    interrupted = 0;
    std::signal(SIGINT, [](int) { interrupted = 1; });
  }
  ~Interruptible() { std::signal(SIGINT, SIG_DFL); }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  bool asked() const { return interrupted != 0; }
};

/// A driver that dies again and again will not be helped by one more.
class Restarts {
 public:
  void keep_driven(const storage::Database& database, const Standing& s) {
    const double now = Clock::system().steady_seconds();
    if (s.driver || s.finished()) return;
    if (now - last_ < kSpacing) return;  // the last one needs a moment to take its lease
    last_ = now;
    if (++started_ > kMost)
      throw Error(ExitCode::failed, {{.what = "the study's driver ends before the study does",
                                      .remedy = "read " + driver_log(database.store(), s.study)}});
    if (!ensure_driver(database, s.study))
      throw ConfigError({.what = fmt::format("study {} was submitted on another host", s.study),
                         .remedy = "go there, or submit its spec here"});
  }

 private:
  static constexpr double kSpacing = 2;
  static constexpr int kMost = 20;
  double last_ = -kSpacing;
  int started_ = 0;
};

}  // namespace

std::string driver_log(const std::string& store, const std::string& study) {
  return study_directory(store, study) + "/driver.log";
}

bool ensure_driver(const storage::Database& database, const std::string& study) {
  if (database.lease_holder(lease_name(study))) return true;
  const auto row = database.study(study);
  if (!row || settings_from_json(row->settings).host != host_name()) return false;
  bool left = false;
  for (const auto& run : database.runs(study)) left = left || !is_final(state_of(run));
  if (!left) return true;
  make_writable_directory(study_directory(database.store(), study));
  cluster::spawn_detached({program_path(), "--store", database.store(), "drive", study},
                          driver_log(database.store(), study));
  return true;
}

int watch(const std::string& store, const std::string& study) {
  const StoreRunFiles files(store);
  ProgressLine line;
  ChangeLog changes;
  Restarts restarts;
  const Interruptible interrupt;
  while (true) {
    const storage::Database database(store, storage::Database::Mode::read);
    const Standing s = standing(database, files, study);
    line.show(fmt::format("{}: {}", study, summary_line(s)));
    if (!line.visible()) changes.show(s);
    if (s.finished()) {
      line.clear();
      fmt::print("{}", to_text(s));
      return static_cast<int>(s.all_done() ? ExitCode::done : ExitCode::failed);
    }
    restarts.keep_driven(database, s);
    if (interrupt.asked()) {
      line.clear();
      log::info(
          fmt::format("study {0} goes on in the background: study watch {0} shows it again, study cancel {0} "
                      "stops it",
                      study));
      return kInterrupted;
    }
    Clock::system().sleep(kLookSeconds);
  }
}

}  // namespace hyscale::scheduler
