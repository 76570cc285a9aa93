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

void write_command(const JobFiles& files, const Job& job) {
  json j{{"argv", job.argv}, {"working_directory", job.working_directory}, {"stop_signal", job.stop_signal}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) j[name] = value;
  };
  add("needs", job.needs), add("begun", job.begun), add("resume", job.resume), add("progress", job.progress);
  replace_file(files.command(), j.dump(1) + "\n");
}

Job read_command(const JobFiles& files) {
  return read_json(files.command(), [&](const json& j) {
    const auto text = [&](const char* name) { return j.value(name, std::string()); };
    return Job{.directory = files.directory,
               .argv = j.at("argv").get<std::vector<std::string>>(),
               .working_directory = j.at("working_directory").get<std::string>(),
               .stop_signal = j.at("stop_signal").get<int>(),
               .needs = text("needs"),
               .begun = text("begun"),
               .resume = text("resume"),
               .progress = text("progress")};
  });
}

void write_processes(const JobFiles& files, const JobProcesses& p) {
  json j{{"keeper", to_json(p.keeper)}, {"worker", to_json(p.worker)}, {"host", p.host}, {"launch", p.launch}};
  if (p.silent > 0) j["silent"] = p.silent;
  if (!p.slurm_job.empty()) j["slurm_job"] = p.slurm_job;
  write_json(files.started(), j);
}

void write_end(const JobFiles& files, const JobEnd& end) {
  json j{{"exit_code", end.exit_code}, {"signal", end.signal}};
  if (end.cause == EndCause::not_begun) j["not_begun"] = true;
  if (end.requeued) j["requeued"] = true;
  if (end.launch > 1) j["launch"] = end.launch;
  if (end.silent > 0) j["silent"] = end.silent;
  write_json(files.ended(), j);
}

std::optional<JobProcesses> read_processes(const JobFiles& files) {
  if (!std::filesystem::exists(files.started())) return std::nullopt;
  return read_json(files.started(), [](const json& j) {
    return JobProcesses{.keeper = process_from(j.at("keeper")),
                        .worker = process_from(j.at("worker")),
                        .host = j.value("host", ""),
                        .slurm_job = j.value("slurm_job", ""),
                        .launch = j.value("launch", 1),
                        .silent = j.value("silent", 0)};
  });
}

std::optional<JobEnd> read_end(const JobFiles& files) {
  if (!std::filesystem::exists(files.ended())) return std::nullopt;
  return read_json(files.ended(), [](const json& j) {
    return JobEnd{.exit_code = j.at("exit_code").get<int>(),
                  .signal = j.at("signal").get<int>(),
                  .cause = j.value("not_begun", false) ? EndCause::not_begun : EndCause::own_exit,
                  .requeued = j.value("requeued", false),
                  .launch = j.value("launch", 1),
                  .silent = j.value("silent", 0)};
  });
}

}  // namespace hyscale::cluster
