#include <fmt/format.h>
#include <memory>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "scheduler/commands.h"
#include "scheduler/find_run.h"
#include "scheduler/gc.h"
#include "scheduler/standing.h"

namespace hyscale::scheduler {
namespace {

struct GcArguments {
  GcOptions options;
  std::string quota;
  bool json = false;
};

std::string json_of(const GcReport& report, const GcOptions& options) {
  nlohmann::ordered_json j{{"dry_run", options.dry_run},
                           {"freed_bytes", report.freed},
                           {"kept_bytes", report.kept},
                           {"busy_runs", report.busy},
                           {"removed", nlohmann::ordered_json::array()}};
  if (options.quota) j["quota_bytes"] = *options.quota;
  for (const Disposable& checkpoint : report.removed)
    j["removed"].push_back({{"run", checkpoint.run_id},
                            {"step", checkpoint.step},
                            {"bytes", checkpoint.bytes},
                            {"weights", checkpoint.weights}});
  return j.dump(2) + "\n";
}

std::string text_of(const GcReport& report, const GcOptions& options) {
  std::string text;
  if (options.dry_run)
    for (const Disposable& checkpoint : report.removed)
      text += fmt::format("{}  step {:>9}  {:>10}{}\n", short_id(checkpoint.run_id), checkpoint.step,
                          bytes_text(checkpoint.bytes), checkpoint.weights ? "  its last weights" : "");
  text +=
      fmt::format("{} checkpoints {}, {}; {} stay\n", report.removed.size(),
                  options.dry_run ? "would be removed" : "removed", bytes_text(report.freed), bytes_text(report.kept));
  if (report.busy > 0) text += fmt::format("{} runs are being trained and were left alone\n", report.busy);
  return text;
}

int gc(const Study& study, GcArguments arguments) {
  GcOptions& options = arguments.options;
  if (!arguments.quota.empty()) options.quota = parse_bytes(arguments.quota);
  storage::Database database(store_path(study), storage::Database::Mode::write);
  for (const std::string& name : options.studies) check_study(database, name);
  const GcReport report = collect_garbage(database, options);
  fmt::print("{}", arguments.json ? json_of(report, options) : text_of(report, options));
  if (!options.quota || report.kept <= *options.quota) return 0;
  log::warn(
      fmt::format("{} are over the quota of {}: they belong to runs that may be resumed, to branches that have not "
                  "begun, or are the last weights of finished runs{}",
                  bytes_text(report.kept - *options.quota), bytes_text(*options.quota),
                  options.weights ? "" : ", which --weights removes too"));
  return static_cast<int>(ExitCode::failed);
}

}  // namespace

void add_gc_command(CLI::App& app, Study& study) {
  CLI::App* command = app.add_subcommand("gc", "Remove checkpoints that nothing needs any more");
  const auto arguments = std::make_shared<GcArguments>();
  command->add_option("NAME", arguments->options.studies, "Only of these studies (default: all of the store)");
  command->add_option("--quota", arguments->quota, "Remove no more than brings checkpoints below this: 500M, 20G, 1.5T")
      ->type_name("SIZE");
  command->add_flag("--weights", arguments->options.weights,
                    "Also the last weights of finished runs, the oldest first and after all else; their results and "
                    "curves stay");
  command->add_flag("--dry-run", arguments->options.dry_run, "Remove nothing, list what would be removed");
  command->add_flag("--json", arguments->json, "Machine-readable");
  command->footer(
      "What a planned branch starts from and what a run that may be resumed needs always stays.\n"
      "Exits 1 when the quota cannot be met.\n"
      "Example:\n  study gc quickstart --dry-run\n  study gc --quota 200G");
  command->callback([&study, arguments] { study.body = [&study, arguments] { return gc(study, *arguments); }; });
}

}  // namespace hyscale::scheduler
