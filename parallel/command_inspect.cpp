#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/spec/accounting.h"
#include "core/spec/mixture.h"
#include "core/spec/run_config.h"
#include "parallel/commands.h"
#include "parallel/inspect_checkpoint.h"

namespace hyscale::parallel {

namespace {

struct Options {
  std::string path;
  std::string store;
  std::vector<std::string> set;
  bool json = false;
};

// Everything that can be said of a run before it starts.
struct Inspection {
  spec::RunConfig config;
  spec::Account account;
  std::string run_id;      // "" without the corpus
  std::string id_problem;  // why there is no id
};

Inspection inspect(const Options& options) {
  namespace fs = std::filesystem;
  const std::string file = fs::is_directory(options.path) ? options.path + "/run.yaml" : options.path;
  Inspection result;
  result.config = spec::load_run_config(file, options.set);
  result.account = spec::account(result.config.model, result.config.model.context, result.config.train.precision);
  try {
    const auto data = spec::load_data_manifest(result.config.data, spec::store_directory(options.store));
    result.run_id = spec::run_id(result.config, data.identity);
    if (const auto problem = spec::vocabulary_problem(result.config.model.vocabulary, data))
      result.id_problem = problem->what + ": train would refuse";
  } catch (const ConfigError& e) {
    result.id_problem = e.problems().at(0).what;
  }
  return result;
}

nlohmann::ordered_json whole_run_flops(const spec::FlopsPerToken& flops, double tokens) {
  return {{"paper", flops.paper * tokens},
          {"with_head", flops.with_head * tokens},
          {"executed", flops.executed * tokens},
          {"six_n", flops.six_n * tokens}};
}

nlohmann::ordered_json to_json(const Inspection& i) {
  const spec::Account& a = i.account;
  const spec::TrainConfig& train = i.config.train;
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (size_t n = 0; n < a.layers.size(); ++n)
    layers.push_back({{"layer", n},
                      {"name", a.layers[n].name},
                      {"mixer", a.layers[n].mixer},
                      {"mixer_parameters", a.layers[n].mixer_parameters},
                      {"ffn_parameters", a.layers[n].ffn_parameters},
                      {"mixer_flops_per_token", a.layers[n].mixer_flops}});
  nlohmann::ordered_json json{
      {"context", i.config.model.context},
      {"d_model", i.config.model.d_model},
      {"vocabulary", i.config.model.vocabulary},
      {"params",
       {{"total", a.params.total},
        {"non_embedding", a.params.non_embedding},
        {"without_head", a.params.without_head},
        {"active", a.params.active}}},
      {"train_flops_per_token", whole_run_flops(a.train_flops_per_token, 1)},
      {"cache_bytes_per_sequence",
       {{"paper_bf16", a.cache_bytes_per_sequence.paper_bf16}, {"actual", a.cache_bytes_per_sequence.actual}}},
      {"tokens", train.tokens},
      {"batch_tokens", train.batch_tokens},
      {"steps", train.steps()},
      {"run_flops", whole_run_flops(a.train_flops_per_token, static_cast<double>(train.tokens))},
      {"layers", std::move(layers)}};
  json["run_id"] = i.run_id.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(i.run_id);
  return json;
}

std::string layers_text(const spec::Account& account) {
  std::string text = fmt::format("{:>5}  {:<8} {:<10} {:>16} {:>16} {:>18}\n", "layer", "name", "mixer",
                                 "mixer parameters", "FFN parameters", "mixer FLOPs/token");
  for (size_t n = 0; n < account.layers.size(); ++n) {
    const spec::LayerAccount& layer = account.layers[n];
    text += fmt::format("{:>5}  {:<8} {:<10} {:>16} {:>16} {:>18.4g}\n", n, layer.name, layer.mixer,
                        layer.mixer_parameters, layer.ffn_parameters, layer.mixer_flops);
  }
  return text;
}

std::string to_text(const Inspection& i) {
  const spec::ParameterCounts& p = i.account.params;
  const spec::FlopsPerToken& f = i.account.train_flops_per_token;
  const spec::TrainConfig& train = i.config.train;
  const auto tokens = static_cast<double>(train.tokens);
  std::string text = layers_text(i.account);
  text += fmt::format("\nparameters            total {}  non_embedding {}  without_head {}  active {}\n", p.total,
                      p.non_embedding, p.without_head, p.active);
  text += fmt::format("train FLOPs per token paper {:.5g}  with_head {:.5g}  executed {:.5g}  six_n {:.5g}\n", f.paper,
                      f.with_head, f.executed, f.six_n);
  text += fmt::format(
      "whole run             {} tokens in {} steps: paper {:.4g}  with_head {:.4g}  executed {:.4g}  "
      "six_n {:.4g}\n",
      train.tokens, train.steps(), f.paper * tokens, f.with_head * tokens, f.executed * tokens, f.six_n * tokens);
  text += fmt::format("cache per sequence    paper_bf16 {:.0f} B  actual {:.0f} B  (context {})\n",
                      i.account.cache_bytes_per_sequence.paper_bf16, i.account.cache_bytes_per_sequence.actual,
                      i.config.model.context);
  text += fmt::format("run id                {}\n", i.run_id.empty() ? "unknown" : i.run_id);
  return text + (i.id_problem.empty() ? "" : fmt::format("                      ({})\n", i.id_problem));
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show a model's parameters, FLOPs, caches and run id; or what a checkpoint holds");
  command->add_option("run", options->path, "A run.yaml, a run directory, or a checkpoint")
      ->required()
      ->type_name("RUN.yaml|DIR|CHECKPOINT");
  command->add_option("--set", options->set, "Change a value first: a.b=c (may be repeated)")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--store", options->store, "Store with the corpus (default: HYSCALE_STORE, ./hyscale-store)");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Example: hybrid-worker inspect run.yaml --set model.context=8192 --json\n"
      "         hybrid-worker inspect runs/first/checkpoints/step-000000400.h5");
  command->callback([options] {
    if (is_hdf5(options->path)) {
      const auto show = options->json ? checkpoint_json : checkpoint_text;
      std::fputs(show(options->path).c_str(), stdout);
      return;
    }
    const Inspection result = inspect(*options);
    std::fputs(options->json ? (to_json(result).dump(2) + "\n").c_str() : to_text(result).c_str(), stdout);
  });
}

}  // namespace hyscale::parallel
