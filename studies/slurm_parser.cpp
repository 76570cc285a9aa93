#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>
#include <sstream>

#include "studies/spec_parser.h"

namespace hyscale::studies {
namespace {

constexpr const char* kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

bool holds_only(const std::string& text, const std::string& more) {
  return text.find_first_not_of(kLetters + more) == std::string::npos;
}

/// A text that stands in a batch script: letters, digits and `more`, and it may not begin with '-'.
std::string plain(YamlMap& map, const std::string& key, const std::string& more) {
  const std::string text = map.optional<std::string>(key, "");
  if (!holds_only(text, more) || text.starts_with('-')) {
    map.problem_at(key, fmt::format("{} = '{}' cannot be given to Slurm", map.path_of(key), text),
                   fmt::format("use letters, digits and {}", more), "it stands in a batch script, which a shell reads");
    return "";
  }
  return text;
}

std::vector<std::string> words(YamlMap& map, const std::string& key) {
  std::vector<std::string> list;
  const YamlValue value = map.value(key);
  if (!value.exists()) return list;
  for (const YamlValue& item : value.as_sequence()) list.push_back(item.as<std::string>().value_or(""));
  return list;
}

/// What the job script sets by itself: another value would undo what the study counts on.
bool is_ours(const std::string& option) {
  constexpr std::array kOurs{"--job-name", "--array",     "--dependency", "--output", "--open-mode",
                             "--signal",   "--requeue",   "--no-requeue", "--time",   "--partition",
                             "--account",  "--qos",       "--constraint", "--nodes",  "--ntasks",
                             "--parsable", "--test-only", "--wrap",       "--wait",   "--cpus-per-task"};
  const std::string name = option.substr(0, option.find('='));
  return std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end();
}

void parse_extra(YamlMap& map, SlurmSpec& slurm) {
  const YamlValue value = map.value("extra");
  if (!value.exists()) return;
  for (const YamlValue& item : value.as_sequence()) {
    const std::string option = item.as<std::string>().value_or("--");
    if (!option.starts_with("--") || option.size() < 4 || !holds_only(option, "._/-+=:,@[]"))
      item.problem(fmt::format("{} = '{}' is no option for an #SBATCH line", item.path(), option),
                   "write \"--mem=8G\", one option an item", "it stands in a batch script, which sbatch reads");
    else if (is_ours(option))
      item.problem(fmt::format("{} = '{}' is set by the study itself", item.path(), option),
                   "use the keys of slurm: and resources:, or leave it out");
    else
      slurm.extra.push_back(option);
  }
}

void parse_surroundings(YamlMap& map, SlurmSpec& slurm) {
  for (const std::string& module : slurm.modules = words(map, "modules"))
    if (module.empty() || !holds_only(module, "._/-+") || module.starts_with('-'))
      map.problem_at("modules", fmt::format("{} holds '{}', which is no module", map.path_of("modules"), module),
                     "write names as `module avail` shows them");
  slurm.container = words(map, "container");
  std::istringstream lines(map.optional<std::string>("prologue", ""));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#SBATCH"))
      map.problem_at("prologue", "the prologue holds an #SBATCH line", "put the option under extra:");
    slurm.prologue.push_back(line);
  }
}

void parse_throttle(YamlMap& map, SlurmSpec& slurm) {
  if (!map.has("throttle")) return;
  YamlMap throttle = map.map("throttle");
  slurm.throttle_runs = throttle.optional<int64_t>("runs", 0, {.min = 1, .max = 1e6});
  slurm.throttle_gpus = throttle.optional<int64_t>("gpus", 0, {.min = 1, .max = 1e6});
  throttle.finish();
}

}  // namespace

bool is_time_limit(const std::string& text) {
  if (text.size() < 7 || text.size() > 9) return false;
  const std::string minutes = text.substr(text.size() - 6), hours = text.substr(0, text.size() - 6);
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  return std::all_of(hours.begin(), hours.end(), digit) && minutes[0] == ':' && minutes[1] < '6' && digit(minutes[1]) &&
         digit(minutes[2]) && minutes[3] == ':' && minutes[4] < '6' && digit(minutes[4]) && digit(minutes[5]);
}

std::optional<SlurmSpec> parse_slurm(const YamlValue& value) {
  if (!value.exists()) return {};
  SlurmSpec slurm;
  YamlMap map = value.as_map();
  slurm.partition = plain(map, "partition", "._-,");
  slurm.account = plain(map, "account", "._-@");
  slurm.qos = plain(map, "qos", "._-");
  slurm.constraint = plain(map, "constraint", "._-&|()[]*,:");
  slurm.gpu_type = plain(map, "gpu_type", "._-");
  slurm.time = map.optional<std::string>("time", "");
  if (!slurm.time.empty() && !is_time_limit(slurm.time))
    map.problem_at("time", fmt::format("{} = '{}' is no time limit", map.path_of("time"), slurm.time),
                   "write \"02:00:00\"");
  slurm.signal_seconds = map.optional<int64_t>("signal_seconds", 0, {.min = 1, .max = 65535});
  slurm.nodes = map.optional<int64_t>("nodes", 1, {.min = 1, .max = 1e5});
  const std::vector<std::string> launchers{"mpirun", "srun"};
  slurm.mpi = launchers[map.choice("mpi", launchers, 0)];
  slurm.pack = map.optional<int64_t>("pack", 1, {.min = 1, .max = 1e4});
  parse_extra(map, slurm);
  parse_surroundings(map, slurm);
  parse_throttle(map, slurm);
  slurm.report = map.optional<bool>("report", true);
  slurm.report_partition = plain(map, "report_partition", "._-,");
  map.finish();
  return slurm;
}

}  // namespace hyscale::studies
