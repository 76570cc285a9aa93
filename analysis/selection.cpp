#include "analysis/selection.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>
#include <utility>

#include "core/base/error.h"

namespace hyscale::analysis {

using Field = std::pair<const char*, double Point::*>;
static constexpr std::array<Field, 6> kComparable = {{{"n", &Point::n},
                                                      {"d", &Point::d},
                                                      {"c", &Point::c},
                                                      {"budget", &Point::budget},
                                                      {"loss", &Point::loss},
                                                      {"se", &Point::standard_error}}};

class ConditionParser {
 public:
  ConditionParser(const std::string& text, const ColumnMap& columns, const char* option)
      : text_(text), columns_(columns), option_(option) {}

  std::vector<Condition::Comparison> parse() {
    std::vector<Condition::Comparison> found;
    do found.push_back(comparison());
    while (joined());
    return found;
  }

 private:
  using Relation = Condition::Relation;

  Condition::Comparison comparison() {
    const auto column = value_named(word("a column"));
    const Relation relation = this->relation();
    return {column, relation, number()};
  }

  bool joined() {
    skip_space();
    if (at_ == text_.size()) return false;
    const size_t begin = at_;
    if (word("'and'") != "and") wrong(begin, "comparisons are joined by 'and'");
    return true;
  }

  double Point::*value_named(const std::string& name) const {
    for (const auto& [field, member] : kComparable)
      if (name == field) return member;
    for (const auto& [field, member] : kComparable)  // what the CSV calls it
      if (const auto column = columns_.find(field); column != columns_.end() && column->second == name) return member;
    std::vector<std::string> names;
    for (const auto& [field, member] : kComparable) names.emplace_back(field);
    wrong(at_ - name.size(), fmt::format("there is no column '{}'; choose among {}", name, fmt::join(names, ", ")));
  }

  std::string word(const char* wanted) {
    skip_space();
    const size_t begin = at_;
    const auto in_word = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
    while (at_ < text_.size() && in_word(static_cast<unsigned char>(text_[at_]))) ++at_;
    if (begin == at_) wrong(begin, fmt::format("{} belongs here", wanted));
    return text_.substr(begin, at_ - begin);
  }

  Relation relation() {
    static constexpr std::array<std::pair<std::string_view, Relation>, 6> kRelations = {{{"<=", Relation::at_most},
                                                                                         {">=", Relation::at_least},
                                                                                         {"==", Relation::equal},
                                                                                         {"!=", Relation::unequal},
                                                                                         {"<", Relation::less},
                                                                                         {">", Relation::more}}};
    skip_space();
    for (const auto& [sign, relation] : kRelations)
      if (text_.compare(at_, sign.size(), sign) == 0) {
        at_ += sign.size();
        return relation;
      }
    wrong(at_, "one of < <= > >= == != belongs here");
  }

  double number() {
    skip_space();
    double value = 0;
    const auto [end, failure] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (failure != std::errc{} || !std::isfinite(value)) wrong(at_, "a number such as 3.5e8 belongs here");
    at_ = static_cast<size_t>(end - text_.data());
    return value;
  }

  void skip_space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  [[noreturn]] void wrong(size_t place, const std::string& why) const {
    throw ConfigError({.what = fmt::format("{}: {}\n    {}\n    {}^", option_, why, text_, std::string(place, ' ')),
                       .remedy = fmt::format("write it like this: {} 'n >= 1e6 and loss < 4'", option_)});
  }

  const std::string& text_;
  const ColumnMap& columns_;
  const char* option_;
  size_t at_ = 0;
};

Condition::Condition(const std::string& text, const ColumnMap& columns, const char* option)
    : comparisons_(ConditionParser(text, columns, option).parse()) {}

bool Condition::holds(const Point& point) const {
  return std::all_of(comparisons_.begin(), comparisons_.end(), [&](const Comparison& c) {
    const double value = point.*c.value;
    switch (c.relation) {
      case Relation::less:
        return value < c.with;
      case Relation::at_most:
        return value <= c.with;
      case Relation::more:
        return value > c.with;
      case Relation::at_least:
        return value >= c.with;
      case Relation::equal:
        return value == c.with;
      case Relation::unequal:
        return value != c.with;
    }
    return false;
  });
}

namespace {

void note(PointSet& set, size_t before, const std::string& rule) {
  set.notices.push_back(fmt::format("{} of {} points left out by {}.", before - set.points.size(), before, rule));
}

template <class Leave>
void leave_out(PointSet& set, const std::string& rule, Leave&& leave) {
  const size_t before = set.points.size();
  std::erase_if(set.points, leave);
  note(set, before, rule);
}

void drop_highest(PointSet& set, int count) {
  const size_t before = set.points.size();
  std::vector<size_t> order(before);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t x, size_t y) { return set.points[x].loss > set.points[y].loss; });
  order.erase(order.begin(), order.begin() + std::min<std::ptrdiff_t>(count, static_cast<std::ptrdiff_t>(before)));
  std::sort(order.begin(), order.end());
  std::vector<Point> kept;
  for (const size_t i : order) kept.push_back(std::move(set.points[i]));
  set.points = std::move(kept);
  note(set, before, fmt::format("--drop-highest {}", count));
}

}  // namespace

PointSet selected(PointSet set, const Selection& selection, const ColumnMap& columns) {
  if (!selection.where.empty()) {
    const Condition condition(selection.where, columns);
    leave_out(set, "--where '" + selection.where + "'", [&](const Point& point) { return !condition.holds(point); });
  }
  if (std::isfinite(selection.max_flops))
    leave_out(set, fmt::format("--max-flops {:g}", selection.max_flops),
              [&](const Point& point) { return point.c > selection.max_flops; });
  if (selection.drop_highest > 0) drop_highest(set, selection.drop_highest);
  if (set.points.empty())
    throw ConfigError(Problem{.what = "no point is left",
                              .why = fmt::format("{}", fmt::join(set.notices, " ")),
                              .remedy = "loosen --where, --max-flops or --drop-highest"});
  return set;
}

}  // namespace hyscale::analysis
