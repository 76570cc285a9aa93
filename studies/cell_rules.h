#pragma once

#include "core/base/error.h"
#include "studies/variants.h"

namespace hyscale::studies {

/// What `include:` and `exclude:` leave of a study's cells, and which of their entries has matched none.
class CellFilter {
 public:
  explicit CellFilter(const StudySpec& spec);
  /// Whether a cell is wanted: some entry of `include` matches it (or there is none), and none of `exclude`.
  bool wants(const std::string& family, const std::string& size, double budget, int64_t seed, const Variant& variant);
  void report_unmatched(Problems& problems) const;

 private:
  struct Entry {
    const CellRule* rule;
    const char* section;
    bool matched = false;
  };
  std::vector<Entry> include_, exclude_;
};

}  // namespace hyscale::studies
