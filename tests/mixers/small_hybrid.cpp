#include "tests/mixers/small_hybrid.h"

#include <fmt/format.h>

#include "core/base/yaml_reader.h"

namespace hyscale::tests {

spec::HybridSpec small_hybrid(const std::string& pair, const std::string& options) {
  const auto branch = [](char kind) -> std::string {
    if (kind == 'M') return "{kind: mamba2, d_ssm: 12, head_dim: 4, d_state: 3, chunk: 8}";
    return "{kind: attention, heads: 2, kv_heads: 1, head_dim: 4, value_dim: 12, rope: {theta: 100}}";
  };
  const std::string text = fmt::format("mixer: {{kind: hybrid, branches: [{}, {}]{}{}}}", branch(pair[0]),
                                       branch(pair[1]), options.empty() ? "" : ", ", options);
  Problems problems;
  const auto mixer = spec::parse_mixer(YamlMap::parse(text, "test", problems).map("mixer"), 8);
  problems.throw_if_any();
  return dynamic_cast<const spec::HybridSpec&>(*mixer);
}

static std::string identifier(std::string text) {
  std::string name;
  for (const char c : text) name += std::isalnum(static_cast<unsigned char>(c)) ? std::string(1, c) : "_";
  return name;
}

static const std::vector<std::string> kSums{"fusion: subtract, output: separate", "fusion: add, output: separate",
                                            "fusion: subtract, output: joint", "fusion: add, output: joint",
                                            "fusion: concat, output: joint"};

std::vector<NamedHybrid> every_hybrid() {
  std::vector<NamedHybrid> list;
  const auto add = [&](const std::string& pair, const std::string& options) {
    list.push_back({pair + "_" + identifier(options), small_hybrid(pair, options)});
  };
  for (const std::string& norm : spec::kHybridNorms)
    for (const std::string& scale : spec::kHybridScales)
      for (const std::string& sum : kSums)
        for (const std::string& value : spec::kHybridValues)
          add("MT", fmt::format("norm: {}, scale: {}, {}, value: {}", norm, scale, sum, value));
  for (const std::string pair : {"TM", "TT", "MM"}) {
    for (const std::string& scale : spec::kHybridScales) add(pair, fmt::format("scale: {}", scale));
    for (const std::string& sum : kSums) add(pair, fmt::format("norm: none, {}", sum));
    if (pair != "MM") add(pair, "value: joint"), add(pair, "norm: none, scale: diff, value: joint, output: joint");
  }
  return list;
}

std::vector<NamedHybrid> every_hybrid(spec::HybridValue value) {
  std::vector<NamedHybrid> list = every_hybrid();
  std::erase_if(list, [&](const NamedHybrid& hybrid) { return hybrid.spec.value != value; });
  return list;
}

}  // namespace hyscale::tests
