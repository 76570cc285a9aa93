#include "cluster/finding.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace hyscale::cluster {
namespace {

constexpr std::array kLevelNames{"good", "note", "warning", "failure"};

}  // namespace

std::string to_string(Finding::Level level) { return kLevelNames.at(static_cast<size_t>(level)); }

bool any_failure(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.level == Finding::Level::failure; });
}

std::string to_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json j{{"ready", !any_failure(findings)}, {"findings", nlohmann::ordered_json::array()}};
  for (const Finding& finding : findings) {
    nlohmann::ordered_json one{{"check", finding.check},
                               {"level", to_string(finding.level)},
                               {"what", finding.what},
                               {"remedy", finding.remedy}};
    if (!finding.host.empty()) one["host"] = finding.host;
    j["findings"].push_back(one);
  }
  return j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::vector<Finding> findings_from_json(const std::string& text) {
  try {
    std::vector<Finding> findings;
    const auto all = nlohmann::json::parse(text);
    for (const auto& j : all.at("findings")) {
      const auto level = std::find(kLevelNames.begin(), kLevelNames.end(), j.at("level").get<std::string>());
      if (level == kLevelNames.end()) throw DamagedFile(Problem{.what = "findings of a level that is none"});
      findings.push_back({.check = j.at("check"),
                          .level = static_cast<Finding::Level>(level - kLevelNames.begin()),
                          .what = j.at("what"),
                          .remedy = j.at("remedy"),
                          .host = j.value("host", "")});
    }
    return findings;
  } catch (const nlohmann::json::exception& e) {
    throw DamagedFile(Problem{.what = std::string("findings that cannot be read: ") + e.what()});
  }
}

}  // namespace hyscale::cluster
