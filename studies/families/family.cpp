#include "studies/families/family.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/spec/accounting.h"
#include "studies/families/placement.h"

namespace hyscale::studies {

std::vector<std::string> stack_of(const FamilySpec& family, int64_t layers) {
  std::vector<std::string> names;
  if (family.kind == FamilySpec::Kind::pattern) {
    for (int64_t n = 0; n < layers; ++n)
      names.emplace_back(1, family.pattern[static_cast<size_t>(n) % family.pattern.size()]);
    return names;
  }
  names.assign(static_cast<size_t>(layers), family.cheap);
  const int64_t count = expensive_layers(layers, family.ratio, family.kind == FamilySpec::Kind::inter);
  for (const int64_t position : positions(layers, count, family.placement))
    names[static_cast<size_t>(position - 1)] = family.expensive;
  return names;
}

void check_family(const FamilySpec& family, const spec::RunFile& base, const std::string& file, Problems& problems) {
  std::vector<std::string> known, missing;
  for (const auto& entry : base.mixers) known.push_back(entry.first);
  std::vector<std::string> needed{family.expensive, family.cheap};
  if (family.kind == FamilySpec::Kind::pattern) {
    needed.clear();
    for (const char symbol : family.pattern) needed.emplace_back(1, symbol);
  }
  for (const std::string& name : needed)
    if (base.mixers.count(name) == 0 && std::find(missing.begin(), missing.end(), name) == missing.end())
      missing.push_back(name);
  if (missing.empty()) return;
  problems.add(
      {.what = fmt::format("family {} needs mixer {}, which the base file does not name", family.name,
                           fmt::join(missing, ", ")),
       .remedy = fmt::format("add it under model.mixers of the base file, or use one of: {}", fmt::join(known, ", ")),
       .at = {file}});
}

static int64_t parameters_with(spec::ModelConfig& model, int64_t d_ff) {
  for (spec::BlockConfig& block : model.stack) block.ffn = spec::SwigluConfig{.d_ff = d_ff};
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

FittedModel fit_family(const FamilySpec& family, const SizeSpec& size, const spec::RunFile& base, int64_t target) {
  const SizeShape shape = shape_of(size);
  FittedModel fit;
  fit.model = base.config.model;
  fit.model.d_model = shape.scale.d_model;
  fit.model.stack.clear();
  std::map<std::string, std::shared_ptr<const spec::MixerSpec>> scaled;
  for (const std::string& name : stack_of(family, shape.layers)) {
    auto& mixer = scaled[name];
    if (!mixer) mixer = base.mixers.at(name)->at_scale(shape.scale);
    fit.model.stack.push_back({.name = name, .mixer = mixer, .ffn = {}});
    fit.stack += name;
  }
  fit.target = target;
  if (target > 0) return solve_d_ff(fit), fit;
  const double width = static_cast<double>(shape.scale.d_model);
  const int64_t d_ff = size.d_ff > 0 ? size.d_ff : std::max<int64_t>(8, std::llround(width / 3) * 8);
  fit.target = parameters_with(fit.model, d_ff);
  return take_d_ff(fit, d_ff, 1), fit;
}

}  // namespace hyscale::studies
