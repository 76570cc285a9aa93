#include "scheduler/settings.h"

#include <algorithm>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/process.h"

namespace hyscale::scheduler {

using nlohmann::json;

namespace {

json slurm_json(const studies::SlurmSpec& s) {
  return {{"partition", s.partition},
          {"account", s.account},
          {"qos", s.qos},
          {"constraint", s.constraint},
          {"time", s.time},
          {"signal_seconds", s.signal_seconds},
          {"nodes", s.nodes},
          {"gpu_type", s.gpu_type},
          {"mpi", s.mpi},
          {"pack", s.pack},
          {"extra", s.extra},
          {"modules", s.modules},
          {"container", s.container},
          {"prologue", s.prologue},
          {"throttle_runs", s.throttle_runs},
          {"throttle_gpus", s.throttle_gpus},
          {"report", s.report},
          {"report_partition", s.report_partition}};
}

studies::SlurmSpec slurm_from(const json& j) {
  studies::SlurmSpec s;
  j.at("partition").get_to(s.partition);
  j.at("account").get_to(s.account);
  j.at("qos").get_to(s.qos);
  j.at("constraint").get_to(s.constraint);
  j.at("time").get_to(s.time);
  j.at("signal_seconds").get_to(s.signal_seconds);
  j.at("nodes").get_to(s.nodes);
  j.at("gpu_type").get_to(s.gpu_type);
  j.at("mpi").get_to(s.mpi);
  j.at("pack").get_to(s.pack);
  j.at("extra").get_to(s.extra);
  j.at("modules").get_to(s.modules);
  j.at("container").get_to(s.container);
  j.at("prologue").get_to(s.prologue);
  j.at("throttle_runs").get_to(s.throttle_runs);
  j.at("throttle_gpus").get_to(s.throttle_gpus);
  s.report = j.value("report", true);
  s.report_partition = j.value("report_partition", "");
  return s;
}

}  // namespace

bool wants_gpus(const studies::Resources& resources) { return resources.device == "cuda" || resources.gpus > 0; }

Settings resolve(studies::Resources resources, int slots, int cores, std::vector<std::string> gpus) {
  Settings settings{.resources = std::move(resources), .gpus = std::move(gpus), .slots = slots, .host = host_name()};
  studies::Resources& r = settings.resources;
  const int64_t ranks = std::max<int64_t>(r.ranks, 1);
  if (settings.slots <= 0) settings.slots = static_cast<int>(r.runs);
  if (!settings.gpus.empty()) {
    const auto there = static_cast<int64_t>(settings.gpus.size());
    const int64_t of_a_run = std::max<int64_t>(r.gpus, 1);
    if (of_a_run > there)
      throw ConfigError({.what = fmt::format("a run asks for {} GPUs, this machine has {}", of_a_run, there),
                         .remedy = "ask for fewer in resources.gpus"});
    const auto places = static_cast<int>(there / of_a_run * std::max<int64_t>(r.runs_per_gpu, 1));
    settings.slots = settings.slots > 0 ? std::min(settings.slots, places) : places;
  }
  if (settings.slots <= 0) settings.slots = static_cast<int>(cores / (ranks * std::max<int64_t>(r.threads, 1)));
  settings.slots = std::max(settings.slots, 1);
  if (r.threads <= 0) r.threads = std::max<int64_t>(cores / (ranks * settings.slots), 1);
  return settings;
}

Settings resolve_for_slurm(studies::Resources resources, studies::SlurmSpec slurm, int slots) {
  if (slots > 0) slurm.throttle_runs = slots;
  const int64_t ceiling = slurm.throttle_runs;
  Settings settings{
      .resources = std::move(resources), .slurm = std::move(slurm), .on = "slurm", .slots = 1, .host = ""};
  if (ceiling > 0) settings.slots = static_cast<int>(ceiling);
  studies::Resources& r = settings.resources;
  r.threads = std::max<int64_t>(r.threads, 1);
  if (r.ranks < settings.slurm.nodes)
    throw ConfigError(
        {.what = fmt::format("slurm.nodes = {} is more than the {} ranks of a run", settings.slurm.nodes, r.ranks),
         .remedy = "set resources.ranks, or leave slurm.nodes out"});
  return settings;
}

std::string to_json(const Settings& s) {
  const studies::Resources& r = s.resources;
  json j{{"device", r.device},   {"gpus", r.gpus},
         {"tp", r.tp},           {"ranks", r.ranks},
         {"threads", r.threads}, {"micro_batch", r.micro_batch},
         {"time", r.time},       {"slots", s.slots},
         {"host", s.host},       {"runs_per_gpu", r.runs_per_gpu},
         {"on", s.on},           {"gpu_list", s.gpus}};
  if (s.waits) j["waits"] = true;
  if (s.on == "slurm") j["slurm"] = slurm_json(s.slurm);
  return j.dump();
}

Settings settings_from_json(const std::string& text) {
  try {
    const auto j = json::parse(text);
    Settings s;
    studies::Resources& r = s.resources;
    j.at("device").get_to(r.device);
    j.at("gpus").get_to(r.gpus);
    j.at("tp").get_to(r.tp);
    j.at("ranks").get_to(r.ranks);
    j.at("threads").get_to(r.threads);
    j.at("micro_batch").get_to(r.micro_batch);
    j.at("time").get_to(r.time);
    j.at("runs_per_gpu").get_to(r.runs_per_gpu);
    s.gpus = j.value("gpu_list", std::vector<std::string>{});  // newer than the first settings
    j.at("slots").get_to(s.slots);
    j.at("host").get_to(s.host);
    s.on = j.value("on", "local");
    s.waits = j.value("waits", false);
    if (s.on == "slurm") s.slurm = slurm_from(j.at("slurm"));
    return s;
  } catch (const json::exception& e) {
    throw DamagedFile({.what = std::string("the study's settings are damaged: ") + e.what(),
                       .remedy = "submit the study's spec again"});
  }
}

}  // namespace hyscale::scheduler
