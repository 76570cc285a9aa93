#pragma once

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/spec/accounting.h"
#include "core/spec/run_config.h"

namespace hyscale::tests {

inline std::string source_path(const std::string& path) {
  const char* given = std::getenv("HYSCALE_SOURCE_DIR");
  return (given != nullptr ? std::string(given) : ".") + "/" + path;
}

/// One row of a table of studies/reference: text by column. Numbers are as the paper prints them.
struct PaperRow {
  std::string file;  // "main_results.csv"
  std::map<std::string, std::string> cells;

  bool has(const std::string& column) const { return cells.contains(column) && !cells.at(column).empty(); }
  const std::string& text(const std::string& column) const { return cells.at(column); }
  double number(const std::string& column) const { return has(column) ? std::stod(text(column)) : 0; }
  int64_t count(const std::string& column) const { return has(column) ? std::stoll(text(column)) : 0; }
};

/// The tables hold no quotes, so that a comma always separates.
inline std::vector<PaperRow> read_paper_table(const std::string& file) {
  std::ifstream in(source_path("studies/reference/" + file));
  if (!in) throw std::runtime_error("there is no studies/reference/" + file);
  const auto cells_of = [](const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream rest(line);
    for (std::string cell; std::getline(rest, cell, ',');) cells.push_back(cell);
    return cells;
  };
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> columns = cells_of(line);
  std::vector<PaperRow> rows;
  while (std::getline(in, line)) {
    std::vector<std::string> cells = cells_of(line);
    cells.resize(columns.size());
    PaperRow row{.file = file, .cells = {}};
    for (size_t c = 0; c < columns.size(); ++c) row.cells[columns[c]] = cells[c];
    rows.push_back(std::move(row));
  }
  return rows;
}

/// studies/paper/<family>-<size>.yaml with overrides; "inter_hybrid" and "1B" as the tables have them.
inline spec::ModelConfig shipped_model(const std::string& family, const std::string& size,
                                       const std::vector<std::string>& overrides) {
  const std::map<std::string, std::string> names{{"inter_hybrid", "inter"}, {"intra_hybrid", "intra"}};
  const std::map<std::string, std::string> sizes{{"100M", "100m"}, {"350M", "350m"}, {"1B", "1b"}, {"3B", "3b"}};
  const std::string name = names.contains(family) ? names.at(family) : family;
  return spec::load_run_config(source_path("studies/paper/" + name + "-" + sizes.at(size) + ".yaml"), overrides).model;
}

}  // namespace hyscale::tests
