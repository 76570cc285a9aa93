#include "parallel/execution.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::parallel {

using nlohmann::json;

void write_execution(const storage::RunDirectory& run, const Execution& execution) {
  const json content{{"format", "hyscale.exec/1"},
                     {"run_id", execution.run_id},
                     {"identity", json::parse(execution.canonical)},
                     {"settings", execution.settings},
                     {"provenance", execution.provenance}};
  write_file_atomically(run.exec_json(), content.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

std::optional<Execution> read_execution(const storage::RunDirectory& run) {
  if (!std::filesystem::exists(run.exec_json())) return std::nullopt;
  const std::string text = read_file(run.exec_json());
  try {
    const json content = json::parse(text);
    return Execution{.run_id = content.at("run_id").get<std::string>(),
                     .canonical = content.at("identity").dump(),
                     .settings = content.at("settings").get<std::map<std::string, std::string>>(),
                     .provenance = content.at("provenance").get<std::map<std::string, std::string>>()};
  } catch (const json::exception& e) {
    throw DamagedFile({.what = fmt::format("{} is no record of execution settings: {}", run.exec_json(), e.what()),
                       .remedy = "remove it: the worker writes a new one from its command line"});
  }
}

std::vector<std::string> inexact_differences(const Execution& before, const Execution& now) {
  std::vector<std::string> found;
  const auto compare = [&](const std::string& name, const auto& was, const auto& is) {
    const auto a = was.find(name), b = is.find(name);
    if (a != was.end() && b != is.end() && a->second != b->second)
      found.push_back(fmt::format("{} is {}, was {}", name, b->second, a->second));
  };
  for (const auto& [name, value] : now.settings) compare(name, before.settings, now.settings);
  for (const char* name : {"cpu", "gpu", "kernels", "build", "commit"})
    compare(name, before.provenance, now.provenance);
  return found;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace hyscale::parallel
