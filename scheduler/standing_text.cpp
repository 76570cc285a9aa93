#include <cmath>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "scheduler/run_state.h"
#include "scheduler/standing.h"

namespace hyscale::scheduler {
namespace {

using nlohmann::ordered_json;

std::string counts_text(const Standing& s) {
  std::string text;
  for (const char* state : {"done", "running", "submitted", "planned", "diverged", "failed", "cancelled", "lost"})
    if (const auto found = s.counts.find(state); found != s.counts.end())
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", found->second, state);
  return text;
}

std::string cell_text(const RunStanding& r) {
  return fmt::format("  {:12}  {:<20} {:>6}  seed {:<3} {:>9.2e} FLOPs", short_id(r.run.run_id), r.cell.family,
                     r.cell.size, r.cell.seed, r.cell.budget);
}

std::string active_text(const RunStanding& r) {
  if (!r.status || r.status->tokens_per_second == 0) return cell_text(r) + "  starting\n";
  return fmt::format("{}  step {}/{}  loss {:.4f}  {:.0f} tokens/s  ETA {}\n", cell_text(r), r.status->step,
                     r.status->steps, r.status->loss, r.status->tokens_per_second,
                     format_duration(r.status->eta_seconds));
}

std::string trouble_text(const RunStanding& r, const std::string& store) {
  return fmt::format("{}  {}\n                log {}\n", cell_text(r),
                     r.run.cause.empty() ? r.run.state : r.run.state + ": " + r.run.cause, log_path(store, r.run));
}

bool is_trouble(const RunStanding& r) { return is_final(state_of(r.run)) && r.run.state != "done"; }

/// Lines of a kind, the first few of them.
class Listing {
 public:
  Listing(size_t most, int of) : most_(most), of_(static_cast<size_t>(of)) {}
  template <class Text>
  void add(Text line) {
    if (++count_ <= most_) lines_ += line();
  }
  std::string text(const std::string& title) const {
    if (count_ == 0) return "";
    const std::string rest =
        of_ > most_ ? fmt::format("  … and {} more: --all or --json lists them\n", of_ - most_) : "";
    return "\n" + title + "\n" + lines_ + rest;
  }

 private:
  size_t most_, of_, count_ = 0;
  std::string lines_;
};

/// JSON has no NaN.
ordered_json number(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json run_json(const RunStanding& r, const std::string& store) {
  ordered_json j{{"run", r.run.run_id},
                 {"family", r.cell.family},
                 {"size", r.cell.size},
                 {"seed", r.cell.seed},
                 {"lr", r.cell.lr},
                 {"budget_flops", r.cell.budget_flops},
                 {"role", r.cell.role},
                 {"parent", r.cell.parent},
                 {"state", r.run.state},
                 {"cause", r.run.cause},
                 {"attempts", r.run.attempts},
                 {"counters",
                  {{"own_faults", r.run.own_faults},
                   {"node_faults", r.run.node_faults},
                   {"requeues", r.run.requeues},
                   {"memory_faults", r.run.memory_faults}}},
                 {"validation_loss", number(r.validation_loss)},
                 {"busy_seconds", r.run.busy_seconds},
                 {"log", log_path(store, r.run)}};
  if (r.status)
    j["progress"] = {{"step", r.status->step},
                     {"steps", r.status->steps},
                     {"loss", number(r.status->loss)},
                     {"tokens_per_second", number(r.status->tokens_per_second)},
                     {"eta_seconds", number(r.status->eta_seconds)}};
  return j;
}

std::string driver_text(const Standing& s) {
  if (s.driver)
    return fmt::format("{} process {} on {}\n", s.on_slurm ? "looked after at this moment by" : "driven by",
                       s.driver->process.pid, s.driver->host);
  if (s.finished()) return "";
  if (s.on_slurm && !s.waits)
    return "its jobs are with Slurm: study status and study watch take in what ended and submit what is due\n";
  return "nobody drives it: study submit or study retry carries on\n";
}

}  // namespace

std::string cost_text(double seconds, const Standing& s) {
  const double hours = seconds * s.units / 3600;
  return fmt::format("{:.{}f} {}-hours", hours, hours < 1 ? 4 : 2, s.unit);
}

std::string summary_line(const Standing& s) {
  return fmt::format("{} runs: {}; {:.0f} % of the work{}, {} so far", s.total(), counts_text(s), 100 * s.done_share,
                     s.finished() ? "" : ", ETA " + format_duration(s.eta_seconds), cost_text(s.busy_seconds, s));
}

std::string to_text(const Standing& s, size_t most) {
  std::string text = fmt::format("study {}\n{}\n", s.study, summary_line(s));
  text += driver_text(s);
  int all_active = 0, all_trouble = 0;
  for (const auto& [name, count] : s.counts) {
    const RunState state = state_named(name);
    if (is_active(state)) all_active += count;
    if (is_final(state) && state != RunState::done) all_trouble += count;
  }
  Listing active(most, all_active), trouble(most, all_trouble);
  for (const RunStanding& r : s.runs) {
    if (is_active(state_of(r.run))) active.add([&] { return active_text(r); });
    if (is_trouble(r)) trouble.add([&] { return trouble_text(r, s.store); });
  }
  text += active.text("running") + trouble.text("not done");
  return text;
}

std::string logs_text(const Standing& s) {
  std::string text;
  for (const RunStanding& r : s.runs)
    text += fmt::format("{}  {:<9}  {}\n", cell_text(r), r.run.state, log_path(s.store, r.run));
  return text;
}

std::string to_json(const Standing& s) {
  ordered_json j{{"study", s.study},
                 {"runs_total", s.total()},
                 {"counts", s.counts},
                 {"finished", s.finished()},
                 {"done_share", s.done_share},
                 {"eta_seconds", number(s.finished() ? 0 : s.eta_seconds)},
                 {"busy_seconds", s.busy_seconds},
                 {"cost", {{"unit", s.unit + "-hours"}, {"so_far", s.busy_seconds * s.units / 3600}}},
                 {"driver", nullptr},
                 {"runs", ordered_json::array()}};
  if (s.driver) j["driver"] = {{"host", s.driver->host}, {"pid", s.driver->process.pid}};
  for (const RunStanding& r : s.runs) j["runs"].push_back(run_json(r, s.store));
  return j.dump(2) + "\n";
}

}  // namespace hyscale::scheduler
