#include "analysis/points.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "analysis/csv.h"
#include "core/base/error.h"

namespace hyscale::analysis {
namespace {

const std::vector<std::string> kFields = {"n",    "d",   "c",       "budget", "loss",  "se",       "family",
                                          "size", "run", "cluster", "seed",   "phase", "tokenizer"};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

/// Turns cells into numbers and keeps every complaint.
class CellReader {
 public:
  CellReader(const CsvTable& table, const ColumnMap& columns, Problems& problems) : table_(table), problems_(problems) {
    for (const std::string& field : kFields) {
      const auto named = columns.find(field);
      const std::string column = named == columns.end() ? field : named->second;
      const int index = table.column(column);
      if (index >= 0)
        index_[field] = static_cast<size_t>(index);
      else if (named != columns.end())
        complain_of_missing_column(field, column);
    }
  }

  bool has(const std::string& field) const { return index_.contains(field); }

  std::string text(const std::vector<CsvCell>& row, const std::string& field) const {
    return has(field) ? row[index_.at(field)].text : "";
  }

  /// A number; `absent` when the file has no such column or the cell is empty.
  double number(const std::vector<CsvCell>& row, const std::string& field, double absent) {
    return has(field) ? number(row[index_.at(field)], field, absent) : absent;
  }

  /// Of a column that is no field.
  double covariate(const std::vector<CsvCell>& row, const std::string& column) {
    const int index = table_.column(column);
    return index < 0 ? kMissing : number(row[static_cast<size_t>(index)], column, kMissing);
  }

  /// Whether a value that a fit takes the logarithm of has one; notes the cell when not.
  bool positive(const std::vector<CsvCell>& row, const std::string& field, double value) {
    if (!has(field) || (std::isfinite(value) && value > 0)) return true;
    const CsvCell& cell = row[index_.at(field)];
    bad_.push_back(
        fmt::format("{}: {} = '{}'", to_string(table_.at(cell)), table_.header[index_.at(field)].text, cell.text));
    return false;
  }
  const std::vector<std::string>& bad() const { return bad_; }

  void require_column(const std::string& column) {
    if (table_.column(column) < 0) complain_of_missing_column("--covariates", column);
  }

 private:
  double number(const CsvCell& cell, const std::string& what, double absent) {
    const std::string_view text = trimmed(cell.text);
    if (text.empty()) return absent;
    double value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure == std::errc{} && end == text.data() + text.size()) return value;
    if (failure == std::errc::result_out_of_range) return absent;
    problems_.add({.what = fmt::format("{} = '{}' is not a number", what, cell.text),
                   .remedy = "write a plain number such as 350000000 or 3.5e8, or take the row out",
                   .at = table_.at(cell)});
    return absent;
  }

  static std::string_view trimmed(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    if (text.size() > 1 && text.front() == '+') text.remove_prefix(1);
    return text;
  }

  void complain_of_missing_column(const std::string& field, const std::string& column) {
    std::vector<std::string> names;
    for (const CsvCell& cell : table_.header) names.push_back(cell.text);
    const std::string like = nearest(column, names);
    problems_.add(
        {.what = fmt::format("{}: the file has no column '{}'",
                             field == "--covariates" ? field : fmt::format("--columns {}={}", field, column), column),
         .remedy = like.empty() ? fmt::format("choose one of: {}", fmt::join(names, ", "))
                                : fmt::format("did you mean '{}'?", like),
         .at = {table_.file, 1, 1}});
  }

