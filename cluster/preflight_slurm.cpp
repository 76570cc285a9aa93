#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <sstream>

#include "cluster/preflight.h"

namespace hyscale::cluster {
namespace {

using Level = Finding::Level;
constexpr double kSeconds = 30;

/// "Key = value" lines of `scontrol show config`.
std::map<std::string, std::string> settings_in(const std::string& text) {
  std::map<std::string, std::string> settings;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const size_t key = line.find_first_of(" \t="), value = line.find_first_not_of(" \t", equals + 1);
    settings[line.substr(0, key)] = value == std::string::npos ? "" : line.substr(value);
  }
  return settings;
}

/// A line of `sinfo -h -o '%R|%l|%a|%G'`.
struct Partition {
  std::string name, limit, available, gres;
};
std::vector<Partition> partitions_in(const std::string& text) {
  std::vector<Partition> partitions;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    Partition p;
    std::getline(fields, p.name, '|');
    std::getline(fields, p.limit, '|');
    std::getline(fields, p.available, '|');
    std::getline(fields, p.gres, '|');
    if (!p.name.empty()) partitions.push_back(p);
  }
  return partitions;
}

std::string names_of(const std::vector<Partition>& partitions) {
  std::string names;
  for (const Partition& p : partitions)
    if (names.find(p.name) == std::string::npos) names += (names.empty() ? "" : ", ") + p.name;
  return names;
}

Finding check_partition(const std::vector<Partition>& all, const Needs& needs) {
  const Finding failure{.check = "partition", .level = Level::failure};
  std::vector<Partition> fit = needs.partition.empty() ? all : std::vector<Partition>{};
  std::istringstream wanted(needs.partition);
  for (std::string name; std::getline(wanted, name, ',');) {
    const size_t before = fit.size();
    std::copy_if(all.begin(), all.end(), std::back_inserter(fit), [&](const Partition& p) { return p.name == name; });
    if (fit.size() == before)
      return {failure.check, failure.level, fmt::format("there is no partition '{}'", name),
              "set slurm.partition to one of: " + names_of(all)};
  }
  const std::string names = names_of(fit);
  std::erase_if(fit, [](const Partition& p) { return p.available != "up"; });
  if (fit.empty())
    return {failure.check, failure.level, "not up: " + names, "wait for it, or choose another slurm.partition"};
  std::erase_if(fit, [&](const Partition& p) {
    const int64_t limit = slurm_seconds(p.limit);
    return limit > 0 && needs.seconds > limit;
  });
  if (fit.empty())
    return {failure.check, failure.level, "the runs ask for more time than allowed in: " + names,
            "shorten resources.time: a run that meets its limit checkpoints and goes on in its next attempt"};
  if (needs.gpus) std::erase_if(fit, [](const Partition& p) { return p.gres.find("gpu") == std::string::npos; });
  if (fit.empty())
    return {failure.check, failure.level, "no GPUs in: " + names, "choose another slurm.partition: sinfo -o '%R %G'"};
  std::string limits;
  for (const Partition& p : fit)
    limits += fmt::format("{}{} (at most {})", limits.empty() ? "" : ", ", p.name, p.limit);
  return {.check = "partition", .what = limits};
}

Finding check_limits(const std::map<std::string, std::string>& settings, const Needs& needs) {
  const auto number = [&](const char* key) {
    const auto found = settings.find(key);
    return found == settings.end() ? int64_t{0} : std::strtoll(found->second.c_str(), nullptr, 10);
  };
  const int64_t array = number("MaxArraySize"), jobs = number("MaxJobCount");
  Finding finding{.check = "slurm limits", .what = fmt::format("MaxArraySize {}, MaxJobCount {}", array, jobs)};
  if (array <= 1)
    finding.level = needs.slurm ? Level::failure : Level::warning,
    finding.remedy = "ask the site to allow job arrays (MaxArraySize)";
  else if (needs.runs > jobs)
    finding.level = Level::warning,
    finding.remedy = "throttle the study below the site's job count: slurm: {throttle: {runs: …}}";
  return finding;
}

