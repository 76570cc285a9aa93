#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hyscale::storage {

/// A study as it was last submitted.
struct StudyRow {
  std::string name = {};
  std::string spec = {};            // text of the spec
  std::string spec_sha256 = {};     // of that text
  std::string base = {};            // text of the base run config the spec refers to; "" when there is none
  std::string commit = {};          // of the program that planned it
  std::string settings = {};        // how its runs are executed (JSON, scheduler/settings.h)
  double created = 0, updated = 0;  // unix seconds
};

/// What a run config costs and holds; known before training.
struct RunFigures {
  int64_t context = 0, d_model = 0, layers = 0, d_ff = 0, seed = 0, tokens = 0;
  double lr = 0;
  int64_t params_total = 0, params_non_embedding = 0, params_without_head = 0, params_active = 0;
  double flops_per_token_paper = 0, flops_per_token_with_head = 0, flops_per_token_executed = 0,
         flops_per_token_six_n = 0;
  double cache_bytes = 0;
};

/// A run, whichever studies want it. The counters say what ended its attempts (scheduler/run_state.h).
struct RunRow {
  std::string run_id = {};
  std::string config = {};  // run.yaml
  RunFigures figures = {};

  std::string state = "planned";
  std::string cause = {};  // of the state, for people
  int attempts = 0;
  int own_faults = 0, node_faults = 0, requeues = 0, memory_faults = 0;
  int64_t last_step = 0;    // the furthest that an attempt came
  int64_t micro_batch = 0;  // sequences; 0: the worker chooses
  bool cancel_asked = false;
  std::string backend = {}, job_host = {}, job_id = {};  // the last attempt's job
  double submitted = 0, started = 0, ended = 0;          // unix seconds of the last attempt; 0: not yet
  double busy_seconds = 0;                               // training time of all attempts
};

/// What there is to know of a submitted or running run before its job is asked for.
struct ActiveRow {
  std::string run_id = {}, state = {};
  std::string backend = {}, job_host = {}, job_id = {};
  double submitted = 0;
  bool cancel_asked = false;
};

/// The work of all of a study's runs that are in one state.
struct WorkRow {
  std::string state = {};
  int runs = 0;
  double flops = 0;           // executed, of what these runs add: a branch shares its trunk's prefix
  double measured_flops = 0;  // of those that say how long they took
  double busy_seconds = 0;
};

/// Why a study wants a run. One run may fill several cells of several studies.
struct CellRow {
  std::string study = {};
  std::string run_id = {};
  std::string family = {}, size = {};
  int64_t seed = 0;
  double lr = 0;
  double budget_flops = 0;                     // with_head, of the isoFLOP curve it is a point of; 0: of none
  std::string budget_kind = "flops";           // flops | tokens | tokens_per_parameter
  double budget = 0;                           // as the spec gives it, of that kind
  std::string axes = {};                       // "train.optimizer.weight_decay=0.1 …"; "": the study has none
  std::string role = "alone";                  // trunk | branch | alone
  std::string parent = {};                     // run id of a branch's trunk
  std::string cluster = {};                    // run id of the trunk it shares its prefix with; its own otherwise
  int64_t branch_step = 0, branch_tokens = 0;  // of a branch: where it leaves the trunk
  std::vector<int64_t> checkpoint_at = {};     // of a trunk: tokens at which its branches leave it
};

/// A run that is done or has diverged.
struct FinishedRow {
  std::string run_id = {}, state = {};
  double loss = 0;           // of its last evaluation; NaN: none
  std::string studies = {};  // those that want it, with commas between
};

/// How fast a finished run has trained: from its first step, not from a trunk's checkpoint.
struct ThroughputRow {
  std::string device = {};                // cpu | cuda
  std::string name = {};                  // of the CPU or GPU
  int64_t ranks = 1, threads = 0;         // threads: of each rank
  double flops_per_token = 0, flops = 0;  // executed; of the whole run
  double seconds = 0;                     // training, all attempts
};

/// A cell that the planner refused.
struct RejectedRow {
  std::string study = {}, family = {}, size = {}, reason = {};
  double budget_flops = 0;
  int64_t seed = 0;
  std::string budget_kind = "flops";
  double budget = 0;
  std::string axes = {};
  int64_t context = 0;  // 0: not known
};

/// What one corpus of a mixture adds to an evaluation. NaN: not known.
struct CorpusLossRow {
  std::string corpus = {};
  double loss = 0, bits_per_byte = 0, standard_error = 0;
};

/// One evaluation of a finished run. NaN: not known.
struct EvalResultRow {
  int64_t step = 0, tokens = 0;
  double loss = 0, bits_per_byte = 0, standard_error = 0;
  std::vector<CorpusLossRow> corpora = {};  // of a mixture
};

/// A finished run's record as the database keeps it.
struct RunResult {
  std::vector<EvalResultRow> evals = {};  // the last one is the result
  std::map<std::string, std::string> provenance = {};
};

}  // namespace hyscale::storage
