#include "core/base/error.h"
#include "core/mixers/branch.h"
#include "core/mixers/hybrid/hybrid.h"
#include "core/mixers/mixer.h"

namespace hyscale::model {

using MakeMixer = std::unique_ptr<Mixer>(const spec::MixerSpec&, int64_t, const ParameterTable&, const std::string&);

// One function per line of list.def; a missing one does not link.
#define HYSCALE_MIXER(kind, folder, prefix) static MakeMixer make_##folder;
#include "core/mixers/list.def"
#undef HYSCALE_MIXER

static std::unique_ptr<Mixer> projected(std::unique_ptr<Branch> branch, const ParameterTable& parameters,
                                        const std::string& prefix) {
  return std::make_unique<ProjectedBranch>(std::move(branch), parameters.at(prefix + "out.weight"));
}

static std::unique_ptr<Mixer> make_attention(const spec::MixerSpec& spec, int64_t d_model,
                                             const ParameterTable& parameters, const std::string& prefix) {
  return projected(make_attention_branch(spec, d_model, parameters, prefix), parameters, prefix);
}

static std::unique_ptr<Mixer> make_mamba2(const spec::MixerSpec& spec, int64_t d_model,
                                          const ParameterTable& parameters, const std::string& prefix) {
  return projected(make_mamba2_branch(spec, d_model, parameters, prefix), parameters, prefix);
}

static std::unique_ptr<Mixer> make_hybrid(const spec::MixerSpec& spec, int64_t d_model,
                                          const ParameterTable& parameters, const std::string& prefix) {
  return std::make_unique<HybridMixer>(dynamic_cast<const spec::HybridSpec&>(spec), d_model, parameters, prefix);
}

std::unique_ptr<Mixer> make_mixer(const spec::MixerSpec& spec, int64_t d_model, const ParameterTable& parameters,
                                  const std::string& prefix) {
#define HYSCALE_MIXER(kind_word, folder, class_prefix) \
  if (spec.kind() == #kind_word) return make_##folder(spec, d_model, parameters, prefix);
#include "core/mixers/list.def"
#undef HYSCALE_MIXER
  throw ShapeError("mixer " + std::string(spec.kind()) + " is in no list");
}

}  // namespace hyscale::model
