#include "core/base/yaml_bounds.h"

#include <algorithm>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "core/base/error.h"

namespace hyscale {
namespace {

constexpr int kMostDeep = 600;            // the YAML library reads 500 levels; more are a circle of aliases
constexpr int64_t kMostValues = 1 << 20;  // aliases resolved

class Walk {
 public:
  explicit Walk(const std::string& file) : file_(file) {}

  void visit(const YAML::Node& node, int depth) {
    if (depth > kMostDeep) refuse(node, "the value holds itself, by way of an alias", "write it out without the alias");
    if (++values_ > kMostValues)
      refuse(node, fmt::format("with its aliases resolved the file holds more than {} values", kMostValues),
             "write out what is needed and no more");
    if (node.IsScalar()) check_text(node);
    if (node.IsSequence())
      for (const auto& item : node) visit(item, depth + 1);
    if (node.IsMap())
      for (const auto& entry : node) visit(entry.first, depth + 1), visit(entry.second, depth + 1);
  }

 private:
  void check_text(const YAML::Node& node) const {
    const std::string& text = node.Scalar();
    const auto is_control = [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f; };
    if (const auto found = std::find_if(text.begin(), text.end(), is_control); found != text.end())
      refuse(node, fmt::format("the text holds a control character (code {})", static_cast<unsigned char>(*found)),
             "leave it out");
  }
  [[noreturn]] void refuse(const YAML::Node& node, std::string what, std::string remedy) const {
    const YAML::Mark mark = node.Mark();
    throw ConfigError(
        {.what = std::move(what), .remedy = std::move(remedy), .at = {file_, mark.line + 1, mark.column + 1}});
  }

  std::string file_;
  int64_t values_ = 0;
};

}  // namespace

void check_bounds(const YAML::Node& root, const std::string& file) { Walk(file).visit(root, 0); }

}  // namespace hyscale
