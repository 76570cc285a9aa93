#include "analysis/csv.h"

#include "analysis/points.h"
#include "tests/fuzz/target.h"

/// The table, and the points that it holds.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hyscale;
  return fuzz::try_to(data, size, [](std::string_view text) {
    const std::string path = fuzz::scratch() / "points.csv";
    replace_file(path, text);
    Problems problems;
    analysis::read_csv(path, problems);
    analysis::points_from_csv(path, {});
  });
}
