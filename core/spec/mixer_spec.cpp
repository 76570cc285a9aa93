#include "core/spec/mixer_spec.h"

#include <stdexcept>

#include "core/base/yaml_reader.h"

namespace hyscale::spec {

#define HYSCALE_MIXER(kind) ParseMixer parse_##kind;
#include "core/mixers/list.def"
#undef HYSCALE_MIXER

struct MixerEntry {
  std::string kind;
  ParseMixer* parse;
};

std::string MixerSpec::split_problem(int ranks) const { return ranks == 1 ? "" : "this kind of mixer has no parts"; }

std::shared_ptr<const MixerSpec> MixerSpec::part(Shard) const {
  throw std::logic_error("mixer " + std::string(kind()) + " has no parts");
}

// Those of list.def, then those registered at run time.
static std::vector<MixerEntry>& registered() {
  static std::vector<MixerEntry> mixers = {
#define HYSCALE_MIXER(kind) {#kind, &parse_##kind},
#include "core/mixers/list.def"
#undef HYSCALE_MIXER
  };
  return mixers;
}

std::vector<std::string> mixer_kinds() {
  std::vector<std::string> kinds;
  for (const MixerEntry& entry : registered()) kinds.push_back(entry.kind);
  return kinds;
}

void register_mixer(const std::string& kind, ParseMixer* parse) {
  for (const MixerEntry& entry : registered())
    if (entry.kind == kind) throw std::invalid_argument("mixer " + kind + " is registered already");
  registered().push_back({kind, parse});
}

std::shared_ptr<const MixerSpec> parse_mixer(YamlMap map, int64_t d_model) {
  const size_t before = map.problems().list().size();
  const size_t index = map.required_choice("kind", mixer_kinds());
  if (map.problems().list().size() > before) return nullptr;  // without its kind no other key means anything
  auto mixer = registered()[index].parse(map, d_model);
  map.finish();
  return map.problems().list().size() > before ? nullptr : mixer;
}

}  // namespace hyscale::spec
