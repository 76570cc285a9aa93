#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/run_files.h"
#include "storage/db/database.h"

namespace hyscale::scheduler {

/// One run as people look at it.
struct RunStanding {
  storage::RunRow run;                       // without its config; restarts of a running job are counted in
  storage::CellRow cell;                     // the first one that wants it
  std::optional<storage::RunStatus> status;  // of a running run: the worker's last word on this attempt
  double validation_loss = 0;                // NaN until done
};

/// Where a study stands.
struct Standing {
  std::string study;
  std::string store = {};
  std::map<std::string, int> counts = {};  // by state
  std::vector<RunStanding> runs = {};      // those that were asked for
  std::optional<storage::LeaseHolder> driver = {};
  bool on_slurm = false;      // carried on by Slurm and by each command that looks; no driver stays
  bool waits = false;         // for a person who asks for more
  double eta_seconds = 0;     // NaN while nothing can be said
  double done_share = 0;      // of the executed FLOPs, 0 … 1
  double busy_seconds = 0;    // training time of all runs so far
  double units = 1;           // that a run keeps busy: GPUs or cores
  std::string unit = "core";  // "GPU", "core"
  int total() const;
  bool finished() const;  // every run is final
  bool all_done() const;
};
/// Throws ConfigError with the known names when there is no such study.
enum class Losses { read, left_out };  // left out, every validation loss is NaN
Standing standing(const storage::Database& database, const RunFiles& files, const std::string& study,
                  Losses losses = Losses::read);

/// The same at a cost that hardly grows with the study: in `runs` are those that run or ended in trouble, and the first
/// `most` of those that wait for their job's turn; none has a validation loss.
Standing brief_standing(const storage::Database& database, const RunFiles& files, const std::string& study,
                        int64_t most);

/// Training time of all attempts so far, the running one included.
double busy_seconds(const RunStanding& run);
/// What so much training time costs in this study: "1.25 GPU-hours".
std::string cost_text(double busy_seconds, const Standing& standing);

/// The path of the log that says most about the run.
std::string log_path(const std::string& store, const storage::RunRow& run);

/// For `study status`: at most `most` running and `most` troubled runs, and how many there are beyond.
std::string to_text(const Standing& standing, size_t most);
std::string logs_text(const Standing& standing);  // a line a run: state and log
std::string to_json(const Standing& standing);
std::string summary_line(const Standing& standing);  // "12/60 done, 2 running, 1 failed; 34 % of the work, ETA 4m30s"

/// The first 12 digits: enough to tell runs apart, and every command takes them.
std::string short_id(const std::string& run_id);

}  // namespace hyscale::scheduler
