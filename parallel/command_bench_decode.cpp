#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "parallel/commands.h"
#include "parallel/decode_bench.h"
#include "parallel/threads.h"

namespace hyscale::parallel {
namespace {

struct DecodeOptions {
  std::string run_file;
  std::vector<std::string> overrides;
  DecodeBenchPlan plan;
  int threads = 0;
  bool json = false;
};

nlohmann::ordered_json to_json(const DecodeBench& b, const DecodeBenchPlan& plan, const ThreadPlan& threads) {
  return {{"device", "cpu"},
          {"threads", threads.threads},
          {"parameters", b.parameters},
          {"batch", plan.batch},
          {"prompt", plan.prompt},
          {"total", plan.total},
          {"prefill_seconds", b.prefill_seconds},
          {"prefill_tokens_per_second", static_cast<double>(plan.batch * plan.prompt) / b.prefill_seconds},
          {"decode_tokens_per_second",
           static_cast<double>(plan.batch) * static_cast<double>(b.token_seconds.size()) / b.decode_seconds()},
          {"tokens_per_second", b.tokens_per_second(plan)},
          {"token_ms", {{"median", b.step_quantile(0.5) * 1e3}, {"p99", b.step_quantile(0.99) * 1e3}}},
          {"weight_bytes", b.weight_bytes},
          {"cache_bytes", b.cache_bytes},
          {"mean_cache_bytes", b.mean_cache_bytes},
          {"read_gb_per_second", b.read_rate * 1e-9},
          {"share_of_floor", b.share_of_floor()}};
}

std::string to_text(const nlohmann::ordered_json& j) {
  const auto number = [&](const char* name) { return j.at(name).get<double>(); };
  return fmt::format(
      "CPU, {} threads, fp32: {:.1f} M parameters, {} sequences, prompts of {} tokens, {} in all\n"
      "  prefill        {:>10.1f} tokens/s, {:.3f} s to the first token\n"
      "  decode         {:>10.1f} tokens/s, {:.2f} ms a step (median), {:.2f} (p99)\n"
      "  together       {:>10.1f} tokens/s written, prefill included\n"
      "  memory         {:>10.1f} MiB of weights, caches of {:.1f} MiB at the end, {:.1f} over the steps\n"
      "  floor          {:>10.1f} % of reading both once a step at {:.1f} GB/s, measured here\n",
      j.at("threads").get<int>(), number("parameters") * 1e-6, j.at("batch").get<int64_t>(),
      j.at("prompt").get<int64_t>(), j.at("total").get<int64_t>(), number("prefill_tokens_per_second"),
      number("prefill_seconds"), number("decode_tokens_per_second"), j.at("token_ms").at("median").get<double>(),
      j.at("token_ms").at("p99").get<double>(), number("tokens_per_second"), number("weight_bytes") / (1 << 20),
      number("cache_bytes") / (1 << 20), number("mean_cache_bytes") / (1 << 20), number("share_of_floor") * 100,
      number("read_gb_per_second"));
}

void bench(const DecodeOptions& options) {
  const spec::RunConfig config = spec::load_run_config(options.run_file, options.overrides);
  if (options.plan.total < options.plan.prompt + 2)
    throw ConfigError({.what = fmt::format("--total {} leaves nothing to write behind --prompt {}", options.plan.total,
                                           options.plan.prompt),
                       .remedy = "give a --total of two tokens more at least"});
  const ThreadPlan threads = set_threads(options.threads, 1, {});
  ProgressLine line;
  const DecodeBench result = bench_decode(config.model, options.plan, [&](int64_t written) {
    line.show(fmt::format("written {} of {} tokens", written, options.plan.total - options.plan.prompt));
  });
  line.clear();
  const nlohmann::ordered_json json = to_json(result, options.plan, threads);
  fmt::print("{}", options.json ? json.dump(2) + "\n" : to_text(json));
}

}  // namespace

void add_bench_decode(CLI::App& bench_command) {
  CLI::App* command = bench_command.add_subcommand("decode", "Time a model that writes on behind prompts, on the CPU");
  const auto options = std::make_shared<DecodeOptions>();
  command->add_option("run", options->run_file, "The run config; weights and prompts are random")
      ->required()
      ->type_name("RUN.yaml");
  command->add_option("--set", options->overrides, "Change a field of the config: model.d_model=512")
      ->type_name("A.B=C")
      ->allow_extra_args(false);
  command->add_option("--batch", options->plan.batch, "Sequences")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--prompt", options->plan.prompt, "Tokens of each prompt")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--total", options->plan.total, "Tokens of each sequence at the end, its prompt included")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--prefill-tokens", options->plan.piece, "Of one forward pass over prompts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads (default: allowed cores)")->check(CLI::PositiveNumber);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "By the protocol of arXiv 2510.04800: tokens written over the whole time. The floor is what reading all weights "
      "and\n"
      "caches once a step takes at the rate at which these threads read memory.\n\n"
      "Example: hybrid-worker bench decode run.yaml --batch 1 --prompt 128 --total 512");
  command->callback([options] { bench(*options); });
}

}  // namespace hyscale::parallel
