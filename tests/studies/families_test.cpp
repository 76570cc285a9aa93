#include <cmath>
#include <gmock/gmock.h>

#include "core/mixers/hybrid/hybrid_spec.h"
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

TEST_F(Families, ASplitWidensAttentionAndNarrowsMambaAtEqualParameters) {
  const StudySpec spec = read();
  const spec::RunFile base = spec::load_run_file(spec.base);
  FamilySpec family = spec.families[3];
  const auto block = [&](double share) {
    family.attention_share = share;
    const FittedModel fit = fit_family(family, {.name = "x", .target = 1e8}, base, 100'000'000);
    EXPECT_EQ(fit.problem, "");
    spec::RunConfig config = base.config;
    config.model = fit.model;
    EXPECT_NO_THROW(spec::parse_run_config(spec::to_yaml(config), "fitted")) << share;
    for (const spec::BlockConfig& layer : fit.model.stack)
      if (layer.name == "H") return std::dynamic_pointer_cast<const spec::HybridSpec>(layer.mixer);
    return std::shared_ptr<const spec::HybridSpec>();
  };
  const auto attention_width = [](const spec::HybridSpec& hybrid) {
    return dynamic_cast<const spec::AttentionSpec&>(*hybrid.branches[1]).q_width();
  };
  const auto mamba_width = [](const spec::HybridSpec& hybrid) {
    return dynamic_cast<const spec::Mamba2Spec&>(*hybrid.branches[0]).d_ssm;
  };
  const auto even = block(0.5), two = block(2.0 / 3), tenth = block(1.0 / 11);
  EXPECT_NEAR(static_cast<double>(attention_width(*two)) / static_cast<double>(attention_width(*even)), 4.0 / 3, 0.07);
  EXPECT_NEAR(static_cast<double>(mamba_width(*two)) / static_cast<double>(mamba_width(*even)), 2.0 / 3, 0.07);
  EXPECT_LT(attention_width(*tenth), attention_width(*even) / 4);
}

TEST_F(Families, TheLadderStaysWithinSensibleShapesFrom100KTo3B) {
  double last = 0;
  for (double size = 1e5; size <= 3e9; size *= 1.07) {
    const SizeShape shape = shape_of({.name = "x", .target = size});
    const double aspect = static_cast<double>(shape.scale.d_model) / static_cast<double>(shape.layers);
    EXPECT_GE(aspect, 10) << size;
    EXPECT_LE(aspect, 200) << size;
    EXPECT_GE(static_cast<double>(shape.scale.d_model), 0.85 * last) << "a bigger size is not narrower: " << size;
    last = std::max(last, static_cast<double>(shape.scale.d_model));
    EXPECT_EQ(shape.scale.d_model % shape.scale.attention_head_dim, 0);
    EXPECT_EQ((shape.scale.d_model / shape.scale.attention_head_dim) % 2, 0) << "a hybrid takes half the heads";
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