  const CsvTable& table_;
  Problems& problems_;
  std::map<std::string, size_t> index_;
  std::vector<std::string> bad_;  // cells without a logarithm
};

// Columns whose names sound like the field: "Model Size" for n.
std::vector<std::string> likely_columns(const CsvTable& table, const std::string& field) {
  static const std::map<std::string, std::vector<std::string>> kSounds = {{"n", {"param", "size", "model", "weights"}},
                                                                          {"d", {"token", "data"}},
                                                                          {"c", {"flop", "compute", "budget"}},
                                                                          {"loss", {"loss", "nll", "entropy", "bpb"}}};
  std::vector<std::string> likely;
  for (const CsvCell& cell : table.header) {
    std::string lower = cell.text;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto sounds = [&](const std::string& part) { return lower.find(part) != std::string::npos; };
    if (lower == field || std::any_of(kSounds.at(field).begin(), kSounds.at(field).end(), sounds))
      likely.push_back(cell.text);
  }
  return likely;
}

void require_columns(const CellReader& reader, const CsvTable& table, Problems& problems) {
  const auto complain = [&](const std::string& what, const std::string& field) {
    const std::vector<std::string> likely = likely_columns(table, field);
    problems.add({.what = what,
                  .remedy = likely.empty()
                                ? "name the column that holds it: --columns n=params,d=tokens,c=flops,loss=nll,…"
                                : fmt::format("did you mean --columns {}=\"{}\"?", field,
                                              fmt::join(likely, fmt::format("\" or {}=\"", field))),
                  .at = {table.file, 1, 1}});
  };
  for (const char* field : {"n", "loss"})
    if (!reader.has(field)) complain(fmt::format("no column feeds '{}'", field), field);
  if (!reader.has("d") && !reader.has("c"))
    complain("no column feeds 'd' (tokens) or 'c' (FLOPs)", likely_columns(table, "d").empty() ? "c" : "d");
}

// Adds the row's point unless one of its numbers has no logarithm.
void add_point(CellReader& reader, const std::vector<CsvCell>& row, const std::vector<std::string>& covariates,
               PointSet& set) {
  Point point;
  point.n = reader.number(row, "n", kMissing);
  point.loss = reader.number(row, "loss", kMissing);
  point.d = reader.number(row, "d", kMissing);
  point.c = reader.number(row, "c", kMissing);
  point.budget = reader.number(row, "budget", 0);
  point.standard_error = reader.number(row, "se", kMissing);
  for (size_t i = 0; i < covariates.size(); ++i) point.covariates[i] = reader.covariate(row, covariates[i]);
  bool good = std::isfinite(point.covariates[0]) && std::isfinite(point.covariates[1]);
  for (const auto& [field, value] :
       {std::pair{"n", point.n}, std::pair{"loss", point.loss}, std::pair{"d", point.d}, std::pair{"c", point.c}})
    good = reader.positive(row, field, value) && good;
  if (reader.has("budget") && !(std::isfinite(point.budget) && point.budget >= 0))
    good = reader.positive(row, "budget", point.budget);
  if (!good) return;
  point.size = reader.text(row, "size");
  point.family = reader.has("family") ? reader.text(row, "family") : "all";
  point.run = reader.has("run") ? reader.text(row, "run") : fmt::format("row {}", row[0].line);
  point.cluster = reader.has("cluster") ? reader.text(row, "cluster") : point.run;
  point.seed = reader.text(row, "seed"), point.phase = reader.text(row, "phase");
  point.tokenizer = reader.text(row, "tokenizer");
  if (!reader.has("d")) point.d = point.c / (6 * point.n);
  if (!reader.has("c")) point.c = 6 * point.n * point.d;
  set.points.push_back(std::move(point));
}

constexpr size_t kNamed = 20;  // rows that a warning names; the rest is counted

std::string named(const std::vector<std::string>& all) {
  const std::vector<std::string> first(all.begin(), all.begin() + static_cast<long>(std::min(all.size(), kNamed)));
  const std::string more = all.size() > kNamed ? fmt::format(" and {} more", all.size() - kNamed) : "";
  return fmt::format("{}{}", fmt::join(first, "; "), more);
}

// Two equal rows are one measurement written twice; seeds differ in their loss.
void warn_of_duplicates(PointSet& set) {
  std::map<std::tuple<std::string, double, double, double, double>, std::string> seen;
  std::vector<std::string> twice;
  for (const Point& point : set.points) {
    const auto [place, fresh] = seen.try_emplace({point.family, point.n, point.d, point.c, point.loss}, point.run);
    if (!fresh) twice.push_back(fmt::format("{} repeats {}", point.run, place->second));
  }
  if (!twice.empty())
    set.warnings.push_back(
        fmt::format("{} rows have the same family, N, D, C and loss as another: {}; such a run "
                    "counts twice, take one of the rows out",
                    twice.size(), named(twice)));
}

void warn_of_mixture(PointSet& set, std::string Point::*value, const char* what, const char* remedy) {
  std::map<std::string, size_t> counts;
  for (const Point& point : set.points)
    if (!(point.*value).empty()) ++counts[point.*value];
  if (counts.size() < 2) return;
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) parts.push_back(fmt::format("{} of {}", count, name));
  set.warnings.push_back(fmt::format("{} are mixed ({}): {}", what, fmt::join(parts, ", "), remedy));
}

