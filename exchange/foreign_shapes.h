#pragma once

#include <memory>

#include "exchange/foreign_config.h"
#include "exchange/homes.h"

namespace hyscale::exchange {

inline constexpr const char* kNoBias = "our projections have no biases";

/// The attention that config.json describes; what ours cannot be goes to `config`. `used`: some layer has it.
std::shared_ptr<spec::AttentionSpec> read_attention(ForeignConfig& config, const HomeRules& home, int64_t d_model,
                                                    bool used);
/// The Mamba-2 that it describes.
std::shared_ptr<spec::Mamba2Spec> read_mamba2(ForeignConfig& config, const HomeRules& home, int64_t d_model);

}  // namespace hyscale::exchange
