#include "studies/families/family.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "core/spec/accounting.h"
#include "core/spec/stack.h"

namespace hyscale::studies {

void check_family(const FamilySpec& family, const spec::RunFile& base, Problems& problems) {
  std::vector<std::string> known, missing;
  for (const auto& entry : base.mixers) known.push_back(entry.first);
  for (const std::string& name : spec::mixers_of(family.stack))
    if (base.mixers.count(name) == 0) missing.push_back(name);
  if (missing.empty()) return;
  problems.add(
      {.what = fmt::format("family {} needs mixer {}, which the base file does not name", family.name,
                           fmt::join(missing, ", ")),
       .remedy = fmt::format("add it under model.mixers of the base file, or use one of: {}", fmt::join(known, ", ")),
       .at = family.at});
}

static int64_t parameters_with(spec::ModelConfig& model, int64_t d_ff) {
  for (spec::BlockConfig& block : model.stack) {
    block.ffn.reset();
    if (d_ff > 0) block.ffn = spec::SwigluConfig{.d_ff = d_ff};
  }
  return spec::account(model).params.non_embedding;
}

static void take_d_ff(FittedModel& fit, int64_t d_ff, int64_t step) {
  fit.non_embedding = parameters_with(fit.model, d_ff);
  fit.d_ff = d_ff;
  fit.d_ff_step = step;
  fit.off = static_cast<double>(fit.non_embedding) / static_cast<double>(fit.target) - 1;
}

// Parameters grow by one and the same amount with each unit of d_ff.
static void solve_d_ff(FittedModel& fit) {
  const int64_t one = parameters_with(fit.model, 1), slope = parameters_with(fit.model, 2) - one;
  const double exact = 1 + static_cast<double>(fit.target - one) / static_cast<double>(slope);
  const double allowed = tolerance_at(static_cast<double>(fit.target));
  const int64_t coarsest = fit.target < 10'000'000 ? 8 : 64;
  for (int64_t step = coarsest; step >= coarsest / 8; step /= 2) {
    const int64_t d_ff = std::llround(exact / static_cast<double>(step)) * step;
    if (d_ff < step) continue;
    take_d_ff(fit, d_ff, step);
    if (std::abs(fit.off) <= allowed) return;
  }
  fit.d_ff = 0;
  fit.problem = exact < 1 ? fmt::format("its mixers alone have {} parameters, the size {}", one - slope, fit.target)
                          : fmt::format("no d_ff brings it within {:.0f} % of {}", 100 * allowed, fit.target);
}

// Blocks for the stack's names; empty when the family has no stack of that depth, then fit.problem says why.
static std::vector<spec::BlockConfig> stack_of(const FamilySpec& family, const spec::RunFile& base,
                                               const spec::MixerScale* scale, FittedModel& fit) {
  const spec::StackLayout layout = spec::lay_out(family.stack, fit.layers);
  fit.problem = layout.problem;
  std::vector<spec::BlockConfig> stack;
  std::map<std::string, std::shared_ptr<const spec::MixerSpec>> taken;
  for (const std::string& name : layout.mixers) {
    auto& mixer = taken[name];
    if (!mixer) mixer = scale != nullptr ? base.mixers.at(name)->at_scale(*scale) : base.mixers.at(name);
    stack.push_back({.name = name, .mixer = mixer, .ffn = {}});
    fit.stack += name;
  }
  return stack;
}

static FittedModel with_base_widths(const FamilySpec& family, const SizeSpec& size, const spec::RunFile& base,
                                    int64_t target) {
  FittedModel fit;
  fit.model = base.config.model;
  fit.layers = size.layers;
  if (fit.layers == 0) fit.layers = family.stack.depth;
  if (fit.layers == 0) fit.layers = static_cast<int64_t>(base.config.model.stack.size());
  fit.model.stack = stack_of(family, base, nullptr, fit);
  if (!fit.problem.empty()) return fit;
  const auto& ffn = base.config.model.stack.front().ffn;
  fit.target = target > 0 ? target : parameters_with(fit.model, ffn ? ffn->d_ff : 0);
  return take_d_ff(fit, ffn ? ffn->d_ff : 0, 1), fit;
}

FittedModel fit_family(const FamilySpec& family, const SizeSpec& size, const spec::RunFile& base, int64_t target) {
  if (size.base_widths) return with_base_widths(family, size, base, target);
  SizeShape shape = shape_of(size);
  shape.scale.attention_share = family.attention_share;
  FittedModel fit;
  fit.model = base.config.model;
  fit.model.d_model = shape.scale.d_model;
  fit.layers = shape.layers;
  fit.model.stack = stack_of(family, base, &shape.scale, fit);
  if (!fit.problem.empty()) return fit;
  fit.target = target;
  if (target > 0) return solve_d_ff(fit), fit;
  const double width = static_cast<double>(shape.scale.d_model);
  const int64_t d_ff = size.d_ff > 0 ? size.d_ff : std::max<int64_t>(8, std::llround(width / 3) * 8);
  fit.target = parameters_with(fit.model, d_ff);
  return take_d_ff(fit, d_ff, 1), fit;
}

}  // namespace hyscale::studies
