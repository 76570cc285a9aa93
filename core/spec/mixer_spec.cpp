#include "core/spec/mixer_spec.h"

#include <algorithm>

#include "core/base/yaml_reader.h"

namespace hyscale::spec {

using ParseMixer = std::shared_ptr<const MixerSpec>(YamlMap&, int64_t);

#define HYSCALE_MIXER(kind) ParseMixer parse_##kind;
#include "core/mixers/list.def"
#undef HYSCALE_MIXER

struct MixerEntry {
  const char* kind;
  ParseMixer* parse;
};
static constexpr MixerEntry kMixers[] = {
#define HYSCALE_MIXER(kind) {#kind, &parse_##kind},
#include "core/mixers/list.def"
#undef HYSCALE_MIXER
};

std::vector<std::string> mixer_kinds() {
  std::vector<std::string> kinds;
  for (const MixerEntry& entry : kMixers) kinds.emplace_back(entry.kind);
  return kinds;
}

std::shared_ptr<const MixerSpec> parse_mixer(YamlMap map, int64_t d_model) {
  const size_t before = map.problems().list().size();
  const size_t index = map.required_choice("kind", mixer_kinds());
  if (map.problems().list().size() > before) return nullptr;  // without its kind no other key means anything
  auto mixer = kMixers[index].parse(map, d_model);
  map.finish();
  return map.problems().list().size() > before ? nullptr : mixer;
}

}  // namespace hyscale::spec
