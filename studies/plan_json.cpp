#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "studies/plan.h"

namespace hyscale::studies {

using nlohmann::ordered_json;

static std::string quoted(const std::string& text) { return ordered_json(text).dump(); }

// "books", or "books 70%, code 30%".
static std::string corpus_names(const spec::DataManifest& data) {
  if (data.parts.size() == 1) return data.parts[0].corpus.name;
  std::vector<std::string> shares;
  for (const auto& part : data.parts) shares.push_back(fmt::format("{} {:g}%", part.name, 100 * part.weight));
  return fmt::format("{}", fmt::join(shares, ", "));
}

// Written as text: a plan may have a hundred thousand runs, and a tree of all of them would take a gigabyte.
static void append_run(std::string& text, const PlannedRun& run, const std::string& model) {
  const spec::TrainConfig& train = run.train;
  const RunFlops flops = run.flops();
  fmt::format_to(std::back_inserter(text),
                 R"({{"run_id":"{}",{},"seed":{},"budget":{},"budget_flops":{},"lr":{},"tokens":{},"steps":{},)"
                 R"("warmup_tokens":{},"cooldown_tokens":{},"role":"{}","parent":"{}","branch_tokens":{},)"
                 R"("checkpoint_at":[{}],"flops":{{"paper":{},"with_head":{},"executed":{},"six_n":{}}},)"
                 R"("cost_flops":{}}})",
                 run.run_id, model, run.seed(), run.budget, run.budget_flops, train.optimizer.lr, train.tokens,
                 train.steps(), train.schedule.warmup_tokens, train.schedule.cooldown_tokens, to_string(run.role),
                 run.parent, run.branch_tokens, fmt::join(run.checkpoint_at, ","), flops.paper, flops.with_head,
                 flops.executed, flops.six_n, run.cost_flops);
}

// Members that all runs of a model share.
static std::string model_members(const PlannedModel& model) {
  return fmt::format(R"("family":{},"size":{},"context":{},"axes":{},"batch_tokens":{},"non_embedding":{})",
                     quoted(model.family), quoted(model.size), model.config.model.context, quoted(model.axes),
                     model.config.train.batch_tokens, model.account.params.non_embedding);
}

static std::string runs_json(const Plan& plan) {
  constexpr size_t kBytesOfRun = 750;  // nearly all are shorter
  std::string text, members;
  text.reserve(plan.runs.size() * kBytesOfRun);
  const PlannedModel* model = nullptr;
  for (const PlannedRun& run : plan.runs) {
    if (run.model.get() != model) model = run.model.get(), members = model_members(*model);
    text += text.empty() ? "\n" : ",\n";
    append_run(text, run, members);
  }
  return text;
}

static std::string left_out_json(const std::vector<RejectedCell>& cells) {
  std::string text;
  for (const RejectedCell& cell : cells)
    text += (text.empty() ? "\n" : ",\n") +
            fmt::format(R"({{"family":{},"size":{},"context":{},"axes":{},"seed":{},"budget":{},"budget_flops":{},)"
                        R"("reason":{}}})",
                        quoted(cell.family), quoted(cell.size), cell.context, quoted(cell.axes), cell.seed, cell.budget,
                        cell.budget_flops, quoted(cell.reason));
  return text;
}

static std::string shapes_json(const Plan& plan) {
  std::string text;
  for (const Shape& s : plan.shapes) {
    const ordered_json shape{{"family", s.family},
                             {"size", s.size},
                             {"context", s.context},
                             {"axes", s.axes},
                             {"d_model", s.d_model},
                             {"layers", s.layers},
                             {"aspect", s.aspect()},
                             {"d_ff", s.d_ff},
                             {"d_ff_step", s.d_ff_step},
                             {"non_embedding", s.non_embedding},
                             {"off", s.off},
                             {"batch_tokens", s.batch_tokens},
                             {"micro_batch", s.micro_batch},
                             {"memory_bytes_per_rank", s.memory_bytes},
                             {"stack", s.stack},
                             {"problem", s.problem}};
    text += (text.empty() ? "\n" : ",\n") + shape.dump();
  }
  return text;
}

std::string plan_json(const Plan& plan, const std::string& more) {
  return fmt::format(
      "{{\"study\":{},\"corpus\":{},\"budget_kind\":\"{}\",\"cost_flops\":{},\"excluded\":{},\n\"shapes\":[{}],\n"
      "\"runs\":[{}],\n\"rejected\":[{}],\n\"waiting\":[{}],\n\"notes\":{}{}{}}}\n",
      quoted(plan.spec.name), quoted(corpus_names(plan.data)),
      kBudgetKinds[static_cast<size_t>(plan.spec.budgets.kind)], plan.cost_flops, plan.excluded, shapes_json(plan),
      runs_json(plan), left_out_json(plan.rejected), left_out_json(plan.waiting), ordered_json(plan.notes).dump(),
      more.empty() ? "" : ",\n", more);
}

}  // namespace hyscale::studies
