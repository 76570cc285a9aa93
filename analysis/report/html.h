#pragma once

#include <string>
#include <vector>

namespace hyscale::analysis {

/// Text as it must stand in HTML and SVG content or in a quoted attribute.
std::string escape(const std::string& text);

/// A cell of a table; `sort` is what its column is sorted by, the text itself when empty.
struct HtmlCell {
  std::string text = {};  // escaped by the table
  std::string sort = {};
  bool number = false;
  std::string hint = {};  // shown on hover
};

/// A table inside a box that scrolls sideways; `sortable` adds buttons to its headings.
std::string html_table(const std::vector<std::string>& headings, const std::vector<std::vector<HtmlCell>>& rows,
                       bool sortable = false);

std::string html_list(const std::vector<std::string>& items);  // items are escaped

}  // namespace hyscale::analysis
