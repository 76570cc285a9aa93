#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hyscale::storage {

/// Names inside a run directory (docs/formats.md). The directory belongs to its worker alone; others read.
struct RunDirectory {
  std::string path;
  std::string run_yaml() const { return path + "/run.yaml"; }
  std::string exec_json() const { return path + "/exec.json"; }
  std::string status_json() const { return path + "/status.json"; }
  std::string log() const { return path + "/log.txt"; }
  std::string journal() const { return path + "/journal"; }
  std::string attempt(int k) const { return path + "/attempt-" + std::to_string(k) + ".h5"; }
  std::string run_h5() const { return path + "/run.h5"; }
  std::string checkpoints() const { return path + "/checkpoints"; }
  std::string stop_file() const { return path + "/stop"; }
  std::string lock() const { return path + "/lock"; }  // held by the worker while it runs
};

enum class WorkerState { running, done, stopped, diverged, failed };  // stopped: checkpointed, wants to be requeued
std::string to_string(WorkerState state);                             // "running"
WorkerState worker_state(const std::string& word);                    // throws std::invalid_argument for another word

/// status.json, replaced by rename once a second at most and at the end: what the worker last said of itself.
struct RunStatus {
  std::string run_id;
  WorkerState state = WorkerState::running;
  int attempt = 0;
  int64_t step = 0, steps = 0;
  int64_t tokens = 0;
  double loss = 0;  // last training loss, nats per token
  double tokens_per_second = 0;
  double eta_seconds = 0;
  double heartbeat = 0;           // unix seconds of this writing
  double started = 0;             // unix seconds of this attempt's start
  double busy_seconds = 0;        // training time of all attempts so far
  int64_t peak_memory_bytes = 0;  // of this attempt: the most that a rank held at once (resident set); 0: unknown
  std::string host;
  int64_t pid = 0;
  int exit_code = 0;    // meaningful once state is not running
  std::string message;  // the error, when there was one
};
/// nullopt when there is no status yet; throws DamagedFile when it is no status file.
std::optional<RunStatus> read_status(const RunDirectory& run);
/// Atomic for readers always; waits for the disk only when the state is not `running`.
void write_status(const RunDirectory& run, const RunStatus& status);

/// One optimizer step.
struct StepRow {
  int64_t step = 0;    // 1-based: the state after this many steps
  int64_t tokens = 0;  // seen after it
  double loss = 0;     // mean nats per token of its batch
  double lr = 0;
  double grad_norm = 0;  // before clipping
  double seconds = 0;    // wall time of the step; the only column that two exact runs may differ in
};
/// What one corpus of a mixture adds to an evaluation.
struct CorpusLoss {
  std::string corpus;
  double loss = 0;           // mean nats per token of its validation split
  double bits_per_byte = 0;  // NaN when its bytes of text are not known
  double standard_error = 0;
};
/// One evaluation of the validation split, or of those of a mixture, by their weights.
struct EvalRow {
  int64_t step = 0;
  int64_t tokens = 0;
  double loss = 0;                    // mean nats per token
  double bits_per_byte = 0;           // NaN when the bytes of text are not known
  double standard_error = 0;          // of `loss`, over windows
  std::vector<CorpusLoss> corpora{};  // of a mixture; the same corpora in the same order all through a run
};

/// What run.h5 holds: the whole curve, each step once, in order, with the run's closing figures as attributes.
struct RunRecord {
  std::string run_id;
  std::string run_yaml;
  std::vector<StepRow> steps;
  std::vector<EvalRow> evals;                     // the last one is the run's result
  std::map<std::string, std::string> provenance;  // commit, build, host, cpu, seeds, mpi, …
};
/// Writes under a temporary name, checks, syncs, renames.
void write_run_record(const std::string& path, const RunRecord& record);
/// Throws DamagedFile naming file and dataset when it is torn, truncated or altered (checksums are kept inside).
RunRecord read_run_record(const std::string& path);

}  // namespace hyscale::storage
