#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/parquet_source.h"
#include "tests/data/prepare_support.h"

// In the place of parquet_test.cpp where Arrow's libraries are not there.
namespace hyscale::data {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

auto is_refused() {
  return ThrowsMessage<ConfigError>(AllOf(HasSubstr("a.parquet is Parquet, which this build does not read"),
                                          HasSubstr("pip install pyarrow"), HasSubstr("pyarrow.parquet")));
}

TEST(Parquet, IsRefusedWithTheLineThatConvertsIt) {
  const ScratchDirectory scratch;
  const std::string file = scratch.write("a.parquet", "PAR1");
  EXPECT_FALSE(reads_parquet());
  EXPECT_THAT([&] { prepare({.inputs = {file}, .tokenizer = "byte", .out = scratch / "out"}); }, is_refused());
}

TEST(Parquet, IsNotPassedOverInADirectory) {
  const ScratchDirectory scratch;
  scratch.write("a.parquet", "PAR1");
  scratch.write("b.jsonl", numbered_documents(50));
  EXPECT_THAT([&] { prepare({.inputs = {scratch.path()}, .tokenizer = "byte", .out = scratch / "out"}); },
              is_refused());
}

}  // namespace
}  // namespace hyscale::data
