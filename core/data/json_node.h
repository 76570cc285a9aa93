#pragma once

#include <fmt/format.h>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace hyscale::data {

/// A value in a JSON file with its path, such as model.merges[17]. Whatever is wrong is collected, and reading goes on
/// with defaults. Only for .cpp files.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, std::string path, const std::string& file, Problems& problems)
      : value_(value), path_(std::move(path)), file_(file), problems_(problems) {}

  const nlohmann::json& value() const { return value_; }
  bool has(const char* key) const { return value_.is_object() && value_.contains(key) && !value_[key].is_null(); }
  JsonNode at(const char* key) const {
    static const nlohmann::json null;
    const bool there = value_.is_object() && value_.contains(key);
    return {there ? value_[key] : null, path_.empty() ? key : path_ + "." + key, file_, problems_};
  }
  std::vector<JsonNode> items() const {
    std::vector<JsonNode> nodes;
    if (!value_.is_array()) complain(fmt::format("is {}, no list", shown()));
    for (size_t i = 0; value_.is_array() && i < value_.size(); ++i)
      nodes.push_back({value_[i], fmt::format("{}[{}]", path_, i), file_, problems_});
    return nodes;
  }
  /// The value of a key; `missing` when it is absent or null.
  bool flag(const char* key, bool missing) const { return get(key, missing, "true or false"); }
  std::string text(const char* key, const std::string& missing) const { return get(key, missing, "a text"); }
  /// The value of a key that must be there.
  std::string text(const char* key) const {
    if (!has(key)) at(key).complain("is missing");
    return text(key, "");
  }
  /// A whole number in 0 … `limit` − 1; −1 and a complaint for anything else.
  int32_t id(int64_t limit) const {
    if (value_.is_number_unsigned() && value_.get<uint64_t>() < static_cast<uint64_t>(limit))
      return static_cast<int32_t>(value_.get<int64_t>());
    complain(fmt::format("is {}, no whole number between 0 and {}", shown(), limit - 1));
    return -1;
  }
  /// Complains of keys that are not among `known`: what they ask for would be left undone.
  void allow(std::initializer_list<const char*> known) const {
    for (const auto& [key, ignored] : value_.items())
      if (std::find(known.begin(), known.end(), key) == known.end()) at(key.c_str()).complain("is not supported");
  }
  void complain(const std::string& what, std::string remedy = "") const { complain_of("", what, std::move(remedy)); }
  /// Of a part of the value, such as "[17]".
  void complain_of(const std::string& part, const std::string& what, std::string remedy = "") const {
    problems_.add({.what = fmt::format("{}{} {}", path_.empty() ? "the file" : path_, part, what),
                   .remedy = std::move(remedy),
                   .at = {file_}});
  }
  std::string shown() const {
    const std::string text = value_.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
  }
  const std::string& file() const { return file_; }
  const std::string& path() const { return path_; }

 private:
  template <class T>
  T get(const char* key, const T& missing, const char* wanted) const {
    if (!has(key)) return missing;
    const nlohmann::json& found = value_[key];
    if (found.is_boolean() == std::is_same_v<T, bool> && found.is_string() == std::is_same_v<T, std::string>)
      return found.get<T>();
    at(key).complain(fmt::format("is {}, not {}", at(key).shown(), wanted));
    return missing;
  }

  const nlohmann::json& value_;
  std::string path_;
  const std::string& file_;
  Problems& problems_;
};

}  // namespace hyscale::data
