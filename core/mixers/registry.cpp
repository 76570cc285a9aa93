#include "core/base/error.h"
#include "core/mixers/mixer.h"

namespace hyscale::model {

std::unique_ptr<Mixer> make_mixer(const spec::MixerSpec& spec, const MixerContext& context,
                                  const ParameterTable& parameters, const std::string& prefix) {
#define HYSCALE_MIXER(name) \
  if (spec.kind() == #name) return make_##name(spec, context, parameters, prefix);
#include "core/mixers/list.def"
#undef HYSCALE_MIXER
  throw ShapeError("mixer " + std::string(spec.kind()) + " is in no list");
}

}  // namespace hyscale::model
