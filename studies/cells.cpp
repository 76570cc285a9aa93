#include "studies/cells.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace hyscale::studies {

static constexpr double kBudgetTolerance = 0.01;
static constexpr size_t kFewestSizes = 4;  // a curve over sizes needs at least that many points

double rounded_rate(double rate) { return std::strtod(fmt::format("{:.2e}", rate).c_str(), nullptr); }

std::string budget_text(BudgetKind kind, double budget) {
  if (kind == BudgetKind::flops) return fmt::format("{:g}", budget);
  return fmt::format("{:g} {}", budget, kind == BudgetKind::tokens ? "tokens" : "tokens per parameter");
}

// One budget of one candidate, in whole steps.
struct Cells::Cell {
  size_t index = 0;  // of the budget
  double budget = 0, budget_flops = 0;
  int64_t tokens = 0;
  int64_t cooldown_tokens = 0;
  std::string reason;  // why it is rejected; "": it is kept
};

// Learning rates to train with, each by its multiplier of the rule's; none while a sweep decides.
struct Cells::Rates {
  std::vector<std::pair<double, double>> scale_and_rate;
  std::string waits_for, problem;
};

static int64_t whole_steps(double tokens, int64_t batch) {
  return std::llround(tokens / static_cast<double>(batch)) * batch;
}

static double tokens_for(const Budgets& budgets, double budget, const spec::Account& account) {
  switch (budgets.kind) {
    case BudgetKind::flops:
      return budget / account.train_flops_per_token.with_head;
    case BudgetKind::tokens:
      return budget;
    case BudgetKind::tokens_per_parameter:
      return budget * static_cast<double>(account.params.non_embedding);
  }
  return 0;
}

// Before they are rounded to whole steps.
static double wanted_tokens(const StudySpec& spec, double budget, const Candidate& candidate) {
  const spec::Account &own = candidate.model.account, &first = candidate.first.account;
  switch (spec.compare) {
    case Compare::own:
      return tokens_for(spec.budgets, budget, own);
    case Compare::equal_tokens:
      return tokens_for(spec.budgets, budget, first);
    case Compare::equal_flops:
      return tokens_for(spec.budgets, budget, first) * first.train_flops_per_token.with_head /
             own.train_flops_per_token.with_head;
  }
  return 0;
}

static std::string reason_against(const Plan& plan, int64_t count, double wanted, const CountedModel& model) {
  const Limits& limits = plan.spec.limits;
  const auto tokens = static_cast<double>(count);
  const double steps = tokens / static_cast<double>(model.batch_tokens);
  const double per_parameter = tokens / static_cast<double>(model.fit.non_embedding);
  const auto [epochs, corpus] = plan.data.epochs(tokens);
  const double off = std::abs(tokens / wanted - 1);
  if (count < model.batch_tokens) return "less than one step";
  if (steps < limits.steps[0]) return fmt::format("{:.0f} steps, fewer than {:g}", steps, limits.steps[0]);
  if (steps > limits.steps[1]) return fmt::format("{:.0f} steps, more than {:g}", steps, limits.steps[1]);
  if (off > kBudgetTolerance) return fmt::format("whole steps leave the budget by {:.1f} %", 100 * off);
  if (per_parameter < limits.tokens_per_parameter[0])
    return fmt::format("{:.2g} tokens per parameter, fewer than {:g}", per_parameter, limits.tokens_per_parameter[0]);
  if (per_parameter > limits.tokens_per_parameter[1])
    return fmt::format("{:.0f} tokens per parameter, more than {:g}", per_parameter, limits.tokens_per_parameter[1]);
  if (epochs > limits.epochs)
    return fmt::format("{:.2g} epochs of the corpus {}, more than {:g}", epochs, corpus, limits.epochs);
  return "";
}

Cells::Cells(Plan& plan, const std::vector<SizeSpec>& sizes, const std::vector<Variant>& variants, const Known& known)
    : plan_(plan), sizes_(sizes), variants_(variants), known_(known), filter_(plan.spec) {}

