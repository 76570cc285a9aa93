#include "analysis/report/html.h"

#include <fmt/format.h>

namespace hyscale::analysis {

std::string escape(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

static std::string heading_cell(const std::string& text, bool number, bool sortable) {
  const std::string content =
      sortable ? fmt::format("<button type=\"button\">{}</button>", escape(text)) : escape(text);
  return fmt::format("<th scope=\"col\"{}>{}</th>", number ? " class=\"number\"" : "", content);
}

static std::string body_cell(const HtmlCell& cell) {
  std::string attributes = cell.number ? " class=\"number\"" : "";
  if (!cell.sort.empty()) attributes += fmt::format(" data-sort=\"{}\"", escape(cell.sort));
  if (!cell.hint.empty()) attributes += fmt::format(" title=\"{}\"", escape(cell.hint));
  return fmt::format("<td{}>{}</td>", attributes, escape(cell.text));
}

std::string html_table(const std::vector<std::string>& headings, const std::vector<std::vector<HtmlCell>>& rows,
                       bool sortable) {
  std::string html = fmt::format("<div class=\"scroll\"><table{}><thead><tr>", sortable ? " class=\"sortable\"" : "");
  for (size_t i = 0; i < headings.size(); ++i)
    html += heading_cell(headings[i], !rows.empty() && rows.front()[i].number, sortable);
  html += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    html += "<tr>";
    for (const HtmlCell& cell : row) html += body_cell(cell);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string html_list(const std::vector<std::string>& items) {
  std::string html = "<ul>\n";
  for (const std::string& item : items) html += "<li>" + escape(item) + "</li>\n";
  return html + "</ul>\n";
}

}  // namespace hyscale::analysis
