#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace hyscale::exchange {

/// config.json read key by key. What is wrong is collected, and reading goes on with defaults. Only for .cpp files.
class ForeignConfig {
 public:
  ForeignConfig(nlohmann::json json, std::string path) : json_(std::move(json)), path_(std::move(path)) {}

  std::set<std::string> keys() const;
  /// The value; null when it is absent. The key counts as known from here on.
  const nlohmann::json& value(const std::string& key);
  /// A whole number >= 1; without `otherwise` the key must be there.
  int64_t count(const std::string& key, std::optional<int64_t> otherwise = {});
  double number(const std::string& key, double otherwise);
  bool flag(const std::string& key, bool otherwise);
  std::string text(const std::string& key, const std::string& otherwise);
  /// Complains unless the value is the one that all our models have.
  void must_be(const std::string& key, bool wanted, bool otherwise, const std::string& why);
  void must_be(const std::string& key, double wanted, double otherwise, const std::string& why);
  void complain(const std::string& what, std::string remedy = "") {
    problems_.add({.what = what, .remedy = std::move(remedy), .at = {path_}});
  }
  /// These keys change nothing that a model computes.
  void ignore(const std::set<std::string>& keys) { known_.insert(keys.begin(), keys.end()); }
  /// Complains of every key that nobody asked for, then throws what was collected.
  void finish();

 private:
  nlohmann::json json_;
  std::string path_;
  Problems problems_;
  std::set<std::string> known_;
};

}  // namespace hyscale::exchange
