#include "core/base/process.h"

#include <gtest/gtest.h>
#include <vector>

namespace hyscale {
namespace {

TEST(PeakMemory, GrowsWithWhatIsTouchedAndStaysThere) {
  constexpr int64_t kBytes = int64_t{64} << 20;
  const int64_t before = peak_memory_bytes();
  {
    const std::vector<char> block(kBytes, 1);
    EXPECT_GE(peak_memory_bytes(), before + kBytes * 9 / 10) << block[kBytes / 2];
  }
  EXPECT_GE(peak_memory_bytes(), before + kBytes * 9 / 10);
}

}  // namespace
}  // namespace hyscale
