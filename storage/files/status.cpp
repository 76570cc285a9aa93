#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "storage/files/run_directory.h"

namespace hyscale::storage {
namespace {

using nlohmann::json;
constexpr const char* kFormat = "hyscale.status/1";
constexpr std::array<const char*, 5> kStates = {"running", "done", "stopped", "diverged", "failed"};

/// JSON has no NaN: it is written as null.
double number(const json& value) { return value.is_null() ? std::nan("") : value.get<double>(); }

json to_json(const RunStatus& s) {
  return {{"format", kFormat},
          {"run_id", s.run_id},
          {"state", to_string(s.state)},
          {"attempt", s.attempt},
          {"step", s.step},
          {"steps", s.steps},
          {"tokens", s.tokens},
          {"loss", s.loss},
          {"tokens_per_second", s.tokens_per_second},
          {"eta_seconds", s.eta_seconds},
          {"heartbeat", s.heartbeat},
          {"started", s.started},
          {"busy_seconds", s.busy_seconds},
          {"peak_memory_bytes", s.peak_memory_bytes},
          {"host", s.host},
          {"pid", s.pid},
          {"exit_code", s.exit_code},
          {"message", s.message}};
}

RunStatus from_json(const json& j) {
  RunStatus s;
  s.run_id = j.at("run_id").get<std::string>();
  s.state = worker_state(j.at("state").get<std::string>());
  s.attempt = j.at("attempt").get<int>();
  s.step = j.at("step").get<int64_t>();
  s.steps = j.at("steps").get<int64_t>();
  s.tokens = j.at("tokens").get<int64_t>();
  s.loss = number(j.at("loss"));
  s.tokens_per_second = number(j.at("tokens_per_second"));
  s.eta_seconds = number(j.at("eta_seconds"));
  s.heartbeat = number(j.at("heartbeat"));
  s.started = number(j.at("started"));
  s.busy_seconds = number(j.at("busy_seconds"));
  s.peak_memory_bytes = j.value("peak_memory_bytes", int64_t{0});  // newer than the format's first files
  s.host = j.at("host").get<std::string>();
  s.pid = j.at("pid").get<int64_t>();
  s.exit_code = j.at("exit_code").get<int>();
  s.message = j.at("message").get<std::string>();
  return s;
}

}  // namespace

std::string to_string(WorkerState state) { return kStates.at(static_cast<size_t>(state)); }

WorkerState worker_state(const std::string& word) {
  for (size_t i = 0; i < kStates.size(); ++i)
    if (word == kStates[i]) return static_cast<WorkerState>(i);
  throw std::invalid_argument("no state of a worker: " + word);
}

std::optional<RunStatus> read_status(const RunDirectory& run) {
  const std::string path = run.status_json();
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    return from_json(json::parse(read_file(path)));
  } catch (const std::exception& e) {  // parse errors, missing keys, unknown words
    if (dynamic_cast<const Error*>(&e) != nullptr) throw;
    throw DamagedFile({.what = fmt::format("{} is no status file: {}", path, e.what()),
                       .remedy = "the worker writes a new one when it starts again"});
  }
}

void write_status(const RunDirectory& run, const RunStatus& status) {
  const std::string content = to_json(status).dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  if (status.state != WorkerState::running) return write_file_atomically(run.status_json(), content);
  // A heartbeat is worth nothing after a power cut: renamed without waiting for the disk.
  const std::string temporary = temporary_name(run.status_json());
  std::ofstream file(temporary, std::ios::trunc);
  file << content;
  file.close();
  if (!file || std::rename(temporary.c_str(), run.status_json().c_str()) != 0)
    throw IoError({.what = "cannot write " + run.status_json(), .remedy = "check that the disk has space left"});
}

}  // namespace hyscale::storage
