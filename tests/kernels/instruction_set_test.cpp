#include "core/kernels/instruction_set.h"

#include <cstdlib>
#include <gtest/gtest.h>

namespace hyscale::kernels {

TEST(InstructionSet, IsTheOneOfTheLibraryThatTheTestWasPointedAt) {
  const char* wanted = std::getenv("HYSCALE_EXPECTED_KERNELS");
  if (wanted == nullptr) GTEST_SKIP() << "only asked of the further copies";
  EXPECT_STREQ(instruction_set(), wanted);
}

}  // namespace hyscale::kernels
