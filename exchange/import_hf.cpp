#include "exchange/import_hf.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/data/corpus_place.h"
#include "core/spec/accounting.h"
#include "exchange/model_config.h"
#include "exchange/tensor_links.h"
#include "exchange/weight_files.h"
#include "storage/files/checkpoint.h"

namespace hyscale::exchange {
namespace {

namespace fs = std::filesystem;

/// The run to make, and the class whose tensors are there.
struct Plan {
  spec::RunConfig config;
  Home home = Home::llama;
};

void check_same_model(const std::string& config_json_path, const spec::ModelConfig& model, Home home,
                      const std::string& run_yaml) {
  Problems problems;
  for (const Unfit& reason : reasons_against(rules_of(home), model))
    problems.add({.what = fmt::format("{} {}", rules_of(home).class_name, reason.what), .at = {run_yaml}});
  if (problems.empty())
    for (const std::string& difference : differences(config_json_path, config_json(home, model, {}, "")))
      problems.add({.what = fmt::format("{}, as {} has it", difference, run_yaml),
                    .remedy = "one of the two files was changed: restore it, or take run.yaml away and give --base",
                    .at = {config_json_path}});
  problems.throw_if_any();
}

Plan plan_of(const ImportOptions& options) {
  const std::string config_path = options.directory + "/config.json", run_yaml = options.directory + "/run.yaml";
  if (!fs::exists(config_path))
    throw ConfigError({.what = fmt::format("{} holds no model: {} is missing", options.directory, config_path),
                       .remedy = "name a directory that save_pretrained or hybrid-worker export made"});
  const bool has_run = fs::exists(run_yaml);
  ForeignModel foreign = read_model_config(config_path);
  if (!has_run && options.base.empty())
    throw ConfigError(
        {.what = fmt::format("{} has no run.yaml, so nothing says on which data the model trains", options.directory),
         .remedy = "give a run config with --base: its data, train and context are taken"});
  Plan plan{.config = spec::load_run_config(options.base.empty() ? run_yaml : options.base), .home = foreign.home};
  if (has_run) {
    const int64_t context = plan.config.model.context;
    plan.config.model = spec::load_run_config(run_yaml).model;
    check_same_model(config_path, plan.config.model, foreign.home, run_yaml);
    if (!options.base.empty()) plan.config.model.context = context;
  } else {
    foreign.model.context = plan.config.model.context;
    plan.config.model = std::move(foreign.model);
  }
  // what a config may say, the reader of run.yaml knows best
  plan.config = spec::parse_run_config(spec::to_yaml(plan.config), config_path);
  return plan;
}

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

/// Names and shapes are those that the class has; an lm_head that repeats the embedding is let pass.
void check_tensors(const WeightFiles& weights, const std::vector<TensorLink>& links, const std::string& directory) {
  constexpr const char* kHead = "lm_head.weight";
  Problems problems;
  std::set<std::string> wanted{kHead};
  for (const TensorLink& link : links) {
    wanted.insert(link.theirs);
    if (!weights.has(link.theirs))
      problems.add({.what = fmt::format("tensor {} is missing", link.theirs), .at = {directory}});
    else if (const auto& shape = weights.file_of(link.theirs).shape(link.theirs); shape != link.shape)
      problems.add({.what = fmt::format("tensor {} is {}, config.json makes it {}", link.theirs, shape_text(shape),
                                        shape_text(link.shape)),
                    .at = {directory}});
  }
  for (const std::string& name : weights.names())
    if (!wanted.contains(name))
      problems.add({.what = fmt::format("tensor {} has no place in our model", name), .at = {directory}});
  problems.throw_if_any();
}

class Weights {
 public:
  explicit Weights(const spec::ModelConfig& model) : list_(spec::parameter_list(model)) {
    for (const spec::ParameterSpec& parameter : list_)
      values_[parameter.name].resize(static_cast<size_t>(parameter.count()));
  }

