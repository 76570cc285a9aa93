#include <cmath>
#include <gmock/gmock.h>

#include "core/spec/accounting.h"
#include "studies/families/family.h"
#include "studies/families/placement.h"
#include "tests/studies/study_fixture.h"

namespace hyscale::studies {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Placement, SpreadsEvenlyWhereThePaperDoes) {
  EXPECT_THAT(positions(13, 2, Placement::scatter), ElementsAre(5, 9));
  EXPECT_THAT(positions(13, 3, Placement::scatter), ElementsAre(4, 7, 11));
  EXPECT_THAT(positions(11, 2, Placement::middle), ElementsAre(4, 8));
  EXPECT_THAT(positions(11, 3, Placement::middle), ElementsAre(3, 6, 9));
  EXPECT_THAT(positions(13, 1, Placement::middle), ElementsAre(7));
}

TEST(Placement, FrontAndEndMoveOneLayerOfTheSpread) {
  EXPECT_THAT(positions(11, 3, Placement::front), ElementsAre(1, 6, 9));
  EXPECT_THAT(positions(11, 3, Placement::end), ElementsAre(3, 6, 11));
  EXPECT_THAT(positions(11, 2, Placement::end), ElementsAre(4, 11));
}

TEST(Placement, PositionsAreDistinctAndInsideTheStack) {
  for (int64_t layers = 1; layers <= 40; ++layers)
    for (int64_t count = 1; count <= layers; ++count)
      for (const Placement placement : {Placement::front, Placement::middle, Placement::end}) {
        const auto list = positions(layers, count, placement);
        ASSERT_GE(list.front(), 1);
        ASSERT_LE(list.back(), layers);
        for (size_t i = 1; i < list.size(); ++i) ASSERT_LT(list[i - 1], list[i]) << layers << " " << count;
      }
}

TEST(Placement, ARatioComesOutInThePapersLayers) {
  EXPECT_EQ(expensive_layers(13, {1, 5}, true), 2);
  EXPECT_EQ(expensive_layers(13, {1, 3}, true), 3);
  EXPECT_EQ(expensive_layers(13, {1, 12}, true), 1);
  EXPECT_EQ(expensive_layers(11, {1, 1}, false), 6);
  EXPECT_EQ(expensive_layers(11, {1, 5}, true), 2);
  EXPECT_EQ(expensive_layers(22, {1, 5}, true), 4);
  EXPECT_EQ(expensive_layers(2, {5, 1}, true), 1) << "a mixed stack keeps a Mamba layer";
  EXPECT_EQ(expensive_layers(13, {1, 0}, false), 13);
}

class Families : public StudyFixture {};

TEST_F(Families, MatchInParametersFrom12KTo3B) {
  const StudySpec spec = read();
  const spec::RunFile base = spec::load_run_file(spec.base);
  for (double size = 1.2e4; size <= 3e9; size *= 1.31) {
    const SizeSpec wanted{.name = "x", .target = size};
    const auto target = static_cast<int64_t>(std::llround(size));
    std::vector<FittedModel> fits;
    for (const FamilySpec& family : spec.families) fits.push_back(fit_family(family, wanted, base, target));
    for (const FittedModel& fit : fits) {
      EXPECT_EQ(fit.problem, "") << size;
      EXPECT_LE(std::abs(fit.off), tolerance_at(size)) << size;
      EXPECT_EQ(fit.non_embedding, spec::account(fit.model).params.non_embedding);
      EXPECT_EQ(fit.d_ff % fit.d_ff_step, 0);
      EXPECT_EQ(fit.model.d_model, fits[0].model.d_model);
      EXPECT_EQ(fit.model.stack.size(), fits[0].model.stack.size());
      spec::RunConfig config = base.config;
      config.model = fit.model;
      EXPECT_NO_THROW(spec::parse_run_config(spec::to_yaml(config), "fitted")) << size << " " << fit.stack;
    }
  }
}

TEST_F(Families, TinyStacksStillMixBothKinds) {
  const StudySpec spec = read();
  for (int64_t layers = 2; layers <= 6; ++layers) {
    const std::vector<std::string> stack = stack_of(spec.families[2], layers);
    EXPECT_THAT(stack, testing::Contains("A")) << layers;
    EXPECT_THAT(stack, testing::Contains("M")) << layers;
    EXPECT_NE(stack.front(), "A") << "the first layer is the worst place for attention";
  }
}

TEST_F(Families, APatternIsCycledToTheDepth) {
  FamilySpec family;
  family.pattern = "MMA";
  EXPECT_THAT(stack_of(family, 5), ElementsAre("M", "M", "A", "M", "M"));
}

TEST_F(Families, AFamilySaysWhenItsMixersAreTooLargeForASize) {
  const StudySpec spec = read();
  const FittedModel fit = fit_family(spec.families[1], {.name = "x", .target = 12000, .d_model = 64, .layers = 4},
                                     spec::load_run_file(spec.base), 12000);
  EXPECT_EQ(fit.d_ff, 0);
  EXPECT_THAT(fit.problem, HasSubstr("its mixers alone have"));
}

}  // namespace hyscale::studies
