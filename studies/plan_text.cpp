#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "studies/plan.h"

namespace hyscale::studies {

static constexpr const char* kBudgetNames[] = {"FLOPs", "tokens", "tokens per parameter"};

// What tells a run from its neighbours beside family and size; "": nothing.
static std::string setting_text(int64_t context, const std::string& axes, bool contexts) {
  std::string text = contexts ? fmt::format("context={}", context) : "";
  if (!axes.empty()) text += (text.empty() ? "" : " ") + axes;
  return text.empty() ? "" : "  " + text;
}

static std::string memory_text(double bytes) {
  return bytes < 1e9 ? fmt::format("{:.1f} MiB", bytes / 1048576.0) : fmt::format("{:.2f} GiB", bytes / 1073741824.0);
}

// d_ff with the step it was solved in; how wide a layer is for the depth (aspect).
static std::string shapes_text(const Plan& plan) {
  std::string text =
      fmt::format("{:<16} {:>8}  {:>7} {:>6} {:>6} {:>6} {:>5} {:>13} {:>7} {:>9} {:>9}  {}\n", "family", "size",
                  "d_model", "layers", "aspect", "d_ff", "step", "non-embedding", "off", "batch", "rank", "stack");
  for (const Shape& s : plan.shapes) {
    text += fmt::format("{:<16} {:>8}  {:>7} {:>6} {:>6.0f} ", s.family, s.size, s.d_model, s.layers, s.aspect());
    text += s.problem.empty() ? fmt::format("{:>6} {:>5} {:>13} {:>+6.2f}% {:>9} {:>9}  {}{}\n", s.d_ff, s.d_ff_step,
                                            s.non_embedding, 100 * s.off, s.batch_tokens, memory_text(s.memory_bytes),
                                            s.stack, setting_text(s.context, s.axes, plan.spec.contexts.size() > 1))
                              : fmt::format(" none: {}\n", s.problem);
  }
  return text;
}

static std::string runs_text(const Plan& plan) {
  std::string text =
      fmt::format("{:<12} {:<16} {:>8} {:>4} {:>8} {:>10} {:>12} {:>8} {:>9} {:>6} {:>9}  {}\n", "run", "family",
                  "size", "seed", "budget", "lr", "tokens", "steps", "tokens/N", "epochs", "cost", "role");
  auto end = std::back_inserter(text);
  for (const PlannedRun& run : plan.runs) {
    const auto tokens = static_cast<double>(run.train.tokens);
    const std::string role = run.role == Role::branch
                                 ? fmt::format("branch of {} at step {}", run.parent.substr(0, 12), run.branch_step)
                                 : to_string(run.role);
    fmt::format_to(end, "{:<12} {:<16} {:>8} {:>4} {:>8.3g} {:>10.3g} {:>12} {:>8} {:>9.1f} {:>6.2f} {:>9.2e}  {}{}\n",
                   run.run_id.substr(0, 12), run.family(), run.size(), run.seed(), run.budget, run.train.optimizer.lr,
                   run.train.tokens, run.train.steps(),
                   tokens / static_cast<double>(run.model->account.params.non_embedding),
                   plan.data.epochs(tokens).count, run.cost_flops, role,
                   setting_text(run.model->config.model.context, run.model->axes, plan.spec.contexts.size() > 1));
  }
  return text;
}

static std::string left_out_text(const Plan& plan, const std::vector<RejectedCell>& cells, const char* what) {
  if (cells.empty()) return "";
  std::string text = fmt::format("\n{} cells {}:\n", cells.size(), what);
  for (const RejectedCell& cell : cells)
    text += fmt::format("  {:<16} {:>8} {:>4} {:>8.3g}  {}{}\n", cell.family, cell.size, cell.seed, cell.budget,
                        cell.reason, setting_text(cell.context, cell.axes, plan.spec.contexts.size() > 1));
  return text;
}

std::string plan_text(const Plan& plan) {
  const auto branches =
      std::count_if(plan.runs.begin(), plan.runs.end(), [](const PlannedRun& run) { return run.role == Role::branch; });
  std::string text = fmt::format("study {}: {} families, {} sizes, {} budgets of {}\n\n", plan.spec.name,
                                 plan.spec.families.size(), plan.spec.sizes.size(), plan.spec.budgets.values.size(),
                                 kBudgetNames[static_cast<size_t>(plan.spec.budgets.kind)]);
  text += shapes_text(plan) + "\n" + runs_text(plan) + left_out_text(plan, plan.rejected, "rejected") +
          left_out_text(plan, plan.waiting, "not planned yet") + "\n";
  if (plan.excluded > 0) text += fmt::format("{} cells are left out by include and exclude\n", plan.excluded);
  for (const std::string& note : plan.notes) text += "note: " + note + "\n";
  return text + fmt::format("{} runs ({} of them branches), {:.3g} FLOPs to execute\n", plan.runs.size(), branches,
                            plan.cost_flops);
}

}  // namespace hyscale::studies