std::vector<Cells::Cell> Cells::cells_of(const Candidate& candidate) const {
  const StudySpec& spec = plan_.spec;
  const bool flops = spec.budgets.kind == BudgetKind::flops;
  std::vector<Cell> cells;
  for (const double budget : spec.budgets.values) {
    Cell cell{.index = cells.size(), .budget = budget, .budget_flops = flops ? budget : 0, .reason = {}};
    cell.reason = candidate.model.problem;
    if (cell.reason.empty() && spec.compare != Compare::own && !candidate.first.fit.problem.empty())
      cell.reason = fmt::format("it is compared with {}, of which there is no such model", spec.families[0].name);
    if (cell.reason.empty()) {
      const int64_t batch = candidate.model.batch_tokens;
      const double wanted = wanted_tokens(spec, budget, candidate);
      cell.tokens = whole_steps(wanted, batch);
      cell.cooldown_tokens = whole_steps(spec.schedule.cooldown * static_cast<double>(cell.tokens), batch);
      cell.reason = reason_against(plan_, cell.tokens, wanted, candidate.model);
      const double spent = static_cast<double>(cell.tokens) * candidate.model.account.train_flops_per_token.with_head;
      if (cell.reason.empty() && std::abs(spent / budget - 1) > kBudgetTolerance) cell.budget_flops = 0;
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

// One warm-up for all budgets of a size; a budget that it does not leave room in is rejected. What an earlier
// submission of the study has settled stays, so that its runs keep their ids when a smaller budget joins them.
int64_t Cells::settle_warmup(const Candidate& candidate, std::vector<Cell>& cells,
                             const std::vector<std::vector<bool>>& wanted) {
  const ScheduleRule& rule = plan_.spec.schedule;
  const int64_t batch = candidate.model.batch_tokens;
  const auto smallest = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.reason.empty() &&
           std::any_of(wanted.begin(), wanted.end(), [&](const auto& of_seed) { return of_seed[cell.index]; });
  });
  if (smallest == cells.end()) return 0;
  int64_t warmup = rule.warmup_tokens;
  if (rule.warmup > 0)
    warmup = std::max(batch, whole_steps(rule.warmup * static_cast<double>(smallest->tokens), batch));
  const auto stored =
      known_.warmups.find({family_of(candidate).name, candidate.size.name, candidate.base.config.model.context,
                           variants_[candidate.variant].axes_text()});
  const bool keeps = stored != known_.warmups.end() && rule.warmup > 0 && stored->second.batch_tokens == batch &&
                     stored->second.tokens != warmup;
  if (keeps) {
    warmup = stored->second.tokens;
    plan_.notes.push_back(fmt::format("{} {} keeps the warm-up of {} tokens that its runs in this study have",
                                      family_of(candidate).name, candidate.size.name, warmup));
  }
  for (Cell& cell : cells)
    if (cell.reason.empty() && warmup + cell.cooldown_tokens > cell.tokens)
      cell.reason = fmt::format("{}warm-up of {} and cool-down of {} tokens exceed its {}",
                                keeps ? "the study's stored " : "", warmup, cell.cooldown_tokens, cell.tokens);
  return warmup;
}

Cells::Rates Cells::rates_of(const Candidate& candidate) {
  const LearningRateRule& rule = plan_.spec.learning_rate;
  std::vector<double> scales{1};
  Rates rates;
  if (is_swept(plan_.spec, candidate.size)) {
    scales = rule.sweep_scale;
  } else if (const SizeSpec* below = sweep_below(plan_.spec, sizes_, candidate.size)) {
    const Sweeps::Winner winner = sweeps_.winner({candidate.family, candidate.variant}, below->name, known_);
    if (!winner.known) return {.scale_and_rate = {}, .waits_for = below->name, .problem = {}};
    if (!winner.scale)
      return {.scale_and_rate = {},
              .waits_for = {},
              .problem = fmt::format("the sweep at {} has left no learning rate to carry on", below->name)};
    scales = {*winner.scale};
    plan_.notes.push_back(fmt::format("{} {} takes {:g} times the rule's learning rate from the sweep at {}{}",
                                      family_of(candidate).name, candidate.size.name, *winner.scale, below->name,
                                      winner.at_edge ? ", the last one tried there: a better one may lie beyond" : ""));
  }
  const auto target = static_cast<double>(candidate.model.fit.target);
  for (const double scale : scales) {
    PowerRule scaled = rule.rule;
    scaled.value *= scale;
    rates.scale_and_rate.emplace_back(scale, rounded_rate(scaled(target)));
  }
  return rates;
}

// The largest budget is the trunk; the others start from its checkpoints and pay for their cool-down alone.
static void share_prefix(std::vector<PlannedRun>& runs, int64_t batch) {
  std::reverse(runs.begin(), runs.end());
  if (runs.size() < 2) return;
  PlannedRun& trunk = runs.front();
  trunk.role = Role::trunk;
  for (size_t i = 1; i < runs.size(); ++i) {
    PlannedRun& branch = runs[i];
    const int64_t cooldown = branch.train.schedule.cooldown_tokens;
    branch.role = Role::branch;
    branch.parent = trunk.run_id;
    branch.branch_tokens = branch.train.tokens - cooldown;
    branch.branch_step = branch.branch_tokens / batch;
    branch.cost_flops = branch.model->account.train_flops_per_token.executed * static_cast<double>(cooldown);
    trunk.checkpoint_at.push_back(branch.branch_tokens);
  }
  std::sort(trunk.checkpoint_at.begin(), trunk.checkpoint_at.end());
}

RejectedCell Cells::left_out(const Candidate& candidate, const Cell& cell, int64_t seed, std::string reason) const {
  return {.family = family_of(candidate).name,
          .size = candidate.size.name,
          .axes = variants_[candidate.variant].axes_text(),
          .context = candidate.base.config.model.context,
          .seed = seed,
          .budget = cell.budget,
          .budget_flops = cell.budget_flops,
          .reason = std::move(reason)};
}

void Cells::add_runs(const Candidate& candidate, const std::vector<Cell>& cells, const std::vector<bool>& wanted,
                     const Rates& rates, const Replicate& replicate) {
  const auto& [model, seed] = replicate;
  spec::DataConfig data = model->config.data;
  data.seed = seed;  // a replicate sees another order as well
  const spec::RunIds ids(model->config.model, data, plan_.data.identity);
  for (const auto& [scale, rate] : rates.scale_and_rate) {
    std::vector<PlannedRun> runs;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (!wanted[i]) continue;
      PlannedRun& run = runs.emplace_back();
      run.model = model;
      run.train = model->config.train;
      run.train.seed = seed;
      run.train.optimizer.lr = rate;
      run.train.tokens = cells[i].tokens;
      run.train.schedule.cooldown_tokens = cells[i].cooldown_tokens;
      run.run_id = ids.of(run.train);
      run.budget = cells[i].budget, run.budget_flops = cells[i].budget_flops;
      run.cost_flops = run.flops().executed;
    }
    if (is_swept(plan_.spec, candidate.size))
      sweeps_.tried({candidate.family, candidate.variant}, candidate.size.name, scale, runs.back().run_id);
    if (plan_.spec.schedule.branch) share_prefix(runs, model->config.train.batch_tokens);
    std::move(runs.begin(), runs.end(), std::back_inserter(plan_.runs));
  }
}

