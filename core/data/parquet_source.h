#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace hyscale::data {

/// Whether this build reads Parquet: it does when Arrow's C++ libraries were there as it was configured.
bool reads_parquet();

/// A column of strings, row by row.
class StringColumn {
 public:
  virtual ~StringColumn() = default;
  /// False at the end. `text` is empty where the row holds null; nobody has checked that it is UTF-8. Throws
  /// DamagedFile with the row.
  virtual bool next(std::string& text) = 0;
  /// Rows that have been handed out.
  virtual int64_t row() const = 0;
  /// Bytes of the file, as it lies on disk, that stand for these rows: their share of all.
  virtual int64_t consumed() const = 0;
};

/// Column `name` (`a.b`: field b of struct a) of a Parquet file, behind its first `skip` rows. One page of the column
/// and its dictionary are in memory at a time. Throws ConfigError when there is no such column or it holds no strings,
/// IoError when the file cannot be opened, DamagedFile when it is no whole Parquet file.
std::unique_ptr<StringColumn> open_parquet(const std::string& path, const std::string& name, int64_t skip);

}  // namespace hyscale::data
