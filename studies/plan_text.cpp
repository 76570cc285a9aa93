#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "studies/plan.h"

namespace hyscale::studies {

// d_ff with the step it was solved in; how wide a layer is for the depth (aspect).
static std::string shapes_text(const Plan& plan) {
  std::string text = fmt::format("{:<16} {:>8}  {:>7} {:>6} {:>6} {:>6} {:>5} {:>13} {:>7}  {}\n", "family", "size",
                                 "d_model", "layers", "aspect", "d_ff", "step", "non-embedding", "off", "stack");
  for (const Shape& s : plan.shapes)
    text += s.problem.empty() ? fmt::format("{:<16} {:>8}  {:>7} {:>6} {:>6.0f} {:>6} {:>5} {:>13} {:>+6.2f}%  {}\n",
                                            s.family, s.size, s.d_model, s.layers, s.aspect(), s.d_ff, s.d_ff_step,
                                            s.non_embedding, 100 * s.off, s.stack)
                              : fmt::format("{:<16} {:>8}  {:>7} {:>6} {:>6.0f}  none: {}\n", s.family, s.size,
                                            s.d_model, s.layers, s.aspect(), s.problem);
  return text;
}

// "books", or "books 70%, code 30%".
static std::string corpus_names(const spec::DataManifest& data) {
  if (data.parts.size() == 1) return data.parts[0].corpus.name;
  std::vector<std::string> shares;
  for (const auto& part : data.parts) shares.push_back(fmt::format("{} {:g}%", part.name, 100 * part.weight));
  return fmt::format("{}", fmt::join(shares, ", "));
}

static std::string runs_text(const Plan& plan) {
  std::string text =
      fmt::format("{:<12} {:<16} {:>8} {:>4} {:>8} {:>10} {:>12} {:>8} {:>9} {:>6} {:>9}  {}\n", "run", "family",
                  "size", "seed", "budget", "lr", "tokens", "steps", "tokens/N", "epochs", "cost", "role");
  for (const PlannedRun& run : plan.runs) {
    const spec::TrainConfig& train = run.config.train;
    const auto tokens = static_cast<double>(train.tokens);
    const std::string role = run.role == Role::branch
                                 ? fmt::format("branch of {} at step {}", run.parent.substr(0, 12), run.branch_step)
                                 : to_string(run.role);
    text += fmt::format("{:<12} {:<16} {:>8} {:>4} {:>8.3g} {:>10.3g} {:>12} {:>8} {:>9.1f} {:>6.2f} {:>9.2e}  {}\n",
                        run.run_id.substr(0, 12), run.family, run.size, run.seed, run.budget_flops, train.optimizer.lr,
                        train.tokens, train.steps(), tokens / static_cast<double>(run.account->params.non_embedding),
                        plan.data.epochs(tokens).count, run.cost_flops, role);
  }
  return text;
}

static std::string rejected_text(const Plan& plan) {
  if (plan.rejected.empty()) return "";
  std::string text = fmt::format("\n{} cells rejected:\n", plan.rejected.size());
  for (const RejectedCell& cell : plan.rejected)
    text += fmt::format("  {:<16} {:>8} {:>4} {:>8.3g}  {}\n", cell.family, cell.size, cell.seed, cell.budget_flops,
                        cell.reason);
  return text;
}

std::string plan_text(const Plan& plan) {
  const auto branches =
      std::count_if(plan.runs.begin(), plan.runs.end(), [](const PlannedRun& run) { return run.role == Role::branch; });
  std::string text = fmt::format("study {}: {} families, {} sizes, {} budgets\n\n", plan.spec.name,
                                 plan.spec.families.size(), plan.spec.sizes.size(), plan.spec.budgets_flops.size());
  text += shapes_text(plan) + "\n" + runs_text(plan) + rejected_text(plan) + "\n";
  for (const std::string& note : plan.notes) text += "note: " + note + "\n";
  return text + fmt::format("{} runs ({} of them branches), {:.3g} FLOPs to execute\n", plan.runs.size(), branches,
                            plan.cost_flops);
}

using nlohmann::ordered_json;

static ordered_json run_json(const PlannedRun& run) {
  const spec::TrainConfig& train = run.config.train;
  return {{"run_id", run.run_id},
          {"family", run.family},
          {"size", run.size},
          {"seed", run.seed},
          {"budget_flops", run.budget_flops},
          {"lr", train.optimizer.lr},
          {"tokens", train.tokens},
          {"steps", train.steps()},
          {"warmup_tokens", train.schedule.warmup_tokens},
          {"cooldown_tokens", train.schedule.cooldown_tokens},
          {"role", to_string(run.role)},
          {"parent", run.parent},
          {"branch_tokens", run.branch_tokens},
          {"checkpoint_at", run.checkpoint_at},
          {"non_embedding", run.account->params.non_embedding},
          {"flops",
           {{"paper", run.flops.paper},
            {"with_head", run.flops.with_head},
            {"executed", run.flops.executed},
            {"six_n", run.flops.six_n}}},
          {"cost_flops", run.cost_flops}};
}

std::string plan_json(const Plan& plan) {
  ordered_json json{{"study", plan.spec.name}, {"corpus", corpus_names(plan.data)}, {"cost_flops", plan.cost_flops}};
  for (const char* key : {"shapes", "runs", "rejected"}) json[key] = ordered_json::array();
  for (const Shape& s : plan.shapes)
    json["shapes"].push_back({{"family", s.family},
                              {"size", s.size},
                              {"d_model", s.d_model},
                              {"layers", s.layers},
                              {"aspect", s.aspect()},
                              {"d_ff", s.d_ff},
                              {"d_ff_step", s.d_ff_step},
                              {"non_embedding", s.non_embedding},
                              {"off", s.off},
                              {"stack", s.stack},
                              {"problem", s.problem}});
  for (const PlannedRun& run : plan.runs) json["runs"].push_back(run_json(run));
  for (const RejectedCell& cell : plan.rejected)
    json["rejected"].push_back({{"family", cell.family},
                                {"size", cell.size},
                                {"seed", cell.seed},
                                {"budget_flops", cell.budget_flops},
                                {"reason", cell.reason}});
  json["notes"] = plan.notes;
  return json.dump(2) + "\n";
}

}  // namespace hyscale::studies
