#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cluster/spawn.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "scheduler/plan_cost.h"

namespace hyscale::scheduler {
namespace {

/// Removed with what it holds when the probe is over.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "hyscale-probe-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw IoError({.what = "cannot make a directory like " + name});
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

nlohmann::json bench(const std::vector<std::string>& argv, const std::string& output, const std::string& shape) {
  std::filesystem::remove(output);  // what a job says is appended
  int status = 0;
  ::waitpid(cluster::spawn(argv, {.output = output}), &status, 0);
  const std::string said = read_file(output);
  const auto json = nlohmann::json::parse(said.substr(std::min(said.find('{'), said.size())), nullptr, false);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || json.is_discarded())
    throw ConfigError({.what = "the probe of " + shape + " failed: " + said,
                       .remedy = "run on a machine like those that will train, or leave --probe out"});
  return json;
}

}  // namespace

Speed probe(const studies::Plan& plan, const studies::Resources& resources, const std::string& worker,
            const std::map<std::string, std::string>& done) {
  const TemporaryDirectory directory;
  const int64_t ranks = std::max<int64_t>(resources.ranks, 1);
  std::vector<const studies::PlannedModel*> models;
  std::set<double> costs;  // shapes of equal cost are as fast as each other
  for (const studies::PlannedRun& run : plan.runs)
    if (!done.contains(run.run_id) && costs.insert(run.model->account.train_flops_per_token.executed).second)
      models.push_back(run.model.get());
  if (models.empty()) return {};
  Speed speed{.how = fmt::format("a probe of {} shapes", models.size()), .device = {}};
  ProgressLine line;
  for (const studies::PlannedModel* model : models) {
    const std::string shape = model->family + " " + model->size;
    line.show(fmt::format("probing {} ({} of {})", shape, speed.rates.size() + 1, models.size()));
    spec::RunConfig config = model->config;
    config.train.batch_tokens /= ranks;
    config.train.tokens = config.train.batch_tokens;
    config.train.schedule.warmup_tokens = 0;
    config.train.optimizer.lr = plan.runs.front().train.optimizer.lr;
    write_file_atomically(directory.path() + "/run.yaml", spec::to_yaml(config));
    std::vector<std::string> argv{
        worker,     "bench", "train", directory.path() + "/run.yaml", "--device", resources.device, "--steps", "3",
        "--warmup", "1",     "--json"};
    const auto add = [&](const char* option, int64_t value) {
      if (value > 0) argv.insert(argv.end(), {option, std::to_string(value)});
    };
    add("--threads", resources.threads);
    add("--micro-batch", resources.micro_batch);
    const auto said = bench(argv, directory.path() + "/bench.json", shape);
    const double flops = model->account.train_flops_per_token.executed;
    speed.device = said.value(said.contains("gpu") ? "gpu" : "cpu", "");
    speed.rates.emplace_back(flops, flops * said.at("tokens_per_second").get<double>() * static_cast<double>(ranks));
  }
  line.clear();
  std::sort(speed.rates.begin(), speed.rates.end());
  return speed;
}

}  // namespace hyscale::scheduler
