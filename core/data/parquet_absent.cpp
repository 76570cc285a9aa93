#include "core/base/error.h"
#include "core/data/parquet_source.h"

// In the place of parquet_source.cpp where Arrow's libraries are not there.
namespace hyscale::data {

bool reads_parquet() { return false; }

std::unique_ptr<StringColumn> open_parquet(const std::string& path, const std::string&, int64_t) {
  throw ConfigError({.what = path + " is Parquet, which this build does not read"});
}

}  // namespace hyscale::data
