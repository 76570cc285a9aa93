#pragma once

#include "core/base/yaml_reader.h"
#include "studies/study_spec.h"

namespace hyscale::studies {

/// Sections of a study file. Each reports what is wrong to its reader's collector and goes on with a default; a value
/// that is not there gives the defaults.
std::vector<Question> parse_questions(const YamlValue& list);
std::vector<FamilySpec> parse_families(YamlMap map);
LearningRateRule parse_learning_rate(YamlMap map, const std::vector<SizeSpec>& sizes);
ScheduleRule parse_schedule_rule(YamlMap map);
Limits parse_limits(const YamlValue& value);
Resources parse_resources(const YamlValue& value);
std::optional<SlurmSpec> parse_slurm(const YamlValue& value);
std::vector<std::string> parse_evaluate(const YamlValue& list);

}  // namespace hyscale::studies
