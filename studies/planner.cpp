#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "studies/cells.h"
#include "studies/families/family.h"
#include "studies/plan.h"
#include "studies/rank_memory.h"

namespace hyscale::studies {

std::string to_string(Role role) {
  switch (role) {
    case Role::trunk:
      return "trunk";
    case Role::branch:
      return "branch";
    case Role::alone:
      return "alone";
  }
  return "";
}

spec::RunConfig PlannedRun::config() const {
  spec::RunConfig config = model->config;
  config.train = train;
  config.data.seed = train.seed;
  return config;
}

RunFlops PlannedRun::flops() const {
  const spec::FlopsPerToken& flops = model->account.train_flops_per_token;
  const auto tokens = static_cast<double>(train.tokens);
  return {.paper = flops.paper * tokens,
          .with_head = flops.with_head * tokens,
          .executed = flops.executed * tokens,
          .six_n = flops.six_n * tokens};
}

namespace {

using BaseFiles = std::vector<std::vector<spec::RunFile>>;  // by family and variant

/// Fits families to sizes, each model once for all variants that agree about it.
class Models {
 public:
  Models(const StudySpec& spec, const BaseFiles& bases, const std::vector<Variant>& variants)
      : spec_(spec), bases_(bases), variants_(variants) {}

  const CountedModel& at(size_t family, size_t variant, const SizeSpec& size) {
    const spec::RunFile& base = bases_[family][variant];
    const Key key{size.name, family, variants_[variant].model_overrides(), base.config.train.precision};
    const auto [place, is_new] = models_.try_emplace(key);
    if (is_new) place->second = counted(family, variant, size);
    return place->second;
  }
  bool is_new(size_t family, size_t variant, const SizeSpec& size) const {
    return models_.count({size.name, family, variants_[variant].model_overrides(),
                          bases_[family][variant].config.train.precision}) == 0;
  }

 private:
  using Key = std::tuple<std::string, size_t, std::string, spec::Precision>;

  CountedModel counted(size_t family, size_t variant, const SizeSpec& size) const {
    const spec::RunFile& base = bases_[family][variant];
    CountedModel model;
    model.fit = fit_family(spec_.families[family], size, base, std::llround(size.target));
    model.problem = model.fit.problem;
    if (!model.problem.empty()) return model;
    model.account = spec::account(model.fit.model);
    model.batch_tokens = spec_.batch.at(static_cast<double>(model.fit.target), base.config.model.context);
    const RankMemory memory = rank_memory(spec_.resources, model.fit.model, base.config.train.precision,
                                          model.batch_tokens / base.config.model.context);
    model.micro_batch = memory.micro_batch;
    model.memory = memory.bytes;
    model.problem = memory.problem;
    return model;
  }