static PlannedModel planned_model(const Plan& plan, const Candidate& candidate, const std::string& axes) {
  spec::RunConfig config = candidate.base.config;
  config.model = candidate.model.fit.model;
  config.train.batch_tokens = candidate.model.batch_tokens;
  config.train.schedule = {.kind = plan.spec.schedule.kind};
  return {.family = plan.spec.families[candidate.family].name,
          .size = candidate.size.name,
          .axes = axes,
          .config = std::move(config),
          .account = candidate.model.account,
          .micro_batch = candidate.model.micro_batch,
          .memory = candidate.model.memory};
}

static const std::vector<int64_t>& seeds_of(const StudySpec& spec, const SizeSpec& size) {
  const auto own = spec.seeds_of_size.find(size.name);
  return own == spec.seeds_of_size.end() ? spec.seeds : own->second;
}

std::vector<std::vector<bool>> Cells::wanted_cells(const Candidate& candidate) {
  std::vector<std::vector<bool>> wanted;
  for (const int64_t seed : seeds_of(plan_.spec, candidate.size)) {
    std::vector<bool>& of_seed = wanted.emplace_back();
    for (const double budget : plan_.spec.budgets.values) {
      of_seed.push_back(
          filter_.wants(family_of(candidate).name, candidate.size.name, budget, seed, variants_[candidate.variant]));
      plan_.excluded += of_seed.back() ? 0 : 1;
    }
  }
  return wanted;
}

