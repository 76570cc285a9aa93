#include "cluster/slurm_files.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cluster/job_files.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace hyscale::cluster {
namespace {

using nlohmann::json;

/// Files that are replaced by rename, hence whole or altered by somebody else.
template <class Read>
auto read_array_file(const std::string& path, Read read) {
  const std::string text = read_file(path);
  try {
    return read(json::parse(text));
  } catch (const json::exception& e) {
    throw DamagedFile({.what = fmt::format("{} is damaged: {}", path, e.what()),
                       .remedy = "move its directory away; the runs are then tried again"});
  }
}

}  // namespace

bool is_array_of(const std::string& label, const std::string& name) {
  constexpr size_t kSuffixDigits = 8;  // what tells a study's arrays apart (slurm_launch.cpp)
  const std::string prefix = "hyscale-" + label + "-";
  return name.size() == prefix.size() + kSuffixDigits && name.starts_with(prefix) &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                     [](unsigned char c) { return std::isxdigit(c) != 0; });
}

void write_tasks(const BatchFiles& files, const TaskList& tasks) {
  json by_index = json::object();
  for (const auto& [index, jobs] : tasks.jobs) by_index[std::to_string(index)] = jobs;
  write_file_atomically(files.tasks(), json{{"side_by_side", tasks.side_by_side}, {"tasks", by_index}}.dump(1) + "\n");
}

TaskList read_tasks(const BatchFiles& files) {
  return read_array_file(files.tasks(), [](const json& j) {
    TaskList tasks{.side_by_side = j.at("side_by_side").get<int64_t>()};
    for (const auto& [index, jobs] : j.at("tasks").items())
      tasks.jobs[std::stoll(index)] = jobs.get<std::vector<std::string>>();
    return tasks;
  });
}

void write_submitted(const BatchFiles& files, const Submitted& submitted) {
  write_file_atomically(files.submitted(), json{{"job", submitted.job},
                                                {"time", submitted.time},
                                                {"throttle", submitted.throttle},
                                                {"controller", submitted.controller}}
                                                   .dump(1) +
                                               "\n");
}

std::optional<Submitted> read_submitted(const BatchFiles& files) {
  if (!std::filesystem::exists(files.submitted())) return std::nullopt;
  return read_array_file(files.submitted(), [](const json& j) {
    return Submitted{.job = j.at("job").get<int64_t>(),
                     .time = j.at("time").get<double>(),
                     .throttle = j.at("throttle").get<int64_t>(),
                     .controller = j.value("controller", 0.0)};
  });
}

// Thousands of these are written at once, hence without waiting for the disk each time; the submission waits
// once for all.
void write_place(const std::string& job_directory, const JobPlace& place) {
  replace_file(JobFiles{job_directory}.place(),
               json{{"array", place.batch}, {"task", place.index}, {"cluster", place.cluster}}.dump(1) + "\n");
}

std::optional<JobPlace> read_place(const std::string& job_directory) {
  const JobFiles files{job_directory};
  if (!std::filesystem::exists(files.place())) return std::nullopt;
  return read_array_file(files.place(), [](const json& j) {
    return JobPlace{.batch = j.at("array").get<std::string>(),
                    .index = j.at("task").get<int64_t>(),
                    .cluster = j.at("cluster").get<std::string>()};
  });
}

}  // namespace hyscale::cluster