  const StudySpec& spec_;
  const BaseFiles& bases_;
  const std::vector<Variant>& variants_;
  std::map<Key, CountedModel> models_;
};

// The base file with the settings of each family and variant; where there are none, the plain file is shared.
BaseFiles base_files(const StudySpec& spec, const std::vector<Variant>& variants) {
  std::map<std::vector<std::string>, spec::RunFile> read;
  BaseFiles bases;
  for (const FamilySpec& family : spec.families) {
    bases.emplace_back();
    for (const Variant& variant : variants) {
      std::vector<std::string> settings = family.set;
      for (std::string& setting : variant.overrides()) settings.push_back(std::move(setting));
      const auto [place, is_new] = read.try_emplace(settings);
      if (is_new) place->second = spec::load_run_file(spec.base, settings);
      bases.back().push_back(place->second);
    }
  }
  return bases;
}

void check_batch(const StudySpec& spec, const std::set<int64_t>& contexts, Problems& problems) {
  for (const int64_t context : contexts)
    if (spec.batch.tokens % context != 0)
      problems.add(
          {.what = fmt::format("batch.tokens = {} is not a multiple of model.context = {}", spec.batch.tokens, context),
           .why = "a batch has whole sequences",
           .at = {spec.file}});
}

void check_against_corpus(const StudySpec& spec, const BaseFiles& bases, const spec::DataManifest& data,
                          Problems& problems) {
  std::set<int64_t> contexts;
  for (size_t f = 0; f < bases.size(); ++f) {
    for (const spec::RunFile& base : bases[f]) contexts.insert(base.config.model.context);
    const spec::RunFile& base = bases[f].front();
    if (auto problem = spec::vocabulary_problem(base.config.model.vocabulary, data)) {
      problem->at = {spec.base};
      problems.add(std::move(*problem));
    }
    check_family(spec.families[f], base, problems);
  }
  check_batch(spec, contexts, problems);
}

Shape shape_of_model(const Candidate& candidate, const std::string& family, const std::string& axes) {
  const FittedModel& fit = candidate.model.fit;
  return {.family = family,
          .size = candidate.size.name,
          .stack = fit.stack,
          .axes = axes,
          .context = candidate.base.config.model.context,
          .d_model = fit.model.d_model,
          .layers = fit.layers,
          .d_ff = fit.d_ff,
          .d_ff_step = fit.d_ff_step,
          .non_embedding = fit.non_embedding,
          .off = fit.off,
          .batch_tokens = candidate.model.batch_tokens,
          .micro_batch = candidate.model.micro_batch,
          .memory_bytes = candidate.model.memory.total(),
          .problem = fit.problem};
}

}  // namespace

// Families that come out alike share ids, branches share their trunk's prefix: each is paid once.
static double total_cost(const Plan& plan) {
  std::unordered_set<std::string_view> seen;
  double cost = 0;
  for (const PlannedRun& run : plan.runs)
    if (seen.insert(run.run_id).second) cost += run.cost_flops;
  return cost;
}

static void note_finer_steps(Plan& plan) {
  std::vector<std::string> finer;
  for (const Shape& shape : plan.shapes) {
    const int64_t usual = shape.non_embedding < 10'000'000 ? 8 : 64;
    if (shape.d_ff > 0 && shape.d_ff % usual != 0)
      finer.push_back(
          fmt::format("{} {} (d_ff {}, {:+.2f} % off)", shape.family, shape.size, shape.d_ff, 100 * shape.off));
  }
  if (!finer.empty())
    plan.notes.push_back(
        fmt::format("finer steps of d_ff than 8 (64 above 10M) match parameters at: {}", fmt::join(finer, ", ")));
}

static void note_ratios(Plan& plan) {
  for (const FamilySpec& family : plan.spec.families) {
    const spec::StackRule& rule = family.stack;
    if (rule.kind != spec::StackRule::Kind::family) continue;
    std::vector<std::string> stacks;
    for (const Shape& shape : plan.shapes) {
      std::string stack = shape.size + " " + shape.stack;
      if (shape.family == family.name && !shape.stack.empty() &&
          std::find(stacks.begin(), stacks.end(), stack) == stacks.end())
        stacks.push_back(std::move(stack));
    }
    plan.notes.push_back(fmt::format("{} {}:{} in whole layers: {}", family.name, rule.ratio[0], rule.ratio[1],
                                     fmt::join(stacks, ", ")));
  }
}

// An explicit shape has the parameters that its first family comes to. What a sweep decides comes behind it.
static std::vector<SizeSpec> sizes_in_order(const StudySpec& spec, const BaseFiles& bases) {
  std::vector<SizeSpec> sizes = spec.sizes;
  for (SizeSpec& size : sizes)
    if (size.target == 0) size.target = static_cast<double>(fit_family(spec.families[0], size, bases[0][0], 0).target);
  if (spec.learning_rate.carry)
    std::stable_partition(sizes.begin(), sizes.end(), [&](const SizeSpec& size) { return is_swept(spec, size); });
  return sizes;
}

// Every family at every size in every variant.
static void add_all_cells(Plan& plan, const BaseFiles& bases, const std::vector<Variant>& variants, const Known& known,
                          Problems& problems) {
  const std::vector<SizeSpec> sizes = sizes_in_order(plan.spec, bases);
  Models models(plan.spec, bases, variants);
  Cells cells(plan, sizes, variants, known);
  for (const SizeSpec& size : sizes)
    for (size_t family = 0; family < plan.spec.families.size(); ++family)
      for (size_t variant = 0; variant < variants.size(); ++variant) {
        const bool is_new = models.is_new(family, variant, size);
        const Candidate candidate{.family = family,
                                  .variant = variant,
                                  .size = size,
                                  .base = bases[family][variant],
                                  .model = models.at(family, variant, size),
                                  .first = models.at(0, variant, size)};
        if (is_new)
          plan.shapes.push_back(
              shape_of_model(candidate, plan.spec.families[family].name, variants[variant].model_axes_text()));
        cells.add(candidate);
      }
  cells.check(problems);
}

Plan make_plan(const StudySpec& spec, const std::string& store, const Known& known) {
  Plan plan;
  plan.spec = spec;
  const std::vector<Variant> variants = variants_of(spec);
  const BaseFiles bases = base_files(spec, variants);
  plan.data = spec::load_data_manifest(bases.at(0).at(0).config.data, store);
  Problems problems;
  check_against_corpus(spec, bases, plan.data, problems);
  problems.throw_if_any();
  add_all_cells(plan, bases, variants, known, problems);
  problems.throw_if_any();
  plan.cost_flops = total_cost(plan);
  note_finer_steps(plan);
  note_ratios(plan);
  return plan;
}

}  // namespace hyscale::studies