  /// Copies a tensor to its window. A window that a joint projection has filled already must get the same numbers.
  void take(const TensorLink& link, const std::vector<float>& theirs) {
    std::vector<float>& ours = values_.at(link.ours);
    const bool again = !filled_.insert({link.ours, link.row, link.column}).second;
    for (int64_t r = 0; r < link.rows; ++r) {
      const float* from = theirs.data() + r * link.columns;
      float* to = ours.data() + (link.row + r) * link.width + link.column;
      const auto bytes = static_cast<size_t>(link.columns) * sizeof(float);
      if (again && std::memcmp(from, to, bytes) != 0)
        throw ConfigError(
            {.what = fmt::format("tensor {} differs from the other one that is {} here", link.theirs, link.ours),
             .remedy = "write output: separate for this block in run.yaml"});
      std::memcpy(to, from, bytes);
    }
  }

  std::vector<storage::NamedArray> arrays() const {
    std::vector<storage::NamedArray> arrays;
    for (const spec::ParameterSpec& parameter : list_)
      arrays.push_back({"weights/" + parameter.name, parameter.shape, values_.at(parameter.name)});
    return arrays;
  }

 private:
  std::vector<spec::ParameterSpec> list_;
  std::map<std::string, std::vector<float>> values_;
  std::set<std::tuple<std::string, int64_t, int64_t>> filled_;
};

std::vector<float> read(const WeightFiles& weights, const TensorLink& link) {
  std::vector<float> values(static_cast<size_t>(link.rows * link.columns));
  weights.file_of(link.theirs).read(link.theirs, values);
  return values;
}

int64_t number_in(const std::map<std::string, std::string>& notes, const std::string& key) {
  const auto found = notes.find(key);
  int64_t value = 0;
  if (found != notes.end()) std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return std::max<int64_t>(0, value);
}

storage::CheckpointInfo info_of(const Plan& plan, const WeightFiles& weights, const std::string& directory) {
  storage::CheckpointInfo info{.run_id = storage::kImportedRunId,
                               .run_yaml = spec::to_yaml(plan.config),
                               .step = number_in(weights.notes(), "hyscale.step"),
                               .tokens = number_in(weights.notes(), "hyscale.tokens"),
                               .notes = {}};
  info.notes["imported_from"] = fs::absolute(directory).lexically_normal().string();
  info.notes["imported_class"] = rules_of(plan.home).class_name;
  if (const auto run = weights.notes().find("hyscale.run_id"); run != weights.notes().end())
    info.notes["imported_run_id"] = run->second;
  return info;
}

void check_free(const std::string& out) {
  if (fs::exists(out) && !(fs::is_directory(out) && fs::is_empty(out)))
    throw ConfigError({.what = fmt::format("{} exists already", out), .remedy = "choose another --out"});
}

}  // namespace

ImportReport import_from_hf(const ImportOptions& options) {
  check_free(options.out);
  const Plan plan = plan_of(options);
  const WeightFiles files(options.directory);
  const auto links = tensor_links(plan.home, plan.config.model);
  check_tensors(files, links, options.directory);
  Weights weights(plan.config.model);
  for (const TensorLink& link : links) weights.take(link, read(files, link));

  const fs::path place = fs::weakly_canonical(fs::absolute(options.out));
  data::StagingDirectory staging((place.has_filename() ? place : place.parent_path()).string());
  const storage::RunDirectory run{staging.path()}, final_run{options.out};
  const storage::CheckpointInfo info = info_of(plan, files, options.directory);
  make_writable_directory(run.checkpoints());
  write_synced_file(run.run_yaml(), info.run_yaml);
  storage::write_checkpoint(storage::checkpoint_path(run, info.step), info, weights.arrays());
  staging.commit();
  return {.class_name = rules_of(plan.home).class_name,
          .checkpoint = storage::checkpoint_path(final_run, info.step),
          .parameters = spec::account(plan.config.model).params.total,
          .dtype = files.file_of(links.front().theirs).dtype(links.front().theirs)};
}

}  // namespace hyscale::exchange
