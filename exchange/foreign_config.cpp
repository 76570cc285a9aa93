#include "exchange/foreign_config.h"

#include <cmath>
#include <fmt/format.h>

#include "core/base/files.h"
#include "exchange/model_config.h"

namespace hyscale::exchange {
namespace {

constexpr double kLargestCount = 1e15;

// Python writes Infinity and NaN where JSON has no word: they become texts.
std::string without_python_numbers(const std::string& text) {
  std::string out;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\' && i + 1 < text.size()) {
      out += text[i++];
      out += text[i];
      continue;
    }
    if (text[i] == '"') quoted = !quoted;
    for (const std::string word : {"-Infinity", "Infinity", "NaN"})
      if (!quoted && text.compare(i, word.size(), word) == 0) {
        out += '"' + word + '"';
        i += word.size();
        break;
      }
    if (i < text.size()) out += text[i];
  }
  return out;
}

bool equal(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number() && b.is_number()) return a.get<double>() == b.get<double>();
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : b.items())
      if (!a.contains(key) || !equal(a[key], value)) return false;
    return true;
  }
  return a == b;
}

}  // namespace

nlohmann::json read_python_json(const std::string& path) {
  try {
    return nlohmann::json::parse(without_python_numbers(read_file(path)));
  } catch (const nlohmann::json::exception& e) {
    throw ConfigError({.what = fmt::format("this is no JSON: {}", e.what()),
                       .remedy = "fetch or export the model again",
                       .at = {path}});
  }
}

std::vector<std::string> differences(const std::string& path, const nlohmann::ordered_json& wanted) {
  static const std::set<std::string> kFree = {"dtype",        "use_cache",    "bos_token_id",     "eos_token_id",
                                              "pad_token_id", "rope_scaling", "attention_dropout"};
  const nlohmann::json file = read_python_json(path);
  const nlohmann::json ours = nlohmann::json::parse(wanted.dump());
  const bool has_rope = file.contains("rope_parameters");
  std::vector<std::string> found;
  for (const auto& [key, value] : ours.items()) {
    if (kFree.contains(key) || (key == "rope_theta" && has_rope)) continue;
    const nlohmann::json there = file.value(key, nlohmann::json());
    if (!equal(there, value)) found.push_back(fmt::format("{} is {}, not {}", key, there.dump(), value.dump()));
  }
  return found;
}

std::set<std::string> ForeignConfig::keys() const {
  std::set<std::string> keys;
  for (const auto& [key, ignored] : json_.items()) keys.insert(key);
  return keys;
}

const nlohmann::json& ForeignConfig::value(const std::string& key) {
  static const nlohmann::json null;
  known_.insert(key);
  return json_.contains(key) ? json_[key] : null;
}

int64_t ForeignConfig::count(const std::string& key, std::optional<int64_t> otherwise) {
  const nlohmann::json& found = value(key);
  if (found.is_null() && otherwise) return *otherwise;
  if (found.is_number()) {
    const double number = found.get<double>();
    if (number >= 1 && number <= kLargestCount && number == std::floor(number)) return static_cast<int64_t>(number);
  }
  complain(fmt::format("{} is {}, no whole number from 1 on", key, found.is_null() ? "missing" : found.dump()));
  return otherwise.value_or(1);
}

double ForeignConfig::number(const std::string& key, double otherwise) {
  const nlohmann::json& found = value(key);
  if (found.is_number()) return found.get<double>();
  if (!found.is_null()) complain(fmt::format("{} is {}, no number", key, found.dump()));
  return otherwise;
}

bool ForeignConfig::flag(const std::string& key, bool otherwise) {
  const nlohmann::json& found = value(key);
  if (found.is_boolean()) return found.get<bool>();
  if (!found.is_null()) complain(fmt::format("{} is {}, neither true nor false", key, found.dump()));
  return otherwise;
}

std::string ForeignConfig::text(const std::string& key, const std::string& otherwise) {
  const nlohmann::json& found = value(key);
  if (found.is_string()) return found.get<std::string>();
  if (!found.is_null()) complain(fmt::format("{} is {}, no text", key, found.dump()));
  return otherwise;
}

void ForeignConfig::must_be(const std::string& key, bool wanted, bool otherwise, const std::string& why) {
  if (flag(key, otherwise) != wanted) complain(fmt::format("{} is {}: {}", key, !wanted, why));
}

void ForeignConfig::must_be(const std::string& key, double wanted, double otherwise, const std::string& why) {
  const double found = number(key, otherwise);
  if (std::abs(found - wanted) > 1e-6 * std::abs(wanted))
    complain(fmt::format("{} is {}, not {}: {}", key, found, wanted, why));
}

void ForeignConfig::finish() {
  for (const std::string& key : keys())
    if (!known_.contains(key))
      complain(fmt::format("{} is a key that is not known here", key),
               "take it out if it changes nothing that the model computes");
  problems_.throw_if_any();
}

}  // namespace hyscale::exchange
