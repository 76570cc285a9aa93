#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/spec/run_config.h"
#include "core/spec/stack.h"

namespace hyscale::studies {

/// A question asked before the runs are seen: is `compare[0]` better than `compare[1]` by `difference` at `flops`?
struct Question {
  std::string ask;
  std::array<std::string, 2> compare;  // family names
  std::string metric = "validation_loss";
  double at_flops = 0;
  double difference = 0;  // of the metric
  double confidence = 0.95;
};

/// A stack for every size (spec::StackRule: a pattern, repeated to the size's depth; expensive and cheap layers by
/// ratio and placement; layers by name, for sizes of that depth alone).
struct FamilySpec {
  std::string name;
  Location at;  // in the study file
  spec::StackRule stack;
  double attention_share = 0.5;  // `split: "2:1"`: of a hybrid block; the rest is Mamba's
  std::vector<std::string> set;  // "a.b=c": applied to the base file
};

/// `1M` (shape from studies/families/ladder.h), an explicit {name, d_model, layers[, d_ff]}, or {name, widths: base[,
/// layers]}: every family has the base file's own blocks, d_model and d_ff, unmatched, in its own depth or `layers`.
struct SizeSpec {
  std::string name;
  double target = 0;                // non-embedding parameters; 0: what the first family comes to with d_ff
  int64_t d_model = 0, layers = 0;  // 0: from the ladder
  int64_t d_ff = 0;                 // explicit shapes only, of the first family; 0: 8/3 d_model
  bool base_widths = false;
};

/// What a study's runs are given to spend. flops: with_head, of the whole run; tokens_per_parameter: of non-embedding
/// parameters.
enum class BudgetKind { flops, tokens, tokens_per_parameter };
inline const std::vector<std::string> kBudgetKinds{"flops", "tokens", "tokens_per_parameter"};
struct Budgets {
  BudgetKind kind = BudgetKind::flops;
  std::vector<double> values;  // ascending, at least 5 % apart
};

/// What the families of one size share at a budget. own: each has the budget as it is written (its FLOPs, its tokens,
/// its tokens per parameter); equal_flops, equal_tokens: what the first family comes to there is everybody's.
enum class Compare { own, equal_flops, equal_tokens };

/// `axes: {train.optimizer.weight_decay: [0.1, 0.01]}`: every cell once with each value.
struct Axis {
  std::string path;                 // in the base file
  std::vector<std::string> values;  // as written
};

/// An entry of `include:` or `exclude:`. A list that is empty matches everything; values are those of the study.
struct CellRule {
  Location at;
  std::vector<std::string> families, sizes;
  std::vector<double> budgets;
  std::vector<int64_t> seeds, contexts;
  std::vector<Axis> axes;
};

/// value × (N / at)^exponent, at most `max`. N: the size's non-embedding parameters.
struct PowerRule {
  double at = 1;
  double value = 0;
  double exponent = 0;
  double max = 1e300;
  double operator()(double parameters) const;
};

struct LearningRateRule {
  PowerRule rule{.max = 1};
  std::vector<double> sweep_scale{1};  // multipliers tried for the sizes in `sweep_for`
  std::vector<std::string> sweep_for;
  bool carry = false;  // sizes above a swept one wait for its result and take its best multiplier
};

/// Tokens of a batch. A fixed one is a multiple of every context; one by rule is rounded to whole sequences.
struct BatchRule {
  int64_t tokens = 0;  // 0: by `rule`
  PowerRule rule;
  int64_t at(double parameters, int64_t context) const;  // at least one sequence
};

struct ScheduleRule {
  spec::ScheduleKind kind = spec::ScheduleKind::trapezoid;
  double warmup = 0;          // fraction of the smallest budget that a size keeps; 0 when warmup_tokens is given
  int64_t warmup_tokens = 0;  // absolute
  double cooldown = 0;        // fraction of the run
  bool branch = true;         // smaller budgets branch off the largest one's run
};

/// Cells outside are rejected, with the reason.
struct Limits {
  std::array<double, 2> tokens_per_parameter{0, 1e300};
  double epochs = 1e300;
  std::array<double, 2> steps{0, 1e300};
};

/// How each run is executed; none of it enters a run id.
struct Resources {
  std::string device = "auto";  // auto | cpu | cuda
  int64_t gpus = 0, tp = 1, runs_per_gpu = 1;
  int64_t ranks = 1;        // processes per run
  int64_t threads = 0;      // per rank; 0: as the back end decides
  int64_t runs = 0;         // at the same time on one machine; 0: as the back end decides
  int64_t micro_batch = 0;  // sequences; 0: the worker decides
  double memory = 0;        // bytes that a rank may take; 0: as the GPU kind has, else any
  std::string gpu_kind;     // of gpu_kinds.h; "": not said
  double price_per_gpu_hour = 0, price_per_core_hour = 0;  // in the user's money; 0: not priced
  std::string time;                                        // limit of one attempt, "HH:MM:SS"; "": none
};

/// How runs are put to Slurm (`slurm:`). Every text has been held against a strict pattern: it stands in a batch
/// script.
struct SlurmSpec {
  std::string partition, account, qos, constraint;
  std::string time;                // of an allocation, "HH:MM:SS"; "": resources.time, else the partition's default
  int64_t signal_seconds = 0;      // so long before the limit the ranks checkpoint; 0: a tenth of it, 10 to 300 s
  int64_t nodes = 1;               // of a run
  std::string gpu_type;            // of `--gres=gpu:TYPE:N`; "": any
  std::string mpi = "mpirun";      // what starts the ranks in the job: mpirun | srun
  int64_t pack = 1;                // runs of an allocation, one after another
  std::vector<std::string> extra;  // options of #SBATCH lines, "--mem=8G"
  std::vector<std::string> modules;
  std::vector<std::string> container;            // words before the worker's: apptainer exec --nv IMAGE
  std::vector<std::string> prologue;             // lines of shell that the job runs first, as written
  int64_t throttle_runs = 0, throttle_gpus = 0;  // 0: no ceiling
  bool report = true;                            // a job behind all others writes the report
  std::string report_partition;                  // of that job; "": that of the runs
};

/// A study as people write it (`format: hyscale.study/1`), checked for everything that needs no corpus.
struct StudySpec {
  std::string name;  // letters, digits, '.', '_', '-'
  std::string file;  // path it was read from
  std::string base;  // path of the base run config, resolved beside `file`
  std::string text;  // the file itself, for provenance
  std::vector<Question> questions;
  std::vector<FamilySpec> families;
  std::vector<SizeSpec> sizes;
  Budgets budgets;
  Compare compare = Compare::own;
  std::vector<int64_t> contexts;  // empty: the base file's
  std::vector<Axis> axes;
  std::vector<CellRule> include, exclude;
  std::vector<int64_t> seeds{0};
  std::map<std::string, std::vector<int64_t>> seeds_of_size;
  LearningRateRule learning_rate;
  BatchRule batch;
  ScheduleRule schedule;
  Limits limits;
  Resources resources;
  std::optional<SlurmSpec> slurm;
  std::vector<std::string> evaluate{"validation"};
};

/// Both throw ConfigError listing every problem with file:line:column. `file` is named in them, and `base` lies beside
/// it.
StudySpec parse_study_spec(const std::string& text, const std::string& file);
StudySpec load_study_spec(const std::string& path);

/// JSON Schema of such a file: its keys are those that the parser knows.
std::string study_schema();

}  // namespace hyscale::studies
