#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "studies/cell_rules.h"
#include "studies/families/family.h"
#include "studies/plan.h"
#include "studies/sweep.h"

namespace hyscale::studies {

/// Three significant digits: an id must not hang on the last bit of a power.
double rounded_rate(double rate);

/// A fitted model with all that its cells need to know of it; shared by the variants that agree about the model.
struct CountedModel {
  FittedModel fit;
  spec::Account account;
  int64_t batch_tokens = 0, micro_batch = 1;
  spec::MemoryBytes memory;
  std::string problem;  // why nothing can be trained with it; "": nothing is in the way
};

/// One family at one size in one variant.
struct Candidate {
  size_t family, variant;     // indices
  const SizeSpec& size;       // with its target
  const spec::RunFile& base;  // with the family's and the variant's settings
  const CountedModel& model;
  const CountedModel& first;  // of the first family at this size, in this variant
};

/// Adds cells to a plan: seeds × learning rates × budgets of each candidate, each kept with its schedule and role,
/// rejected with the reason, or waiting for a sweep. Swept sizes come before those that wait for them.
class Cells {
 public:
  /// All arguments outlive it.
  Cells(Plan& plan, const std::vector<SizeSpec>& sizes, const std::vector<Variant>& variants, const Known& known);
  void add(const Candidate& candidate);
  /// Reports budgets left with too few sizes, and entries of include and exclude that match nothing.
  void check(Problems& problems) const;

 private:
  struct Cell;
  struct Rates;
  std::vector<Cell> cells_of(const Candidate& candidate) const;
  std::vector<std::vector<bool>> wanted_cells(const Candidate& candidate);  // by seed and budget
  int64_t settle_warmup(const Candidate& candidate, std::vector<Cell>& cells,
                        const std::vector<std::vector<bool>>& wanted);
  Rates rates_of(const Candidate& candidate);
  std::vector<bool> sort_out(const Candidate& candidate, const std::vector<Cell>& cells, int64_t seed,
                             const Rates& rates, std::vector<bool> wanted);
  struct Replicate {
    std::shared_ptr<const PlannedModel> model;
    int64_t seed;
  };
  void add_runs(const Candidate& candidate, const std::vector<Cell>& cells, const std::vector<bool>& wanted,
                const Rates& rates, const Replicate& replicate);
  RejectedCell left_out(const Candidate& candidate, const Cell& cell, int64_t seed, std::string reason) const;
  const FamilySpec& family_of(const Candidate& candidate) const { return plan_.spec.families[candidate.family]; }

  Plan& plan_;
  const std::vector<SizeSpec>& sizes_;
  const std::vector<Variant>& variants_;
  const Known& known_;
  CellFilter filter_;
  Sweeps sweeps_;
  /// By family, variant and budget, where include and exclude leave any cell: sizes kept, and why others were not.
  struct Left {
    std::set<std::string> sizes, reasons;
  };
  std::map<std::tuple<size_t, size_t, size_t>, Left> left_;
};

/// A budget for people: "1e+15", "3e+09 tokens", "20 tokens per parameter".
std::string budget_text(BudgetKind kind, double budget);

}  // namespace hyscale::studies
