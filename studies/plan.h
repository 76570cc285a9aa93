#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/spec/accounting.h"
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

/// One run to train. A branch's config is that of the stand-alone run of its budget, hence the same id.
struct PlannedRun {
  std::string run_id;  // 64 hex digits; two families that come out alike share an id: train it once
  spec::RunConfig config;
  std::string family;  // name in the spec
  std::string size;    // label in the spec, "1M"
  int64_t seed = 0;
  double budget_flops = 0;  // the cell's budget, with_head
  Role role = Role::alone;
  std::string parent;                  // branch: run id of its trunk; "" otherwise
  int64_t branch_tokens = 0;           // branch: the trunk's checkpoint it starts from = tokens − cooldown_tokens
  int64_t branch_step = 0;             // the same in steps
  std::vector<int64_t> checkpoint_at;  // trunk: token counts its branches start from, ascending
  std::shared_ptr<const spec::Account> account;  // of one token; shared by all runs of one shape, never null
  RunFlops flops;                                // whole run
  double cost_flops = 0;                         // executed FLOPs that this job adds (a branch: its cool-down only)
  const std::string& cluster() const { return parent.empty() ? run_id : parent; }  // whose prefix it shares
};

/// A cell that is not run, and why.
struct RejectedCell {
  std::string family, size;
  int64_t seed = 0;
  double budget_flops = 0;
  std::string reason;
};

/// One family at one size: what the matching came to.
struct Shape {
  std::string family, size, stack;  // stack as a pattern of mixer names, "MMAMM"
  int64_t d_model = 0, layers = 0, d_ff = 0;
  int64_t d_ff_step = 0;  // d_ff is a multiple of this
  int64_t non_embedding = 0;
  double off = 0;       // (non_embedding − target) / target
  std::string problem;  // why there is no such model; "": there is
  double aspect() const { return layers > 0 ? static_cast<double>(d_model) / static_cast<double>(layers) : 0; }
};

struct Plan {
  StudySpec spec;
  spec::DataManifest data;
  std::vector<Shape> shapes;
  std::vector<PlannedRun> runs;  // trunks before their branches; cheapest size first
  std::vector<RejectedCell> rejected;
  std::vector<std::string> notes;  // choices that a reader should know of
  double cost_flops = 0;           // executed, each id and each shared prefix counted once
};

/// Expands a study into runs. Throws ConfigError with everything that is wrong: a missing corpus, a family that cannot
/// be matched, a budget left with fewer than four sizes, nothing left to run.
Plan make_plan(const StudySpec& spec, const std::string& store);

std::string plan_text(const Plan& plan);  // tables for a terminal: shapes, runs, rejected cells, cost
std::string plan_json(const Plan& plan);

}  // namespace hyscale::studies