Finding check_accounting(const Site& site, const std::map<std::string, std::string>& settings) {
  const char* remedy =
      "nothing fails: how runs ended is read from their directories; ask the site for slurmdbd to know of node "
      "failures";
  const auto type = settings.find("AccountingStorageType");
  if (type == settings.end() || type->second.find("slurmdbd") == std::string::npos)
    return {.check = "accounting", .level = Level::note, .what = "off", .remedy = remedy};
  const auto said =
      site.run({"sacct", "-n", "-X", "-P", "-o", "JobIDRaw", "-S", "now-1minutes"}, {.seconds = kSeconds});
  if (said.exit_code == 0) return {.check = "accounting", .what = "on (slurmdbd)"};
  return {.check = "accounting",
          .level = Level::warning,
          .what = "on, but sacct does not answer: " + said.err.substr(0, said.err.find('\n')),
          .remedy = remedy};
}

Finding check_pmi(const Site& site, const Needs& needs) {
  const auto said = site.run({"srun", "--mpi=list"}, {.seconds = kSeconds});
  const bool pmix = (said.out + said.err).find("pmix") != std::string::npos;
  if (pmix) return {.check = "slurm mpi", .what = "srun offers PMIx"};
  return {.check = "slurm mpi",
          .level = needs.mpi.front() == "srun" && needs.ranks > 1 ? Level::failure : Level::note,
          .what = "srun offers no PMIx",
          .remedy = "let mpirun start the ranks inside the jobs: slurm: {mpi: mpirun}, the default"};
}

}  // namespace

int64_t slurm_seconds(const std::string& text) {
  int64_t days = 0;
  std::string clock = text;
  const size_t dash = text.find('-');
  if (dash != std::string::npos) days = std::strtoll(text.c_str(), nullptr, 10), clock = text.substr(dash + 1);
  std::vector<int64_t> parts;
  std::istringstream stream(clock);
  for (std::string part; std::getline(stream, part, ':');) {
    if (part.empty() || part.find_first_not_of("0123456789") != std::string::npos) return 0;
    parts.push_back(std::strtoll(part.c_str(), nullptr, 10));
  }
  if (parts.empty() || parts.size() > 3) return 0;
  // Without days two parts are minutes and seconds, one is minutes; behind days they are hours and minutes, hours.
  if (dash == std::string::npos && parts.size() < 3) parts.insert(parts.begin(), 0);
  while (parts.size() < 3) parts.push_back(0);
  return ((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2];
}

std::vector<Finding> check_slurm(const Site& site, const Needs& needs) {
  const auto config = site.run({"scontrol", "show", "config"}, {.seconds = kSeconds});
  if (config.exit_code == kNoSuchProgram)
    return {{.check = "slurm",
             .level = needs.slurm ? Level::failure : Level::note,
             .what = "not here: there is no scontrol",
             .remedy = needs.slurm ? "submit from a login node of the cluster, or with --on local" : ""}};
  if (config.exit_code != 0)
    return {{.check = "slurm",
             .level = needs.slurm ? Level::failure : Level::note,
             .what = "its controller does not answer: " + config.err.substr(0, config.err.find('\n')),
             .remedy = "wait for it (scontrol ping); runs that are under way go on meanwhile"}};
  const auto settings = settings_in(config.out);
  const auto version = settings.find("SLURM_VERSION");
  std::vector<Finding> found{
      {.check = "slurm", .what = version == settings.end() ? "answers" : "version " + version->second}};
  found.push_back(check_limits(settings, needs));
  const auto sinfo = site.run({"sinfo", "-h", "-o", "%R|%l|%a|%G"}, {.seconds = kSeconds});
  found.push_back(check_partition(partitions_in(sinfo.out), needs));
  found.push_back(check_accounting(site, settings));
  found.push_back(check_pmi(site, needs));
  if (!needs.slurm)  // a cluster that is not asked for cannot fail anything
    for (Finding& finding : found)
      if (finding.level == Level::failure) finding.level = Level::warning;
  return found;
}

}  // namespace hyscale::cluster
