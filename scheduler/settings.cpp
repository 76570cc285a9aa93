#include "scheduler/settings.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/process.h"

namespace hyscale::scheduler {

Settings resolve(studies::Resources resources, int slots, int cores) {
  Settings settings{.resources = std::move(resources), .slots = slots, .host = host_name()};
  studies::Resources& r = settings.resources;
  const int64_t ranks = std::max<int64_t>(r.ranks, 1);
  if (settings.slots <= 0) settings.slots = static_cast<int>(r.runs);
  if (settings.slots <= 0) settings.slots = static_cast<int>(cores / (ranks * std::max<int64_t>(r.threads, 1)));
  settings.slots = std::max(settings.slots, 1);
  if (r.threads <= 0) r.threads = std::max<int64_t>(cores / (ranks * settings.slots), 1);
  return settings;
}

std::string to_json(const Settings& s) {
  const studies::Resources& r = s.resources;
  return nlohmann::json{{"device", r.device},   {"gpus", r.gpus},
                        {"tp", r.tp},           {"ranks", r.ranks},
                        {"threads", r.threads}, {"micro_batch", r.micro_batch},
                        {"time", r.time},       {"slots", s.slots},
                        {"host", s.host},       {"runs_per_gpu", r.runs_per_gpu}}
      .dump();
}

Settings settings_from_json(const std::string& text) {
  try {
    const auto j = nlohmann::json::parse(text);
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
    j.at("slots").get_to(s.slots);
    j.at("host").get_to(s.host);
    return s;
  } catch (const nlohmann::json::exception& e) {
    throw DamagedFile({.what = std::string("the study's settings are damaged: ") + e.what(),
                       .remedy = "submit the study's spec again"});
  }
}

}  // namespace hyscale::scheduler
