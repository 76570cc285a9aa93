#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "studies/cells.h"
#include "studies/families/family.h"
#include "studies/plan.h"

namespace hyscale::studies {

static constexpr size_t kFewestSizes = 4;  // a curve over sizes needs at least that many points

std::string to_string(Role role) {
  switch (role) {
    case Role::trunk:
      return "trunk";
    case Role::branch:
      return "branch";
    case Role::alone:
      return "alone";
  }
  return "";
}

// The base file with a family's `set:` applied; a family without one shares the plain file.
static std::vector<spec::RunFile> base_of_each_family(const StudySpec& spec) {
  const spec::RunFile plain = spec::load_run_file(spec.base);
  std::vector<spec::RunFile> bases;
  for (const FamilySpec& family : spec.families)
    bases.push_back(family.set.empty() ? plain : spec::load_run_file(spec.base, family.set));
  return bases;
}

static void check_against_corpus(const StudySpec& spec, const std::vector<spec::RunFile>& bases,
                                 const spec::DataManifest& data, Problems& problems) {
  for (size_t f = 0; f < bases.size(); ++f) {
    const spec::ModelConfig& model = bases[f].config.model;
    if (auto problem = spec::vocabulary_problem(model.vocabulary, data)) {
      problem->at = {spec.base};
      problems.add(std::move(*problem));
    }
    if (spec.batch_tokens % model.context != 0)
      problems.add({.what = fmt::format("batch.tokens = {} is not a multiple of model.context = {}", spec.batch_tokens,
                                        model.context),
                    .why = "a batch has whole sequences",
                    .at = {spec.file}});
    check_family(spec.families[f], bases[f], problems);
  }
}

// Sizes with the base file's own widths are compared one by one: no curve goes through them.
static size_t fewest_sizes(const StudySpec& spec) {
  const auto given = [](const SizeSpec& size) { return size.base_widths; };
  return std::all_of(spec.sizes.begin(), spec.sizes.end(), given) ? 1 : kFewestSizes;
}

static void check_sizes_of_budgets(const Plan& plan, Problems& problems) {
  const size_t fewest = fewest_sizes(plan.spec);
  for (const FamilySpec& family : plan.spec.families)
    for (const double budget : plan.spec.budgets_flops) {
      std::set<std::string> sizes;
      for (const PlannedRun& run : plan.runs)
        if (run.family == family.name && run.budget_flops == budget) sizes.insert(run.size);
      if (sizes.size() >= fewest) continue;
      std::string reasons;
      for (const RejectedCell& cell : plan.rejected)
        if (cell.family == family.name && cell.budget_flops == budget && reasons.find(cell.reason) == std::string::npos)
          reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", cell.size, cell.reason);
      problems.add({.what = fmt::format("budget {:g} keeps {} sizes of family {}, not {}", budget, sizes.size(),
                                        family.name, fewest),
                    .why = reasons.empty() ? "the study has too few sizes" : reasons,
                    .remedy = "add sizes near the budget's optimum, widen limits, or drop the budget",
                    .at = {plan.spec.file}});
    }
}

// Families that come out alike share ids, branches share their trunk's prefix: each is paid once.
static double total_cost(const Plan& plan) {
  std::set<std::string> seen;
  double cost = 0;
  for (const PlannedRun& run : plan.runs)
    if (seen.insert(run.run_id).second) cost += run.cost_flops;
  return cost;
}

static void note_finer_steps(Plan& plan) {
  std::vector<std::string> finer;
  for (const Shape& shape : plan.shapes) {
    const int64_t usual = shape.non_embedding < 10'000'000 ? 8 : 64;
    if (shape.d_ff > 0 && shape.d_ff % usual != 0)
      finer.push_back(
          fmt::format("{} {} (d_ff {}, {:+.2f} % off)", shape.family, shape.size, shape.d_ff, 100 * shape.off));
  }
  if (!finer.empty())
    plan.notes.push_back(
        fmt::format("finer steps of d_ff than 8 (64 above 10M) match parameters at: {}", fmt::join(finer, ", ")));
}

static void note_ratios(Plan& plan) {
  for (const FamilySpec& family : plan.spec.families) {
    const spec::StackRule& rule = family.stack;
    if (rule.kind != spec::StackRule::Kind::family) continue;
    std::vector<std::string> stacks;
    for (const Shape& shape : plan.shapes)
      if (shape.family == family.name && !shape.stack.empty()) stacks.push_back(shape.size + " " + shape.stack);
    plan.notes.push_back(fmt::format("{} {}:{} in whole layers: {}", family.name, rule.ratio[0], rule.ratio[1],
                                     fmt::join(stacks, ", ")));
  }
}

Plan make_plan(const StudySpec& spec, const std::string& store) {
  Plan plan;
  plan.spec = spec;
  const std::vector<spec::RunFile> bases = base_of_each_family(spec);
  plan.data = spec::load_data_manifest(bases.at(0).config.data, store);
  Problems problems;
  check_against_corpus(spec, bases, plan.data, problems);
  problems.throw_if_any();
  for (const SizeSpec& size : spec.sizes) {
    auto target = static_cast<int64_t>(std::llround(size.target));
    for (size_t f = 0; f < spec.families.size(); ++f) {
      const FittedModel fit = fit_family(spec.families[f], size, bases[f], target);
      if (target == 0) target = fit.non_embedding;  // an explicit shape: the first family sets the mark
      plan.shapes.push_back({.family = spec.families[f].name,
                             .size = size.name,
                             .stack = fit.stack,
                             .d_model = fit.model.d_model,
                             .layers = fit.layers,
                             .d_ff = fit.d_ff,
                             .d_ff_step = fit.d_ff_step,
                             .non_embedding = fit.non_embedding,
                             .off = fit.off,
                             .problem = fit.problem});
      add_cells(plan, spec.families[f], size, bases[f], fit);
    }
  }
  check_sizes_of_budgets(plan, problems);
  problems.throw_if_any();
  plan.cost_flops = total_cost(plan);
  note_finer_steps(plan);
  note_ratios(plan);
  return plan;
}

}  // namespace hyscale::studies
