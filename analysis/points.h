#pragma once

#include <array>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hyscale::analysis {

inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// One finished training as the fits see it.
struct Point {
  std::string family = {};
  std::string size = {};                  // label, may be empty
  double budget = 0;                      // FLOPs asked for; 0 when the point belongs to no isoFLOP curve
  double n = 0;                           // parameters
  double d = 0;                           // tokens trained on
  double c = 0;                           // FLOPs spent
  double loss = 0;                        // validation loss, in one unit for all
  double standard_error = kMissing;       // of the loss
  std::string run = {};                   // id, or "row 12" of a CSV
  std::string cluster = {};               // runs that share a trunk are not independent
  std::string seed = {};                  // of the run, may be empty
  std::string phase = {};                 // of its learning rate ("stable", "decayed"), may be empty
  std::string tokenizer = {};             // likewise
  std::array<double, 2> covariates = {};  // what --covariates names
};

struct PointSet {
  std::string source = {};         // study or file, for headings
  std::string n_name = "n";        // which convention n is in: "non_embedding", or the CSV's column
  std::string c_name = "c";        // likewise: "with_head", …
  std::string loss_name = "loss";  // likewise: "nats_per_token", "bits_per_byte"
  bool has_families = true;        // false: no column names them, all points are of one
  std::vector<Point> points = {};
  std::vector<std::string> notices = {};   // what was assumed or left out
  std::vector<std::string> warnings = {};  // what is doubtful about the points themselves, and how to mend it

  std::vector<std::string> families() const;  // in order of appearance
  std::vector<double> budgets() const;        // ascending, without 0
  std::vector<Point> of(const std::string& family) const;
  std::vector<Point> of(const std::string& family, double budget) const;
  /// Every family's points, in order of appearance.
  std::vector<std::pair<std::string, std::vector<Point>>> by_family() const;
};

/// Adds warnings of duplicates, mixed phases and mixed tokenizers.
void warn_of_doubts(PointSet& set);

/// Which CSV column feeds which field, from "n=params,d=tokens,…". A field that is not named takes the column of its
/// own name when the file has one. Fields: n d c budget loss se family size run cluster
/// seed phase tokenizer.
using ColumnMap = std::map<std::string, std::string>;
/// Throws ConfigError on an unknown or repeated field.
ColumnMap parse_columns(const std::string& text);

/// Reads points from a CSV file. `n`, `loss` and one of `d`, `c` are needed; the other is then filled in by C = 6 N D,
/// with a notice. A row whose n, d, c or loss is empty, not finite or not positive is left out, with a warning that
/// names row and column. Throws ConfigError with every bad cell at file:line:column.
/// `covariates` name further columns of numbers.
PointSet points_from_csv(const std::string& path, const ColumnMap& columns,
                         const std::vector<std::string>& covariates = {});

}  // namespace hyscale::analysis
