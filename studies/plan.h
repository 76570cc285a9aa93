#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "core/spec/accounting.h"
#include "core/spec/memory.h"
#include "core/spec/mixture.h"
#include "core/spec/run_config.h"
#include "studies/study_spec.h"

namespace hyscale::studies {

/// trunk: the largest kept budget of a (family, size, seed, learning rate); branch: a smaller budget that starts from
/// the trunk's checkpoint; alone: shares nothing with another run.
enum class Role { trunk, branch, alone };
std::string to_string(Role role);  // "trunk"

/// FLOPs of a whole run (its prefix included) under the four conventions.
struct RunFlops {
  double paper = 0, with_head = 0, executed = 0, six_n = 0;
};

/// What all runs of one family, size, context and setting of the axes share.
struct PlannedModel {
  std::string family;        // name in the spec
  std::string size;          // label in the spec, "1M"
  std::string axes;          // Variant::axes_text
  spec::RunConfig config;    // of all of them; tokens, schedule lengths, learning rate and seeds are each run's own
  spec::Account account;     // of one token
  int64_t micro_batch = 1;   // sequences that a rank takes at once
  spec::MemoryBytes memory;  // of a rank, with that micro-batch
};

/// One run to train. A branch's config is that of the stand-alone run of its budget, hence the same id.
struct PlannedRun {
  std::string run_id;  // 64 hex digits; two families that come out alike share an id: train it once
  std::shared_ptr<const PlannedModel> model;  // never null
  spec::TrainConfig train;                    // whole
  double budget = 0;                          // as the spec gives it, in the unit of its `budgets`
  double budget_flops = 0;                    // with_head, of the isoFLOP curve that the run is a point of; 0: of none
  Role role = Role::alone;
  std::string parent;                  // branch: run id of its trunk; "" otherwise
  int64_t branch_tokens = 0;           // branch: the trunk's checkpoint it starts from = tokens − cooldown_tokens
  int64_t branch_step = 0;             // the same in steps
  std::vector<int64_t> checkpoint_at;  // trunk: token counts its branches start from, ascending
  double cost_flops = 0;               // executed FLOPs that this job adds (a branch: its cool-down only)

  const std::string& family() const { return model->family; }
  const std::string& size() const { return model->size; }
  int64_t seed() const { return train.seed; }
  spec::RunConfig config() const;
  RunFlops flops() const;                                                          // whole run
  const std::string& cluster() const { return parent.empty() ? run_id : parent; }  // whose prefix it shares
};

/// A cell that is not run, and why.
struct RejectedCell {
  std::string family, size, axes;
  int64_t context = 0, seed = 0;
  double budget = 0, budget_flops = 0;  // as those of a run
  std::string reason;
};

/// One family at one size: what the matching came to.
struct Shape {
  std::string family, size, stack;  // stack as a pattern of mixer names, "MMAMM"
  std::string axes;                 // those that change the model; "": none does
  int64_t context = 0;
  int64_t d_model = 0, layers = 0, d_ff = 0;
  int64_t d_ff_step = 0;  // d_ff is a multiple of this
  int64_t non_embedding = 0;
  double off = 0;  // (non_embedding − target) / target
  int64_t batch_tokens = 0;
  int64_t micro_batch = 0;  // sequences that a rank takes at once
  double memory_bytes = 0;  // of a rank, with that micro-batch; 0: there is no such model
  std::string problem;      // why there is no such model; "": there is
  double aspect() const { return layers > 0 ? static_cast<double>(d_model) / static_cast<double>(layers) : 0; }
};

/// What earlier trainings have come to, as far as a plan depends on it.
struct Known {
  /// Of the cells that a study of this name has kept: family, size, context, axes.
  using Key = std::tuple<std::string, std::string, int64_t, std::string>;
  struct Warmup {
    int64_t tokens = 0, batch_tokens = 0;
  };
  std::map<Key, Warmup> warmups = {};
  std::unordered_map<std::string, double> losses = {};  // of finished runs by id; infinite: it has diverged
};

struct Plan {
  StudySpec spec;
  spec::DataManifest data;
  std::vector<Shape> shapes;
  std::vector<PlannedRun> runs;  // trunks before their branches; sizes as the spec lists them, swept ones first
  std::vector<RejectedCell> rejected;
  std::vector<RejectedCell> waiting;  // not planned before a sweep is done; the reason names it
  int64_t excluded = 0;               // cells that include and exclude leave out
  std::vector<std::string> notes;     // choices that a reader should know of
  double cost_flops = 0;              // executed, each id and each shared prefix counted once
};

/// Expands a study into runs. Throws ConfigError with everything that is wrong: a missing corpus, a family that cannot
/// be matched, a budget left with fewer than four sizes, an entry of include or exclude without a cell, nothing to run.
Plan make_plan(const StudySpec& spec, const std::string& store, const Known& known = {});

std::string plan_text(const Plan& plan);  // tables for a terminal: shapes, runs, rejected cells, cost
/// The same as JSON; `more` are further members of the outermost object, `"key": value, …` or nothing.
std::string plan_json(const Plan& plan, const std::string& more = "");

}  // namespace hyscale::studies
