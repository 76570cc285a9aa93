#include "studies/cells.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <utility>

namespace hyscale::studies {

static constexpr double kBudgetTolerance = 0.01;

double rounded_rate(double rate) { return std::strtod(fmt::format("{:.2e}", rate).c_str(), nullptr); }

// One budget of one family and size, in whole steps.
struct Cell {
  double budget = 0;
  int64_t tokens = 0;
  int64_t cooldown_tokens = 0;
  std::string reason;  // why it is rejected; "": it is kept
};

static int64_t whole_steps(double tokens, int64_t batch) {
  return std::llround(tokens / static_cast<double>(batch)) * batch;
}

static std::string reason_against(const Cell& cell, const Plan& plan, double flops_per_token, int64_t parameters) {
  const Limits& limits = plan.spec.limits;
  const auto tokens = static_cast<double>(cell.tokens);
  const double steps = tokens / static_cast<double>(plan.spec.batch_tokens);
  const double per_parameter = tokens / static_cast<double>(parameters);
  const auto [epochs, corpus] = plan.data.epochs(tokens);
  const double off = std::abs(tokens * flops_per_token / cell.budget - 1);
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

static std::vector<Cell> cells_of(const Plan& plan, const FittedModel& fit, const spec::Account& account) {
  const ScheduleRule& rule = plan.spec.schedule;
  const int64_t batch = plan.spec.batch_tokens;
  std::vector<Cell> cells;
  for (const double budget : plan.spec.budgets_flops) {
    Cell cell{.budget = budget, .reason = {}};
    if (!fit.problem.empty()) {
      cell.reason = fit.problem;
    } else {
      const double flops = account.train_flops_per_token.with_head;
      cell.tokens = whole_steps(budget / flops, batch);
      cell.cooldown_tokens = whole_steps(rule.cooldown * static_cast<double>(cell.tokens), batch);
      cell.reason = cell.tokens < batch ? "less than one step" : reason_against(cell, plan, flops, fit.non_embedding);
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

// One warm-up for all budgets of a size; a budget that it does not leave room in is rejected.
static int64_t settle_warmup(const Plan& plan, std::vector<Cell>& cells) {
  const ScheduleRule& rule = plan.spec.schedule;
  const int64_t batch = plan.spec.batch_tokens;
  const auto smallest = std::find_if(cells.begin(), cells.end(), [](const Cell& cell) { return cell.reason.empty(); });
  if (smallest == cells.end()) return 0;
  int64_t warmup = rule.warmup_tokens;
  if (rule.warmup > 0)
    warmup = std::max(batch, whole_steps(rule.warmup * static_cast<double>(smallest->tokens), batch));
  for (Cell& cell : cells)
    if (cell.reason.empty() && warmup + cell.cooldown_tokens > cell.tokens)
      cell.reason = fmt::format("warm-up of {} and cool-down of {} tokens exceed its {}", warmup, cell.cooldown_tokens,
                                cell.tokens);
  return warmup;
}

static spec::RunConfig config_of(const Plan& plan, const spec::RunFile& base, const FittedModel& fit, int64_t warmup) {
  spec::RunConfig config = base.config;
  config.model = fit.model;
  config.train.batch_tokens = plan.spec.batch_tokens;
  config.train.schedule = {.kind = plan.spec.schedule.kind, .warmup_tokens = warmup};
  return config;
}

static RunFlops run_flops(const spec::FlopsPerToken& flops, int64_t count) {
  const auto tokens = static_cast<double>(count);
  return {.paper = flops.paper * tokens,
          .with_head = flops.with_head * tokens,
          .executed = flops.executed * tokens,
          .six_n = flops.six_n * tokens};
}

static PlannedRun run_of(const Plan& plan, const Cell& cell, spec::RunConfig config,
                         std::shared_ptr<const spec::Account> account) {
  PlannedRun run;
  config.train.tokens = cell.tokens;
  config.train.schedule.cooldown_tokens = cell.cooldown_tokens;
  run.run_id = spec::run_id(config, plan.data.identity);
  run.config = std::move(config);
  run.seed = run.config.train.seed;
  run.budget_flops = cell.budget;
  run.flops = run_flops(account->train_flops_per_token, cell.tokens);
  run.cost_flops = run.flops.executed;
  run.account = std::move(account);
  return run;
}

// The largest budget is the trunk; the others start from its checkpoints and pay for their cool-down alone.
static void share_prefix(std::vector<PlannedRun>& runs, int64_t batch) {
  std::reverse(runs.begin(), runs.end());
  if (runs.size() < 2) return;
  PlannedRun& trunk = runs.front();
  trunk.role = Role::trunk;
  for (size_t i = 1; i < runs.size(); ++i) {
    PlannedRun& branch = runs[i];
    const int64_t cooldown = branch.config.train.schedule.cooldown_tokens;
    branch.role = Role::branch;
    branch.parent = trunk.run_id;
    branch.branch_tokens = branch.config.train.tokens - cooldown;
    branch.branch_step = branch.branch_tokens / batch;
    branch.cost_flops = branch.account->train_flops_per_token.executed * static_cast<double>(cooldown);
    trunk.checkpoint_at.push_back(branch.branch_tokens);
  }
  std::sort(trunk.checkpoint_at.begin(), trunk.checkpoint_at.end());
}

static std::vector<double> rates_of(const LearningRateRule& rule, const SizeSpec& size, const FittedModel& fit) {
  const auto swept = std::find(rule.sweep_for.begin(), rule.sweep_for.end(), size.name);
  const std::vector<double> scales = swept == rule.sweep_for.end() ? std::vector<double>{1} : rule.sweep_scale;
  std::vector<double> rates;
  for (const double scale : scales)
    rates.push_back(rounded_rate(
        std::min(rule.max, scale * rule.value * std::pow(static_cast<double>(fit.target) / rule.at, rule.exponent))));
  return rates;
}

static const std::vector<int64_t>& seeds_of(const StudySpec& spec, const SizeSpec& size) {
  const auto own = spec.seeds_of_size.find(size.name);
  return own == spec.seeds_of_size.end() ? spec.seeds : own->second;
}

void add_cells(Plan& plan, const FamilySpec& family, const SizeSpec& size, const spec::RunFile& base,
               const FittedModel& fit) {
  const auto account = std::make_shared<const spec::Account>(spec::account(fit.model));
  std::vector<Cell> cells = cells_of(plan, fit, *account);
  spec::RunConfig config = config_of(plan, base, fit, settle_warmup(plan, cells));
  bool checked = false;
  for (const int64_t seed : seeds_of(plan.spec, size)) {
    config.data.seed = config.train.seed = seed;  // a replicate sees another order as well
    for (const Cell& cell : cells)
      if (!cell.reason.empty())
        plan.rejected.push_back({.family = family.name,
                                 .size = size.name,
                                 .seed = seed,
                                 .budget_flops = cell.budget,
                                 .reason = cell.reason});
    for (const double rate : rates_of(plan.spec.learning_rate, size, fit)) {
      config.train.optimizer.lr = rate;
      std::vector<PlannedRun> runs;
      for (const Cell& cell : cells)
        if (cell.reason.empty()) runs.push_back(run_of(plan, cell, config, account));
      if (plan.spec.schedule.branch) share_prefix(runs, config.train.batch_tokens);
      for (PlannedRun& run : runs) {
        // every width the ladder chose must pass the checks that a person's file has to pass
        if (!std::exchange(checked, true))
          spec::parse_run_config(spec::to_yaml(run.config), family.name + "/" + size.name);
        run.family = family.name;
        run.size = size.name;
        plan.runs.push_back(std::move(run));
      }
    }
  }
}

}  // namespace hyscale::studies
