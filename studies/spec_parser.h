#pragma once

#include "core/base/yaml_reader.h"
#include "studies/study_spec.h"

namespace hyscale::studies {

/// Sections of a study file. Each reports what is wrong to its reader's collector and goes on with a default; a value
/// that is not there gives the defaults.
std::vector<Question> parse_questions(const YamlValue& list);
std::vector<FamilySpec> parse_families(YamlMap map);
Budgets parse_budgets(YamlMap map);
Compare parse_compare(YamlMap& root);
std::vector<int64_t> parse_contexts(const YamlValue& list);
std::vector<Axis> parse_axes(const YamlValue& value);
/// `include` and `exclude`: the values of a rule have to be those of `spec`, which is read up to its axes.
std::vector<CellRule> parse_cell_rules(const YamlValue& list, const StudySpec& spec);
BatchRule parse_batch(YamlMap map);
LearningRateRule parse_learning_rate(YamlMap map, const std::vector<SizeSpec>& sizes);
ScheduleRule parse_schedule_rule(YamlMap map);
Limits parse_limits(const YamlValue& value);
Resources parse_resources(const YamlValue& value);
std::optional<SlurmSpec> parse_slurm(const YamlValue& value);

/// Hours, minutes and seconds: "02:00:00".
bool is_time_limit(const std::string& text);
std::vector<std::string> parse_evaluate(const YamlValue& list);

/// Who decides about this path of the base file where neither a family nor an axis may set it; "": nobody does.
std::string owner_of(const std::string& path);
/// A scalar or a list of them in one line, as `--set` takes it: "[0.9, 0.95]". "" for a mapping.
std::string flow_text(const YamlValue& value);

}  // namespace hyscale::studies
