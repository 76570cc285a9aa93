#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/log.h"
#include "parallel/commands.h"
#include "parallel/kernel_bench.h"

namespace hyscale::parallel {
namespace {

struct KernelOptions {
  KernelBenchPlan plan;
  std::string deterministic = "yes";
  bool json = false;
};

nlohmann::ordered_json to_json(const std::vector<KernelTime>& times, const DeviceContext& context) {
  auto list = nlohmann::ordered_json::array();
  for (const KernelTime& t : times)
    list.push_back({{"kernel", t.kernel},
                    {"shape", t.shape},
                    {"ms", t.milliseconds},
                    {t.moves ? "gb_per_second" : "tflops", t.rate * (t.moves ? 1e-9 : 1e-12)},
                    {t.moves ? "share_of_copy" : "share_of_product", t.share}});
  return {{"gpu", context.name()},
          {"runtime", context.facts().runtime},
          {"deterministic", context.facts().deterministic},
          {"kernels", list}};
}

std::string to_text(const std::vector<KernelTime>& times, const DeviceContext& context) {
  std::string text = fmt::format("{}, {}, bf16, deterministic: {}\n{:<28} {:<34} {:>9} {:>16} {:>7}\n", context.name(),
                                 context.facts().runtime, context.facts().deterministic ? "yes" : "no", "kernel",
                                 "shape", "ms", "rate", "share");
  for (const KernelTime& t : times)
    text += fmt::format("{:<28} {:<34} {:>9.3f} {:>9.1f} {:<6} {:>6.1f}%\n", t.kernel, t.shape, t.milliseconds,
                        t.rate * (t.moves ? 1e-9 : 1e-12), t.moves ? "GB/s" : "TFLOP", t.share * 100);
  return text + "share: of the copy's rate where memory bounds a kernel, of the product's where products do\n";
}

void bench(const KernelOptions& options) {
  const auto context = open_cuda({.index = 0, .deterministic = options.deterministic == "yes"});
  ProgressLine line;
  const auto times = bench_kernels(options.plan, *context, [&](const std::string& kernel) { line.show(kernel); });
  line.clear();
  fmt::print("{}", options.json ? to_json(times, *context).dump(2) + "\n" : to_text(times, *context));
}

}  // namespace

void add_bench_kernels(CLI::App& bench_command) {
  CLI::App* command = bench_command.add_subcommand("kernels", "Time each GPU kernel at the shapes of models of 1e9");
  const auto options = std::make_shared<KernelOptions>();
  command->add_option("--kernel", options->plan.kernel, "Only kernels whose name begins so: ssd")->type_name("NAME");
  command->add_option("--repetitions", options->plan.repetitions, "Timed calls of each")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--deterministic", options->deterministic, "yes or no")
      ->check(CLI::IsMember({"yes", "no"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Prints the median time of each, its rate, and its share of a plain copy or product measured in the same run.\n"
      "Example: hybrid-worker bench kernels --kernel attention --deterministic no");
  command->callback([options] { bench(*options); });
}

}  // namespace hyscale::parallel
