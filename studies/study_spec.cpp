#include "studies/study_spec.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <set>

#include "core/base/files.h"
#include "core/base/yaml_reader.h"
#include "studies/spec_parser.h"

namespace hyscale::studies {

/// Of a directory, a job, and a word on a command line.
static bool is_name(const std::string& name) {
  constexpr size_t kMost = 100;
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kMost && name[0] != '.' && name[0] != '-' &&
         std::all_of(name.begin(), name.end(), plain);
}

static SizeSpec parse_shape(YamlMap map) {
  SizeSpec size;
  size.name = map.required<std::string>("name");
  size.base_widths = map.has("widths") && map.required_choice("widths", {"base"}) == 0;
  if (size.base_widths) {
    size.layers = map.optional<int64_t>("layers", 0, {.min = 1, .max = 1e4});
  } else {
    size.d_model = map.required<int64_t>("d_model", {.min = 8, .max = 1e6});
    size.layers = map.required<int64_t>("layers", {.min = 1, .max = 1e4});
    size.target = map.optional<double>("parameters", 0, {.min = 1e3, .max = 1e13});
    size.d_ff = map.optional<int64_t>("d_ff", 0, {.min = 1, .max = 1e7});
    if (size.d_ff > 0 && size.target > 0)
      map.problem_at("d_ff", "give parameters or d_ff, not both", "d_ff is solved from parameters");
  }
  map.finish();
  return size;
}

static std::vector<SizeSpec> parse_sizes(const YamlValue& list) {
  std::vector<SizeSpec> sizes;
  std::set<std::string> names;
  for (const YamlValue& item : list.as_sequence()) {
    SizeSpec size;
    if (item.is_map()) {
      size = parse_shape(item.as_map());
    } else {
      size.name = item.text();
      size.target = item.as<double>({.min = 1e3, .max = 1e13}).value_or(1e6);
    }
    if (!is_name(size.name)) item.problem(fmt::format("'{}' is no name for a size", size.name));
    if (!names.insert(size.name).second)
      item.problem(fmt::format("size {} is given twice", size.name), "keep one of them");
    sizes.push_back(std::move(size));
  }
  return sizes;
}

static std::vector<int64_t> parse_seed_list(const YamlValue& list) {
  std::vector<int64_t> seeds;
  for (const YamlValue& item : list.as_sequence()) {
    const int64_t seed = item.as<int64_t>({.min = 0}).value_or(0);
    if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end())
      item.problem(fmt::format("seed {} is given twice", seed), "keep one of them");
    seeds.push_back(seed);
  }
  if (list.is_sequence() && seeds.empty()) list.problem(list.path() + " is empty", "write [0]");
  return seeds;
}

static void parse_seeds(const YamlValue& value, StudySpec& spec) {
  if (!value.exists()) return;
  if (value.is_sequence()) {
    spec.seeds = parse_seed_list(value);
    return;
  }
  YamlMap map = value.as_map();
  if (map.has("default")) spec.seeds = parse_seed_list(map.value("default"));
  for (const SizeSpec& size : spec.sizes) {
    const YamlValue list = map.value(size.name);
    if (list.exists()) spec.seeds_of_size[size.name] = parse_seed_list(list);
  }
  map.finish();
}

static void check_questions(const YamlMap& root, const StudySpec& spec) {
  for (const Question& question : spec.questions)
    for (const std::string& name : question.compare) {
      const auto same = [&](const FamilySpec& family) { return family.name == name; };
      if (name.empty() || std::any_of(spec.families.begin(), spec.families.end(), same)) continue;
      root.problem_at("questions", fmt::format("a question compares '{}', which is no family of this study", name),
                      "use the names under families:");
    }
}

// One place decides about a setting: an axis or `contexts`, not a family beside it.
static void check_owners(const YamlMap& root, const StudySpec& spec) {
  std::vector<std::pair<std::string, std::string>> owned;  // path, section
  if (!spec.contexts.empty()) owned.emplace_back("model.context", "contexts");
  for (const Axis& axis : spec.axes) owned.emplace_back(axis.path, "axes");
  for (const FamilySpec& family : spec.families)
    for (const std::string& setting : family.set)
      for (const auto& [path, section] : owned)
        if (setting.rfind(path + "=", 0) == 0)
          root.problem_at(section, fmt::format("{} sets {}, which family {} sets, too", section, path, family.name),
                          "keep one of them");
}

static void parse_head(YamlMap& root, StudySpec& spec) {
  root.required_choice("format", {"hyscale.study/1"});
  spec.name = root.required<std::string>("study");
  if (!spec.name.empty() && !is_name(spec.name))
    root.problem_at("study", fmt::format("'{}' is no name for a study", spec.name),
                    "use up to 100 letters, digits, '.', '_' and '-', a letter or digit first",
                    "it names files and jobs");
  const std::string base = root.required<std::string>("base");
  spec.base = (std::filesystem::path(spec.file).parent_path() / base).string();
}

StudySpec parse_study_spec(const std::string& text, const std::string& file) {
  StudySpec spec;
  spec.file = file;
  spec.text = text;
  Problems problems;
  YamlMap root = YamlMap::parse(text, file, problems);
  parse_head(root, spec);
  spec.questions = parse_questions(root.value("questions"));
  spec.families = parse_families(root.map("families"));
  spec.sizes = parse_sizes(root.value("sizes"));
  spec.budgets = parse_budgets(root.map("budgets"));
  spec.compare = parse_compare(root);
  spec.contexts = parse_contexts(root.value("contexts"));
  parse_seeds(root.value("seeds"), spec);
  spec.axes = parse_axes(root.value("axes"));
  check_owners(root, spec);
  spec.include = parse_cell_rules(root.value("include"), spec);
  spec.exclude = parse_cell_rules(root.value("exclude"), spec);
  spec.learning_rate = parse_learning_rate(root.map("learning_rate"), spec.sizes);
  spec.batch = parse_batch(root.map("batch"));
  spec.schedule = parse_schedule_rule(root.map("schedule"));
  spec.limits = parse_limits(root.value("limits"));
  spec.resources = parse_resources(root.value("resources"));
  spec.slurm = parse_slurm(root.value("slurm"));
  spec.evaluate = parse_evaluate(root.value("evaluate"));
  check_questions(root, spec);
  root.finish();
  problems.throw_if_any();
  return spec;
}

StudySpec load_study_spec(const std::string& path) {
  if (!std::filesystem::exists(path))
    throw ConfigError({.what = "there is no study spec at " + path, .remedy = "check the spelling of the path"});
  return parse_study_spec(read_file(path), path);
}

}  // namespace hyscale::studies
