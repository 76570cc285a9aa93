#include "scheduler/plan_cost.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <unordered_set>

namespace hyscale::scheduler {
namespace {

constexpr double kSame = 0.02;         // of FLOPs a token
constexpr double kBytesOfState = 12;   // a parameter's weight and two moments in fp32
constexpr double kBytesOfStep = 150;   // in journal, attempt and final record
constexpr int kNewestCheckpoints = 2;  // that a worker keeps beside branch points

using Rates = std::vector<std::pair<double, double>>;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

bool fits(const storage::ThroughputRow& row, const studies::Resources& resources) {
  const bool gpu = on_gpu(resources);
  if ((row.device == "cuda") != gpu || row.ranks != std::max<int64_t>(resources.ranks, 1)) return false;
  const std::string kind = resources.gpu_kind.substr(0, resources.gpu_kind.find('-'));
  return gpu ? row.name.find(kind) != std::string::npos : resources.threads == 0 || row.threads == resources.threads;
}

double disk_of(const studies::PlannedRun& run) {
  const auto checkpoints = static_cast<double>(run.checkpoint_at.size() + kNewestCheckpoints);
  return checkpoints * kBytesOfState * static_cast<double>(run.model->account.params.total) +
         kBytesOfStep * static_cast<double>(run.train.steps());
}

}  // namespace

bool on_gpu(const studies::Resources& r) {
  return r.device == "cuda" || (r.device == "auto" && (r.gpus > 0 || !r.gpu_kind.empty()));
}

double Speed::at(double flops_per_token) const {
  if (rates.empty()) return 0;
  std::vector<double> here;
  for (const auto& [flops, rate] : rates)
    if (std::abs(flops / flops_per_token - 1) <= kSame) here.push_back(rate);
  if (!here.empty()) return median(std::move(here));
  const auto above = std::lower_bound(rates.begin(), rates.end(), std::pair{flops_per_token, 0.0});
  if (above == rates.begin()) return rates.front().second;
  if (above == rates.end()) return rates.back().second;
  const auto below = std::prev(above);
  const double share = std::log(flops_per_token / below->first) / std::log(above->first / below->first);
  return below->second + share * (above->second - below->second);
}

Speed speed_of_finished_runs(const storage::Database& database, const studies::Resources& resources) {
  std::map<std::string, Rates> by_name;
  for (const storage::ThroughputRow& row : database.throughputs())
    if (fits(row, resources)) by_name[row.name].emplace_back(row.flops_per_token, row.flops / row.seconds);
  const auto most = std::max_element(by_name.begin(), by_name.end(),
                                     [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  if (most == by_name.end()) return {};
  std::sort(most->second.begin(), most->second.end());
  return {.how = std::to_string(most->second.size()) + " finished runs", .device = most->first, .rates = most->second};
}

PlanCost cost_of(const studies::Plan& plan, const studies::Resources& resources, const Speed& speed,
                 const std::map<std::string, std::string>& done) {
  PlanCost cost;
  std::unordered_set<std::string_view> seen;
  std::map<const studies::PlannedModel*, double> rates;
  double seconds = 0;
  for (const studies::PlannedRun& run : plan.runs) {
    cost.memory_bytes = std::max(cost.memory_bytes, run.model->memory.total());
    if (!seen.insert(run.run_id).second || done.contains(run.run_id)) continue;
    ++cost.runs;
    cost.flops += run.cost_flops;
    cost.disk_bytes += disk_of(run);
    const auto [rate, is_new] = rates.try_emplace(run.model.get());
    if (is_new) rate->second = speed.at(run.model->account.train_flops_per_token.executed);
    if (rate->second > 0) seconds += run.cost_flops / rate->second;
  }
  cost.hours = seconds / 3600;
  if (on_gpu(resources))
    cost.gpu_hours = cost.hours * static_cast<double>(std::max<int64_t>(resources.gpus, 1)) /
                     static_cast<double>(resources.runs_per_gpu);
  else
    cost.core_hours = cost.hours * static_cast<double>(std::max<int64_t>(resources.ranks, 1) *
                                                       std::max<int64_t>(resources.threads, 1));
  cost.money = cost.gpu_hours * resources.price_per_gpu_hour + cost.core_hours * resources.price_per_core_hour;
  return cost;
}

}  // namespace hyscale::scheduler
