#include <fstream>
#include <gmock/gmock.h>

#include "analysis/curves.h"
#include "analysis/dataset.h"
#include "core/base/error.h"
#include "tests/analysis/study_store.h"

namespace hyscale::analysis {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(StudyPoints, AreTheFinishedRunsAlone) {
  StudyStore store;
  const std::string done = store.add({.n = 1e6, .loss = 3.5, .cluster = "trunk"});
  store.add({.n = 2e6, .state = "running"});
  store.add({.n = 4e6, .state = "failed"});
  const PointSet set = points_from_study(store.path(), store.study(), {});
  ASSERT_EQ(set.points.size(), 1u);
  EXPECT_EQ(set.points[0].run, done);
  EXPECT_EQ(set.points[0].cluster, "trunk");
  EXPECT_EQ(set.points[0].loss, 3.5);
  EXPECT_EQ(set.points[0].standard_error, 0.002);
}

TEST(StudyPoints, CountParametersAndFlopsAsAsked) {
  StudyStore store;
  store.add({.n = 1e6, .budget = 7e15});
  const Point point = points_from_study(store.path(), store.study(), {}).points[0];
  EXPECT_EQ(point.n, 1e6);
  EXPECT_NEAR(point.c, 7e15, 1e8);
  const Point other = points_from_study(store.path(), store.study(), {.params = "total", .flops = "six_n"}).points[0];
  EXPECT_EQ(other.n, 1166667);
  EXPECT_NEAR(other.c, 6e15, 1e8);
}

TEST(StudyPoints, KeepTheBestLearningRateOfACellAndSaySo) {
  StudyStore store;
  store.add({.loss = 3.5, .lr = 1e-3});
  const std::string best = store.add({.loss = 3.4, .lr = 2e-3});
  store.add({.loss = 3.6, .lr = 4e-3});
  store.add({.loss = 3.7, .seed = 1});
  const PointSet set = points_from_study(store.path(), store.study(), {});
  ASSERT_EQ(set.points.size(), 2u);
  EXPECT_EQ(set.points[0].run, best);
  EXPECT_THAT(set.notices, Contains(HasSubstr("lowest validation loss was kept (transformer)")));
}

TEST(StudyPoints, WarnOfARateAtTheEdgeOfItsSweepAlone) {
  StudyStore store;
  for (const auto& [lr, loss] : {std::pair{1e-3, 3.5}, {2e-3, 3.4}, {4e-3, 3.6}}) store.add({.loss = loss, .lr = lr});
  EXPECT_THAT(points_from_study(store.path(), store.study(), {}).warnings, IsEmpty());
  for (const auto& [lr, loss] : {std::pair{1e-3, 3.3}, {2e-3, 3.2}, {4e-3, 3.1}})
    store.add({.n = 2e6, .loss = loss, .lr = lr});
  EXPECT_THAT(points_from_study(store.path(), store.study(), {}).warnings,
              ElementsAre(AllOf(HasSubstr("edge of its sweep: transformer 2M at 0.004, the largest of 3"),
                                HasSubstr("sweep further"))));
}

TEST(StudyPoints, WarnOfRunsBeforeAndAfterTheDecayOfTheirRate) {
  StudyStore store;
  store.add({.n = 1e6});
  store.add({.n = 2e6});
  EXPECT_THAT(points_from_study(store.path(), store.study(), {}).warnings, IsEmpty());
  store.add({.n = 4e6, .cooldown_tokens = 0});
  const PointSet set = points_from_study(store.path(), store.study(), {});
  EXPECT_THAT(set.warnings, ElementsAre(AllOf(HasSubstr("phases of the learning rate are mixed (2 of decayed, 1 of "
                                                        "stable)"),
                                              HasSubstr("keep one phase"))));
  EXPECT_EQ(set.points[0].tokenizer, "byte dddddddd");
}

TEST(StudyPoints, TakeBitsPerByteAsTheLossWhereTheyAreKnown) {
  StudyStore store;
  store.add({.n = 1e6, .loss = 3});
  store.add({.n = 2e6, .loss = 2, .bits_per_nat = std::nan("")});
  const PointSet set = points_from_study(store.path(), store.study(), {.metric = "bits_per_byte"});
  ASSERT_EQ(set.points.size(), 1u);
  EXPECT_NEAR(set.points[0].loss, 2.4, 1e-12);
  EXPECT_NEAR(set.points[0].standard_error, 0.0016, 1e-12);
  EXPECT_EQ(set.loss_name, "bits_per_byte");
  EXPECT_THAT(set.warnings, ElementsAre(HasSubstr("1 runs left out")));
}

TEST(StudyPoints, TakeEachSettingOfTheAxesAndEachContextForAFamilyOfItsOwn) {
  StudyStore store;
  for (const int64_t context : {512, 1024})
    for (const char* axes : {"train.optimizer.weight_decay=0.1 train.optimizer.betas=[0.9, 0.95]",
                             "train.optimizer.weight_decay=0.01 train.optimizer.betas=[0.9, 0.95]"})
      store.add({.axes = axes, .context = context});
  const PointSet set = points_from_study(store.path(), store.study(), {});
  EXPECT_EQ(set.points.size(), 4u) << "none is the better learning rate of another";
  EXPECT_THAT(set.families(), Contains("transformer weight_decay=0.01 betas=[0.9, 0.95] context=1024"));
}

TEST(StudyDataset, AsksAQuestionOnceForEachSetting) {
  StudyStore store;
  for (const char* family : {"transformer", "hybrid"})
    for (const char* axes : {"train.optimizer.clip=1", "train.optimizer.clip=0"})
      store.add({.family = family, .axes = axes, .context = 512});
  const Dataset data = dataset_from_study(store.path(), store.study(), {});
  ASSERT_EQ(data.questions.size(), 2u);
  EXPECT_EQ(data.questions[0].compare[0], "hybrid clip=1");
  EXPECT_EQ(data.questions[1].compare[1], "transformer clip=0");
  EXPECT_EQ(data.questions[0].ask, "Is the hybrid better? (clip=1)");
}

TEST(StudyPoints, ProposeTheStudyThatWasMeant) {
  StudyStore store;
  try {
    points_from_study(store.path(), "hybrid", {});
    FAIL() << "a study that does not exist was read";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'hybrids'?"));
  }
}

TEST(StudyDataset, GathersRunsCurvesAndProvenance) {
  StudyStore store;
  store.add({.n = 1e6, .budget = 1e15});
  const std::string longest = store.add({.n = 1e6, .budget = 1e16});
  store.add({.n = 1e6, .budget = 1e17, .state = "submitted"});
  const Dataset data = dataset_from_study(store.path(), store.study(), {});
  EXPECT_EQ(data.runs.size(), 3u);
  ASSERT_EQ(data.curves.size(), 1u);
  EXPECT_EQ(data.curves[0].run, longest);
  EXPECT_THAT(data.provenance, Contains(Pair("spec SHA-256", "5bec")));
  EXPECT_THAT(data.provenance, Contains(Pair("runs: host", "node1")));
  EXPECT_THAT(data.provenance, Contains(Pair("corpus prose", HasSubstr("unigram entropy 3.2000"))));
  EXPECT_EQ(data.unigram_entropy, 3.2);
  EXPECT_THAT(data.problems, IsEmpty());
}

TEST(StudyDataset, NamesACurveThatCannotBeReadAndGoesOn) {
  StudyStore store;
  const std::string run = store.add({});
  std::ofstream(store.path() + "/runs/" + run + "/run.h5") << "torn";
  const Dataset data = dataset_from_study(store.path(), store.study(), {});
  EXPECT_EQ(data.set.points.size(), 1u);
  EXPECT_THAT(data.curves, IsEmpty());
  EXPECT_THAT(data.problems, Contains(HasSubstr(run + "/run.h5")));
}

TEST(ThinnedLosses, AverageBinsAndKeepTheLastStep) {
  std::vector<storage::StepRow> steps;
  for (int64_t k = 1; k <= 10000; ++k) steps.push_back({.step = k, .tokens = k * 64, .loss = k % 2 == 0 ? 2.0 : 4.0});
  steps[5000].loss = std::numeric_limits<double>::quiet_NaN();
  const auto thinned = thinned_losses(steps, 50);
  EXPECT_LE(thinned.size(), 50u);
  EXPECT_EQ(thinned.back().first, 640000);
  EXPECT_NEAR(thinned[thinned.size() - 2].second, 3, 0.01);
  EXPECT_THAT(thinned_losses({}), IsEmpty());
}

}  // namespace
}  // namespace hyscale::analysis
