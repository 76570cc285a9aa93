#include "analysis/csv.h"

#include <fmt/format.h>
#include <set>

#include "core/base/files.h"

namespace hyscale::analysis {
namespace {

// Walks the text once, knowing at every byte which line and column it is at.
class Scanner {
 public:
  Scanner(const std::string& text, std::string file, Problems& problems)
      : text_(text), file_(std::move(file)), problems_(problems) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // a byte order mark, as spreadsheets write it
  }

  bool done() const { return at_ >= text_.size(); }

  std::vector<CsvCell> row() {
    std::vector<CsvCell> cells;
    while (true) {
      cells.push_back(cell());
      if (done()) break;
      const char end = take();
      if (end == ',') continue;
      if (end == '\r' && !done() && text_[at_] == '\n') take();
      break;
    }
    return cells;
  }

 private:
  char take() {
    const char c = text_[at_++];
    ++column_;
    if (c == '\n') ++line_, column_ = 1;
    return c;
  }

  CsvCell cell() {
    CsvCell cell{.text = {}, .line = line_, .column = column_};
    if (!done() && text_[at_] == '"') return quoted(std::move(cell));
    while (!done() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r') cell.text += take();
    return cell;
  }

  CsvCell quoted(CsvCell cell) {
    take();
    while (!done()) {
      const char c = take();
      if (c != '"') {
        cell.text += c;
      } else if (!done() && text_[at_] == '"') {
        cell.text += take();
      } else {
        while (!done() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r') cell.text += take();
        return cell;
      }
    }
    problems_.add({.what = "a quoted cell is never closed",
                   .remedy = "end it with \"; a quote inside is written twice",
                   .at = {file_, cell.line, cell.column}});
    return cell;
  }

  const std::string& text_;
  std::string file_;
  Problems& problems_;
  size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
};

void check_header(const CsvTable& table, Problems& problems) {
  std::set<std::string> seen;
  for (const CsvCell& cell : table.header)
    if (!seen.insert(cell.text).second)
      problems.add({.what = fmt::format("column '{}' is named twice", cell.text),
                    .remedy = "rename one of them",
                    .at = table.at(cell)});
}

}  // namespace

int CsvTable::column(const std::string& name) const {
  for (size_t i = 0; i < header.size(); ++i)
    if (header[i].text == name) return static_cast<int>(i);
  return -1;
}

CsvTable read_csv(const std::string& path, Problems& problems) {
  const std::string text = read_file(path);
  CsvTable table{.file = path, .header = {}, .rows = {}};
  Scanner scanner(text, path, problems);
  if (scanner.done()) {
    problems.add({.what = "the file is empty", .remedy = "its first row must name the columns", .at = {path}});
    return table;
  }
  table.header = scanner.row();
  check_header(table, problems);
  while (!scanner.done()) {
    std::vector<CsvCell> row = scanner.row();
    if (row.size() == 1 && row[0].text.empty()) continue;  // a blank line
    if (row.size() == table.header.size()) {
      table.rows.push_back(std::move(row));
    } else {
      problems.add({.what = fmt::format("this row has {} cells, the header has {}", row.size(), table.header.size()),
                    .remedy = "add the missing cells, or quote a cell that holds a comma",
                    .at = table.at(row[0])});
    }
  }
  return table;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace hyscale::analysis
