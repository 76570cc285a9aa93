#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"

namespace hyscale::analysis {

struct CsvCell {
  std::string text = {};  // quotes removed
  int line = 0;           // 1-based, where the cell starts
  int column = 0;         // 1-based byte in that line
};

/// A comma-separated file (RFC 4180: quoted cells may hold commas, doubled quotes and line ends) with one header row.
struct CsvTable {
  std::string file = {};
  std::vector<CsvCell> header = {};
  std::vector<std::vector<CsvCell>> rows = {};  // each as wide as the header

  /// Position of a column by name; -1 when there is none.
  int column(const std::string& name) const;
  Location at(const CsvCell& cell) const { return {file, cell.line, cell.column}; }
};

/// Reads a whole file. Rows of a wrong width, unclosed quotes and repeated column names go to `problems`; wrong rows
/// are left out. Throws IoError when the file cannot be read.
CsvTable read_csv(const std::string& path, Problems& problems);

/// One cell as it must be written: quoted only when it needs to be.
std::string csv_cell(const std::string& text);

}  // namespace hyscale::analysis
