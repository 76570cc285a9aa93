#pragma once

#include <string>
#include <vector>

namespace hyscale::cluster {

/// What was looked at and what came of it.
struct Finding {
  enum class Level {
    good,
    note,     // worth knowing; nothing fails
    warning,  // something may go slower or need a hand
    failure,  // what was asked for would fail
  };
  std::string check = {};  // "mpi", "gpus", "clock", …
  Level level = Level::good;
  std::string what = {};
  std::string remedy = {};  // of a warning or failure
  std::string host = {};    // that was looked at; "": this one
};
std::string to_string(Finding::Level level);  // "good"

std::string to_json(const std::vector<Finding>& findings);         // {"ready": no failure, "findings": […]}
std::vector<Finding> findings_from_json(const std::string& text);  // throws DamagedFile

/// Whether one of them is a failure.
bool any_failure(const std::vector<Finding>& findings);

}  // namespace hyscale::cluster
