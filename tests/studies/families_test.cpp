#include <cmath>
#include <gmock/gmock.h>

#include "core/spec/accounting.h"
#include "studies/families/family.h"
#include "tests/studies/study_fixture.h"

namespace hyscale::studies {

using testing::ElementsAre;
using testing::HasSubstr;

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
    const std::vector<std::string> stack = spec::lay_out(spec.families[2].stack, layers).mixers;
    EXPECT_THAT(stack, testing::Contains("A")) << layers;
    EXPECT_THAT(stack, testing::Contains("M")) << layers;
    EXPECT_NE(stack.front(), "A") << "the first layer is the worst place for attention";
  }
}

TEST_F(Families, AFamilySaysWhenItsMixersAreTooLargeForASize) {
  const StudySpec spec = read();
  const FittedModel fit = fit_family(spec.families[1], {.name = "x", .target = 12000, .d_model = 64, .layers = 4},
                                     spec::load_run_file(spec.base), 12000);
  EXPECT_EQ(fit.d_ff, 0);
  EXPECT_THAT(fit.problem, HasSubstr("its mixers alone have"));
}

}  // namespace hyscale::studies
