#include "cluster/job_files.h"

#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {
namespace {

using nlohmann::json;

/// Reads a file that is replaced by rename, hence whole or altered by somebody else.
template <class Read>
auto read_json(const std::string& path, Read read) {
  const std::string text = read_file(path);
  try {
    return read(json::parse(text));
  } catch (const json::exception& e) {
    throw DamagedFile({.what = fmt::format("{} is damaged: {}", path, e.what()),
                       .remedy = "move the job's directory away; the run is then tried again"});
  }
}

json to_json(const ProcessIdentity& process) { return {{"pid", process.pid}, {"start", process.start}}; }
ProcessIdentity process_from(const json& j) { return {j.at("pid").get<int64_t>(), j.at("start").get<int64_t>()}; }

void write_json(const std::string& path, const json& content) { write_file_atomically(path, content.dump(1) + "\n"); }

}  // namespace

void write_command(const JobFiles& files, const JobCommand& command) {
  write_json(
      files.command(),
      {{"argv", command.argv}, {"working_directory", command.working_directory}, {"stop_signal", command.stop_signal}});
}

JobCommand read_command(const JobFiles& files) {
  return read_json(files.command(), [](const json& j) {
    return JobCommand{j.at("argv").get<std::vector<std::string>>(), j.at("working_directory").get<std::string>(),
                      j.at("stop_signal").get<int>()};
  });
}

void write_processes(const JobFiles& files, const JobProcesses& processes) {
  write_json(files.started(), {{"keeper", to_json(processes.keeper)}, {"worker", to_json(processes.worker)}});
}

void write_end(const JobFiles& files, const JobEnd& end) {
  write_json(files.ended(), {{"exit_code", end.exit_code}, {"signal", end.signal}});
}

std::optional<JobProcesses> read_processes(const JobFiles& files) {
  if (!std::filesystem::exists(files.started())) return std::nullopt;
  return read_json(files.started(), [](const json& j) {
    return JobProcesses{process_from(j.at("keeper")), process_from(j.at("worker"))};
  });
}

std::optional<JobEnd> read_end(const JobFiles& files) {
  if (!std::filesystem::exists(files.ended())) return std::nullopt;
  return read_json(files.ended(), [](const json& j) {
    return JobEnd{j.at("exit_code").get<int>(), j.at("signal").get<int>()};
  });
}

}  // namespace hyscale::cluster