void note_assumptions(const CellReader& reader, PointSet& set) {
  if (!reader.has("d")) set.notices.emplace_back("No column for tokens: D was taken as C / (6 N).");
  if (!reader.has("c"))
    set.notices.emplace_back("No column for FLOPs: C was taken as 6 N D, which is not a hybrid's cost.");
  if (!reader.has("cluster"))
    set.notices.emplace_back(
        "No column for clusters: every row counts as independent. If rows share a trunk (branches, checkpoints of one "
        "run), name it with --columns cluster=…, or the intervals are too narrow.");
}

}  // namespace

void warn_of_doubts(PointSet& set) {
  warn_of_duplicates(set);
  warn_of_mixture(set, &Point::phase, "phases of the learning rate",
                  "losses before and after the decay do not lie on one curve; keep one phase");
  warn_of_mixture(set, &Point::tokenizer, "tokenizers",
                  "nats per token of different tokenizers cannot be compared; use bits per byte as the loss "
                  "(--columns loss=…, or --metric bits_per_byte of a study), or keep one tokenizer");
}

std::vector<std::pair<std::string, std::vector<Point>>> PointSet::by_family() const {
  std::vector<std::pair<std::string, std::vector<Point>>> all;
  std::unordered_map<std::string, size_t> places;
  for (const Point& point : points) {
    const auto [place, fresh] = places.emplace(point.family, all.size());
    if (fresh) all.push_back({point.family, {}});
    all[place->second].second.push_back(point);
  }
  return all;
}

std::vector<std::string> PointSet::families() const {
  std::vector<std::string> names;
  std::unordered_set<std::string_view> seen;
  for (const Point& point : points)
    if (seen.insert(point.family).second) names.push_back(point.family);
  return names;
}

std::vector<double> PointSet::budgets() const {
  std::set<double> distinct;
  for (const Point& point : points)
    if (point.budget > 0) distinct.insert(point.budget);
  return {distinct.begin(), distinct.end()};
}

std::vector<Point> PointSet::of(const std::string& family) const {
  std::vector<Point> chosen;
  for (const Point& point : points)
    if (point.family == family) chosen.push_back(point);
  return chosen;
}

std::vector<Point> PointSet::of(const std::string& family, double budget) const {
  std::vector<Point> chosen = of(family);
  std::erase_if(chosen, [&](const Point& point) { return point.budget != budget; });
  return chosen;
}

ColumnMap parse_columns(const std::string& text) {
  ColumnMap columns;
  Problems problems;
  if (text.empty()) return columns;
  for (const std::string& part : split(text, ',')) {
    const size_t equals = part.find('=');
    const std::string field = part.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == part.size()) {
      problems.add({.what = fmt::format("--columns: '{}' is not FIELD=COLUMN", part), .remedy = "write n=params"});
    } else if (std::find(kFields.begin(), kFields.end(), field) == kFields.end()) {
      problems.add({.what = fmt::format("--columns: there is no field '{}'", field),
                    .remedy = fmt::format("choose among {}", fmt::join(kFields, ", "))});
    } else if (!columns.emplace(field, part.substr(equals + 1)).second) {
      problems.add({.what = fmt::format("--columns: '{}' is given twice", field), .remedy = "keep one"});
    }
  }
  problems.throw_if_any();
  return columns;
}

PointSet points_from_csv(const std::string& path, const ColumnMap& columns,
                         const std::vector<std::string>& covariates) {
  Problems problems;
  const CsvTable table = read_csv(path, problems);
  CellReader reader(table, columns, problems);
  if (!table.header.empty()) require_columns(reader, table, problems);
  PointSet set{.source = path, .points = {}, .notices = {}};
  if (columns.contains("n")) set.n_name = columns.at("n");
  if (columns.contains("c")) set.c_name = columns.at("c");
  for (const std::string& column : covariates) reader.require_column(column);
  for (const auto& row : table.rows) add_point(reader, row, covariates, set);
  if (table.rows.empty() && problems.empty())
    problems.add({.what = "the file has a header but no rows", .remedy = "add one row per run", .at = {path}});
  problems.throw_if_any();
  set.has_families = reader.has("family");
  if (!reader.bad().empty())
    set.warnings.push_back(
        fmt::format("rows left out, because a fit needs finite, positive numbers: {}; mend them, or "
                    "take the rows out",
                    named(reader.bad())));
  if (set.points.empty())
    throw ConfigError(Problem{.what = "no row can be used", .why = set.warnings.front(), .at = {path}});
  warn_of_doubts(set);
  note_assumptions(reader, set);
  return set;
}

}  // namespace hyscale::analysis
