#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "parallel/threads.h"
#include "parallel/train_bench.h"

namespace hyscale::parallel {

/// What `bench train` prints: for people, and with --json.
std::string to_text(const TrainBench& bench, const TrainBenchPlan& plan, const ThreadPlan& threads,
                    const WorkDevice& device);
nlohmann::ordered_json to_json(const TrainBench& bench, const TrainBenchPlan& plan, const ThreadPlan& threads,
                               const WorkDevice& device);

}  // namespace hyscale::parallel
