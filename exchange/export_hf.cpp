#include "exchange/export_hf.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/data/corpus_place.h"
#include "core/spec/accounting.h"
#include "core/spec/mixture.h"
#include "exchange/tensor_links.h"
#include "exchange/tokenizer_files.h"
#include "storage/files/checkpoint.h"

namespace hyscale::exchange {
namespace {

namespace fs = std::filesystem;

std::string checkpoint_of(const ExportOptions& options) {
  const storage::RunDirectory run{options.directory};
  if (!fs::exists(run.run_yaml()))
    throw ConfigError({.what = fmt::format("{} is no run directory: {} is missing", run.path, run.run_yaml()),
                       .remedy = "name the directory that train --out made"});
  const std::vector<int64_t> steps = storage::list_checkpoints(run);
  if (steps.empty())
    throw ConfigError({.what = fmt::format("{} has no checkpoint", run.path),
                       .remedy = "train the run first, or let it reach its first checkpoint"});
  if (!options.step) return storage::checkpoint_path(run, steps.back());
  if (std::find(steps.begin(), steps.end(), *options.step) == steps.end())
    throw ConfigError({.what = fmt::format("{} has no checkpoint of step {}", run.path, *options.step),
                       .remedy = fmt::format("there are: {}", fmt::join(steps, ", "))});
  return storage::checkpoint_path(run, *options.step);
}

void copy_window(const TensorLink& link, std::span<const float> ours, std::span<float> theirs) {
  for (int64_t r = 0; r < link.rows; ++r)
    std::copy_n(ours.begin() + (link.row + r) * link.width + link.column, link.columns,
                theirs.begin() + r * link.columns);
}

std::vector<TensorToWrite> tensors_of(const storage::CheckpointReader& checkpoint, const std::vector<TensorLink>& links,
                                      const spec::ModelConfig& model) {
  std::map<std::string, size_t> counts;
  for (const spec::ParameterSpec& parameter : spec::parameter_list(model))
    counts[parameter.name] = static_cast<size_t>(parameter.count());
  std::vector<TensorToWrite> tensors;
  for (const TensorLink& link : links)
    tensors.push_back({.name = link.theirs,
                       .shape = link.shape,
                       .fill = [&checkpoint, &link, count = counts.at(link.ours)](std::span<float> out) {
                         std::vector<float> values(count);
                         checkpoint.read("weights/" + link.ours, values);
                         copy_window(link, values, out);
                       }});
  return tensors;
}

/// The tokenizer of the run's corpus; without the corpus a note that says so.
TokenizerFiles tokenizer_of(const spec::RunConfig& config, const std::string& store) {
  try {
    const spec::DataManifest data = spec::load_data_manifest(config.data, spec::store_directory(store));
    return tokenizer_files(*data::open_tokenizer(data.parts.front().corpus), config.model.context);
  } catch (const ConfigError& e) {
    return {.note = fmt::format("none: {}", e.problems().front().what)};
  }
}

std::string free_place(const std::string& out) {
  if (fs::exists(out) && !(fs::is_directory(out) && fs::is_empty(out)))
    throw ConfigError({.what = fmt::format("{} exists already", out), .remedy = "choose another place to export to"});
  const fs::path place = fs::weakly_canonical(fs::absolute(out));
  return (place.has_filename() ? place : place.parent_path()).string();
}

}  // namespace

ExportReport export_to_hf(const ExportOptions& options) {
  const std::string path = checkpoint_of(options), place = free_place(options.out);
  const std::string run_yaml = storage::RunDirectory{options.directory}.run_yaml();
  const spec::RunConfig config = spec::load_run_config(run_yaml);
  const HomeRules& home = rules_of(home_of(config.model, run_yaml));
  const storage::CheckpointReader checkpoint(path);
  const TokenizerFiles tokenizer = tokenizer_of(config, options.store);
  const auto links = tensor_links(home.home, config.model);

  data::StagingDirectory staging(place);
  std::map<std::string, std::string> files = tokenizer.files;
  const char* dtype = options.type == StoredType::f32 ? "float32" : "bfloat16";
  files["config.json"] = config_json(home.home, config.model, tokenizer.ids, dtype).dump(2) + "\n";
  files["generation_config.json"] = generation_config_json(home.home, config.model, tokenizer.ids).dump(2) + "\n";
  files["run.yaml"] = spec::to_yaml(config);
  for (const auto& [name, content] : files) write_synced_file(staging.path() + "/" + name, content);
  const storage::CheckpointInfo& info = checkpoint.info();
  write_safetensors(staging.path() + "/model.safetensors",
                    {{"format", "pt"},
                     {"hyscale.run_id", info.run_id},
                     {"hyscale.step", std::to_string(info.step)},
                     {"hyscale.tokens", std::to_string(info.tokens)}},
                    tensors_of(checkpoint, links, config.model), options.type);
  staging.commit();

  ExportReport report{.class_name = home.class_name,
                      .checkpoint = path,
                      .step = info.step,
                      .parameters = spec::account(config.model).params.total,
                      .tokenizer = tokenizer.note,
                      .files = {"model.safetensors"}};
  for (const auto& [name, content] : files) report.files.push_back(name);
  return report;
}

}  // namespace hyscale::exchange
