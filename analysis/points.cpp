#include "analysis/points.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <set>

#include "analysis/csv.h"
#include "core/base/error.h"

namespace hyscale::analysis {
namespace {

const std::vector<std::string> kFields = {"n", "d", "c", "budget", "loss", "se", "family", "size", "run", "cluster"};

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

  /// A number in the allowed range; `absent` when the file has no such column.
  double number(const std::vector<CsvCell>& row, const std::string& field, double absent, bool zero_allowed) {
    if (!has(field)) return absent;
    const CsvCell& cell = row[index_.at(field)];
    double value = 0;
    const auto [end, failure] = std::from_chars(cell.text.data(), cell.text.data() + cell.text.size(), value);
    const bool whole = failure == std::errc{} && end == cell.text.data() + cell.text.size();
    const bool good = whole && std::isfinite(value) && (value > 0 || (zero_allowed && value == 0));
    if (!good)
      problems_.add({.what = fmt::format("{} = '{}' is not a {} number", field, cell.text,
                                         zero_allowed ? "finite, non-negative" : "finite, positive"),
                     .remedy = "write a plain number such as 350000000 or 3.5e8, or take the row out",
                     .at = table_.at(cell)});
    return value;
  }

 private:
  void complain_of_missing_column(const std::string& field, const std::string& column) {
    std::vector<std::string> names;
    for (const CsvCell& cell : table_.header) names.push_back(cell.text);
    const std::string like = nearest(column, names);
    problems_.add({.what = fmt::format("--columns {}={}: the file has no column '{}'", field, column, column),
                   .remedy = like.empty() ? fmt::format("choose one of: {}", fmt::join(names, ", "))
                                          : fmt::format("did you mean '{}'?", like),
                   .at = {table_.file, 1, 1}});
  }

  const CsvTable& table_;
  Problems& problems_;
  std::map<std::string, size_t> index_;
};

void require_columns(const CellReader& reader, const std::string& path, Problems& problems) {
  const std::string remedy = "name the column that holds it: --columns n=params,d=tokens,c=flops,loss=nll,…";
  for (const char* field : {"n", "loss"})
    if (!reader.has(field))
      problems.add({.what = fmt::format("no column feeds '{}'", field), .remedy = remedy, .at = {path, 1, 1}});
  if (!reader.has("d") && !reader.has("c"))
    problems.add({.what = "no column feeds 'd' (tokens) or 'c' (FLOPs)", .remedy = remedy, .at = {path, 1, 1}});
}

Point point_of(CellReader& reader, const std::vector<CsvCell>& row) {
  Point point;
  point.n = reader.number(row, "n", 0, false);
  point.loss = reader.number(row, "loss", 0, false);
  point.d = reader.number(row, "d", 0, false);
  point.c = reader.number(row, "c", 0, false);
  point.budget = reader.number(row, "budget", 0, true);
  if (!reader.text(row, "se").empty()) point.standard_error = reader.number(row, "se", kMissing, true);
  point.size = reader.text(row, "size");
  point.family = reader.has("family") ? reader.text(row, "family") : "all";
  point.run = reader.has("run") ? reader.text(row, "run") : fmt::format("row {}", row[0].line);
  point.cluster = reader.has("cluster") ? reader.text(row, "cluster") : point.run;
  if (!reader.has("d")) point.d = point.c / (6 * point.n);
  if (!reader.has("c")) point.c = 6 * point.n * point.d;
  return point;
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

std::vector<std::string> PointSet::families() const {
  std::vector<std::string> names;
  for (const Point& point : points)
    if (std::find(names.begin(), names.end(), point.family) == names.end()) names.push_back(point.family);
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

PointSet points_from_csv(const std::string& path, const ColumnMap& columns) {
  Problems problems;
  const CsvTable table = read_csv(path, problems);
  CellReader reader(table, columns, problems);
  if (!table.header.empty()) require_columns(reader, path, problems);
  PointSet set{.source = path, .points = {}, .notices = {}};
  if (columns.contains("n")) set.n_name = columns.at("n");
  if (columns.contains("c")) set.c_name = columns.at("c");
  for (const auto& row : table.rows) set.points.push_back(point_of(reader, row));
  if (set.points.empty() && problems.empty())
    problems.add({.what = "the file has a header but no rows", .remedy = "add one row per run", .at = {path}});
  problems.throw_if_any();
  set.has_families = reader.has("family");
  note_assumptions(reader, set);
  return set;
}

}  // namespace hyscale::analysis
