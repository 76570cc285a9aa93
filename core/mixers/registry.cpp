#include <map>
#include <stdexcept>

#include "core/base/error.h"
#include "core/mixers/mixer.h"

namespace hyscale::model {

// Those of list.def, then those registered at run time.
static std::map<std::string, MakeMixer*, std::less<>>& registered() {
  static std::map<std::string, MakeMixer*, std::less<>> mixers = {
#define HYSCALE_MIXER(kind) {#kind, &make_##kind},
#include "core/mixers/list.def"
#undef HYSCALE_MIXER
  };
  return mixers;
}

void register_mixer(const std::string& kind, MakeMixer* make) {
  if (!registered().emplace(kind, make).second) throw std::invalid_argument("mixer " + kind + " is registered already");
}

std::unique_ptr<Mixer> make_mixer(const spec::MixerSpec& spec, const MixerContext& context,
                                  const ParameterTable& parameters, const std::string& prefix) {
  const auto found = registered().find(spec.kind());
  if (found == registered().end()) throw ShapeError("mixer " + std::string(spec.kind()) + " is registered nowhere");
  return found->second(spec, context, parameters, prefix);
}

}  // namespace hyscale::model