// Which of the wanted cells are to be trained now; the others are noted with their reason.
std::vector<bool> Cells::sort_out(const Candidate& candidate, const std::vector<Cell>& cells, int64_t seed,
                                  const Rates& rates, std::vector<bool> wanted) {
  for (const Cell& cell : cells) {
    if (!wanted[cell.index]) continue;
    Left& left = left_[{candidate.family, candidate.variant, cell.index}];
    const std::string& reason = cell.reason.empty() ? rates.problem : cell.reason;
    if (!reason.empty()) {
      left.reasons.insert(candidate.size.name + ": " + reason);
      plan_.rejected.push_back(left_out(candidate, cell, seed, reason));
    } else {
      left.sizes.insert(candidate.size.name);
      if (!rates.waits_for.empty())
        plan_.waiting.push_back(left_out(candidate, cell, seed, "waits for the sweep at " + rates.waits_for));
    }
    wanted[cell.index] = reason.empty() && rates.waits_for.empty();
  }
  return wanted;
}

void Cells::add(const Candidate& candidate) {
  const std::vector<int64_t>& seeds = seeds_of(plan_.spec, candidate.size);
  const auto wanted = wanted_cells(candidate);
  std::vector<Cell> cells = cells_of(candidate);
  PlannedModel planned = planned_model(plan_, candidate, variants_[candidate.variant].axes_text());
  planned.config.train.schedule.warmup_tokens = settle_warmup(candidate, cells, wanted);
  const Rates rates = rates_of(candidate);
  const auto model = std::make_shared<const PlannedModel>(std::move(planned));
  const size_t before = plan_.runs.size();
  for (size_t i = 0; i < seeds.size(); ++i) {
    const std::vector<bool> kept = sort_out(candidate, cells, seeds[i], rates, wanted[i]);
    if (std::find(kept.begin(), kept.end(), true) != kept.end())
      add_runs(candidate, cells, kept, rates, {model, seeds[i]});
  }
  // every width the ladder chose must pass the checks that a person's file has to pass
  if (plan_.runs.size() > before)
    spec::parse_run_config(spec::to_yaml(plan_.runs[before].config()), model->family + "/" + model->size);
}

// Sizes with the base file's own widths are compared one by one: no curve goes through them.
static size_t fewest_sizes(const StudySpec& spec) {
  const auto given = [](const SizeSpec& size) { return size.base_widths; };
  return std::all_of(spec.sizes.begin(), spec.sizes.end(), given) ? 1 : kFewestSizes;
}

void Cells::check(Problems& problems) const {
  const size_t fewest = fewest_sizes(plan_.spec);
  for (const auto& [key, left] : left_) {
    if (left.sizes.size() >= fewest) continue;
    const auto& [family, variant, budget] = key;
    std::string what = fmt::format("budget {} keeps {} sizes of family {}, not {}",
                                   budget_text(plan_.spec.budgets.kind, plan_.spec.budgets.values[budget]),
                                   left.sizes.size(), plan_.spec.families[family].name, fewest);
    if (const auto settings = variants_[variant].overrides(); !settings.empty())
      what += fmt::format(" with {}", fmt::join(settings, ", "));
    problems.add(
        {.what = std::move(what),
         .why = left.reasons.empty() ? "the study has too few sizes" : fmt::format("{}", fmt::join(left.reasons, "; ")),
         .remedy = "add sizes near the budget's optimum, widen limits, or drop the budget",
         .at = {plan_.spec.file}});
  }
  filter_.report_unmatched(problems);
}

}  // namespace hyscale::studies
