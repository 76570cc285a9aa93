// The scheduler's own classes (database, driver, Slurm back end) on a Slurm, keepers and workers that are played, with
// a virtual clock, beside a reference that says in one page what each run must be in.

#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <random>
#include <string>

#include "tests/scheduler/model/play.h"

namespace hyscale::scheduler::model {
namespace {

constexpr int kCases = 100, kStepsOfACase = 100;

unsigned seed() {
  const char* given = std::getenv("HYSCALE_RANDOM_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 20260301u;
}

/// Likely enough to go on that studies come far. Each case has a favourite, and every third few runs, so that every
/// counter runs out somewhere.
std::vector<Step> draw(std::mt19937& random) {
  using Kind = Step::Kind;
  std::vector<Kind> kinds{Kind::submit};
  for (int kind = 0; kind < static_cast<int>(Kind::end_of_list); ++kind) kinds.push_back(static_cast<Kind>(kind));
  kinds.insert(kinds.end(), 6, static_cast<Kind>(random() % static_cast<unsigned>(Kind::end_of_list)));
  kinds.insert(kinds.end(), 8, Kind::collect);
  kinds.insert(kinds.end(), 10, Kind::start);
  kinds.insert(kinds.end(), 6, Kind::progress);
  const unsigned different = random() % 3 == 0 ? 1 + static_cast<unsigned>(random() % 3) : 1000;
  std::vector<Step> steps;
  for (int i = 0; i < kStepsOfACase; ++i)
    steps.push_back({kinds[random() % kinds.size()], static_cast<unsigned>(random() % different)});
  return steps;
}

TEST(Model, SchedulerIsWhereTheReferenceIsAfterTenThousandRandomSteps) {
  std::printf("seed %u (HYSCALE_RANDOM_SEED chooses another)\n", seed());
  std::mt19937 random(seed());
  Figures figures;
  for (int i = 0; i < kCases; ++i) {
    const bool accounting = i % 2 == 0;
    const auto fails = [&](const std::vector<Step>& steps) { return play(steps, accounting, figures); };
    const std::vector<Step> steps = draw(random);
    const auto wrong = fails(steps);
    if (!wrong) continue;
    const auto shortest = shrunk(steps, [&](const auto& fewer) { return fails(fewer).has_value(); });
    FAIL() << "seed " << seed() << ", case " << i << (accounting ? " with" : " without") << " accounting: " << *wrong
           << "\nshrunk to " << shortest.size() << " of its steps: " << fails(shortest).value_or("?") << "\n"
           << to_string(shortest);
  }
  std::printf("%d steps, %d collects, %d of them whole and compared; %d of %d runs done\n", kCases * kStepsOfACase,
              figures.collects, figures.compared, figures.done, figures.runs);
}

TEST(Model, AFailingCaseIsShrunkToWhatMakesItFail) {
  std::vector<Step> steps(64, {Step::Kind::progress});
  steps[11].kind = Step::Kind::cancel, steps[50].kind = Step::Kind::retry;
  const auto shortest = shrunk(steps, [](const std::vector<Step>& fewer) {
    const auto has = [&](Step::Kind kind) {
      return std::any_of(fewer.begin(), fewer.end(), [&](const Step& step) { return step.kind == kind; });
    };
    return has(Step::Kind::cancel) && has(Step::Kind::retry);
  });
  EXPECT_EQ(to_string(shortest), "  cancel 0\n  retry 0\n");
}

}  // namespace
}  // namespace hyscale::scheduler::model
