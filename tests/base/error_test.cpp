#include "core/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/program.h"

namespace hyscale {
namespace {

using testing::HasSubstr;

TEST(Error, SaysWhereWhatWhyAndHowToMend) {
  const ConfigError error(Problem{.what = "batch_tokens = 250 does not split over 8 ranks",
                                  .why = "every rank takes the same number of sequences",
                                  .remedy = "set it to 256",
                                  .at = {"run.yaml", 12, 5}});
  EXPECT_STREQ(error.what(),
               "run.yaml:12:5: batch_tokens = 250 does not split over 8 ranks\n"
               "  because: every rank takes the same number of sequences\n"
               "  try:     set it to 256");
  EXPECT_EQ(error.code(), ExitCode::bad_input);
}

TEST(Error, ShowsAllCollectedProblemsAtOnce) {
  Problems problems;
  EXPECT_NO_THROW(problems.throw_if_any());
  problems.add({.what = "first"});
  problems.add({.what = "second"});
  try {
    problems.throw_if_any();
    FAIL() << "nothing was thrown";
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.problems().size(), 2u);
    EXPECT_STREQ(error.what(), "first\nsecond");
  }
}

TEST(Error, SuggestsTheNearestWordAndNothingFarAway) {
  EXPECT_EQ(nearest("d_modle", {"d_model", "d_ff", "context"}), "d_model");
  EXPECT_EQ(nearest("zzzzzz", {"d_model", "d_ff", "context"}), "");
}

TEST(Program, TurnsEveryKindOfErrorIntoItsExitStatus) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_program("p", [] { return 0; }), 0);
  EXPECT_EQ(run_program("p", []() -> int { throw ConfigError(Problem{.what = "bad"}); }), 2);
  EXPECT_EQ(run_program("p", []() -> int { throw DivergedError({.what = "nan"}); }), 4);
  EXPECT_EQ(run_program("p", []() -> int { throw std::bad_alloc(); }), 3);
  EXPECT_EQ(run_program("p", []() -> int { throw IoError({.what = "disk"}); }), 1);
  EXPECT_EQ(run_program("p", []() -> int { throw std::runtime_error("odd"); }), 1);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("p: bad\n"));
  EXPECT_THAT(said, HasSubstr("p: unexpected: odd\n"));
}

TEST(Program, VersionNamesTheCommitAndTheBuild) {
  EXPECT_THAT(version_line("study"),
              testing::MatchesRegex("study [0-9]+\\.[0-9]+\\.[0-9]+ \\(commit [0-9a-f+unkow]+; .+\\)"));
}

}  // namespace
}  // namespace hyscale
