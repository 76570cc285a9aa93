#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "parallel/execution.h"
#include "storage/files/curve.h"
#include "storage/files/journal.h"
#include "storage/files/run_directory.h"

namespace hyscale::parallel {

/// What a recorder must know of the run, all counts exact.
struct RecorderPlan {
  storage::RunDirectory directory;
  std::string run_id, run_yaml;
  Execution execution;
  int attempt = 1;
  int64_t steps = 0, batch_tokens = 0;
  int64_t log_every = 1;
  int ranks = 1;
  double flops_per_token = 0;  // with_head
  double peak_gflops = 0;      // 0: unknown
  double started = 0;          // unix seconds
};

/// Rank 0's pen: journal, status, log lines, progress line, attempt-K.h5 and run.h5. Costs a few microseconds a step:
/// rows wait in memory, files are written at log intervals or once a second.
class Recorder {
 public:
  /// `before` holds the rows up to `from`. With `copy_rows` they go into the journal as attempt 0 (a branch's prefix).
  Recorder(RecorderPlan plan, storage::Curve before, int64_t from, bool copy_rows, const Clock& clock);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// `waited`: seconds of the step in which this rank waited for others; none: it has no others.
  void add(const storage::StepRow& row, std::optional<double> waited);
  void add(const storage::EvalRow& row);
  bool has_evaluation(int64_t step) const;
  /// A sign of life during long work between steps.
  void alive(const std::string& doing);
  void say(const std::string& line);  // log.txt, and standard error unless quiet
  void flush() { journal_.flush(); }
  /// At the end: how many checkpoints this attempt began, and what training waited for them, seconds.
  void checkpoints(int64_t count, double waited) { checkpoints_ = count, checkpoint_seconds_ = waited; }
  /// The most memory that any rank has held; until it is told, rank 0's own counts.
  void peak_memory(int64_t bytes);
  /// The attempt is over: attempt-K.h5, run.h5 when it is done, last status. Says the message.
  void finish(storage::WorkerState state, int exit_code, const std::string& message);

 private:
  storage::RunRecord record(std::vector<storage::StepRow> steps, std::vector<storage::EvalRow> evals) const;
  std::string progress() const;
  std::string summary() const;
  void write_status();

  RecorderPlan plan_;
  const Clock& clock_;
  storage::Journal journal_;
  std::FILE* log_ = nullptr;
  ProgressLine line_;
  storage::Curve curve_;
  int64_t from_;
  storage::RunStatus status_;
  double next_status_ = 0, next_line_ = 0;  // steady seconds
  double seconds_per_step_ = 0;             // smoothed
  struct {
    double seconds = 0, waited = 0;
  } since_line_;  // steps since the last log line
  bool waits_ = false;
  int64_t checkpoints_ = 0;
  double checkpoint_seconds_ = 0;
};

}  // namespace hyscale::parallel
