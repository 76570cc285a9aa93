#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace YAML {
class Node;
}

namespace hyscale {

/// Strict reading of a YAML file: every wrong key, type or value is collected with its file:line:column, and reading
/// goes on with the default, so that one pass shows all of them.
///
///     Problems problems;
///     YamlMap root = YamlMap::load(path, problems);
///     config.context = root.required<int64_t>("context", {.min = 1});
///     YamlMap data = root.map("data");
///     ...
///     data.finish(), root.finish();   // keys nobody asked for
///     problems.throw_if_any();
///
/// Integers may be written 65536, 64K, 3e14, 2M; doubles likewise.
class YamlMap;

/// 65536, 64K, 2M, 1.5B, 3e14; nothing when it is no number. K, M, B, T are powers of 1000, the field's habit for
/// parameters and tokens.
std::optional<double> parse_number(const std::string& text);

struct Range {
  double min = -1e300;
  double max = 1e300;
};

/// One YAML value that has not been given a type yet.
class YamlValue {
 public:
  YamlValue();
  YamlValue(const YAML::Node& node, std::string path, std::string file, Problems* problems);
  YamlValue(const YamlValue&);
  YamlValue(YamlValue&&) noexcept;
  YamlValue& operator=(const YamlValue&);
  YamlValue& operator=(YamlValue&&) noexcept;
  ~YamlValue();

  bool exists() const;
  bool is_scalar() const;
  bool is_sequence() const;
  bool is_map() const;
  std::string text() const;  // the scalar as written; "" when it is none

  /// Converts, or reports a problem and returns nothing. T: bool, int64_t, double, std::string.
  template <class T>
  std::optional<T> as(Range range = {}) const;
  YamlMap as_map() const;                      // reports a problem and gives an empty map when it is no mapping
  std::vector<YamlValue> as_sequence() const;  // likewise

  Location at() const;
  const std::string& path() const;  // "model.mixers.A"
  void problem(std::string what, std::string remedy = {}, std::string why = {}) const;

 private:
  friend class YamlMap;
  struct State;
  std::unique_ptr<State> state_;
};

class YamlMap {
 public:
  /// Reads a file. Throws ConfigError when it is missing or no YAML (with line and column); what is wrong inside is
  /// collected in `problems`, which must outlive every reader made from it.
  static YamlMap load(const std::string& path, Problems& problems);
  static YamlMap parse(const std::string& text, const std::string& name, Problems& problems);
  explicit YamlMap(YamlValue value);

  bool has(const std::string& key) const;
  YamlValue value(const std::string& key);  // marks the key as known
  YamlMap map(const std::string& key);      // required
  std::vector<std::string> keys() const;    // in file order

  template <class T>
  T required(const std::string& key, Range range = {});
  template <class T>
  T optional(const std::string& key, T otherwise, Range range = {});
  /// A word out of a fixed list, e.g. {"none", "group"}; returns its index.
  size_t choice(const std::string& key, const std::vector<std::string>& words, size_t otherwise);
  size_t required_choice(const std::string& key, const std::vector<std::string>& words);

  /// Reports every key that nobody asked for, with the nearest known one.
  void finish() const;

  Location at() const { return self_.at(); }
  const std::string& path() const { return self_.path(); }
  std::string path_of(const std::string& key) const;  // "model.mixers.A"
  void problem(std::string what, std::string remedy = {}, std::string why = {}) const {
    self_.problem(std::move(what), std::move(remedy), std::move(why));
  }
  /// A problem at the value of `key` when it is there, at the map otherwise.
  void problem_at(const std::string& key, std::string what, std::string remedy = {}, std::string why = {}) const;
  Problems& problems() const;

 private:
  size_t choose(const YamlValue& value, const std::string& key, const std::vector<std::string>& words,
                size_t otherwise);

  YamlValue self_;
  std::vector<std::string> known_;
};

}  // namespace hyscale
