#include "scheduler/plan_cost.h"

#include <gtest/gtest.h>

namespace hyscale::scheduler {
namespace {

std::shared_ptr<const studies::PlannedModel> model_of(double flops_per_token, int64_t parameters) {
  studies::PlannedModel model;
  model.account.train_flops_per_token.executed = flops_per_token;
  model.account.params.total = parameters;
  model.memory.weights = static_cast<double>(4 * parameters);
  return std::make_shared<const studies::PlannedModel>(model);
}

studies::PlannedRun run_of(const std::string& id, std::shared_ptr<const studies::PlannedModel> model, double cost) {
  studies::PlannedRun run;
  run.run_id = id;
  run.model = std::move(model);
  run.train.tokens = 1000, run.train.batch_tokens = 100;
  run.cost_flops = cost;
  return run;
}

TEST(Speed, IsTheMedianWhereItWasMeasuredAndLiesOnTheLineBetween) {
  const Speed speed{.how = "x", .device = "y", .rates = {{100, 10}, {100.5, 30}, {101, 20}, {10000, 40}}};
  EXPECT_EQ(speed.at(100), 20);
  EXPECT_EQ(speed.at(10000), 40);
  EXPECT_EQ(speed.at(1), 10);
  EXPECT_EQ(speed.at(1e6), 40);
  EXPECT_NEAR(speed.at(1005), 30, 0.1) << "half way in powers of ten";
  EXPECT_EQ(Speed{}.at(100), 0);
}

TEST(PlanCost, CountsEachRunOnceAndNoneThatIsDone) {
  const auto small = model_of(100, 1000), large = model_of(1000, 5000);
  studies::Plan plan;
  plan.runs = {run_of("a", small, 3600), run_of("a", small, 3600), run_of("b", large, 7200), run_of("c", large, 3600)};
  plan.runs[2].checkpoint_at = {100};
  const Speed speed{.how = "x", .device = "y", .rates = {{100, 1}, {1000, 2}}};
  studies::Resources resources;
  resources.device = "cuda", resources.gpus = 4, resources.runs_per_gpu = 2, resources.price_per_gpu_hour = 3;
  const PlanCost cost = cost_of(plan, resources, speed, {{"c", "other"}});
  EXPECT_EQ(cost.runs, 2);
  EXPECT_EQ(cost.flops, 10800);
  EXPECT_DOUBLE_EQ(cost.hours, 2);
  EXPECT_DOUBLE_EQ(cost.gpu_hours, 4);
  EXPECT_DOUBLE_EQ(cost.money, 12);
  EXPECT_EQ(cost.memory_bytes, 20000);
  EXPECT_GE(cost.disk_bytes, 2 * 12 * 1000 + 3 * 12 * 5000);
}

TEST(PlanCost, IsCoreHoursOnACpu) {
  studies::Plan plan;
  plan.runs = {run_of("a", model_of(100, 1000), 3600)};
  studies::Resources resources;
  resources.device = "cpu", resources.ranks = 2, resources.threads = 3, resources.price_per_core_hour = 0.5;
  const PlanCost cost = cost_of(plan, resources, {.how = "x", .device = "y", .rates = {{100, 1}}}, {});
  EXPECT_DOUBLE_EQ(cost.core_hours, 6);
  EXPECT_DOUBLE_EQ(cost.gpu_hours, 0);
  EXPECT_DOUBLE_EQ(cost.money, 3);
}

}  // namespace
}  // namespace hyscale::scheduler
