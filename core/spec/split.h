#pragma once

#include "core/base/error.h"
#include "core/spec/run_config.h"

namespace hyscale::spec {

/// The mixer that rank `shard` computes: the block's own, or its part.
std::shared_ptr<const MixerSpec> mixer_part(const BlockConfig& block, Shard shard);

/// The first reason why `tp` ranks cannot share the model; "" when they can.
std::string split_problem(const ModelConfig& model, int64_t tp);

/// Throws ConfigError that names everything for which `tp` tensor-parallel ranks are too many, and a number that is
/// not.
void check_split(const ModelConfig& model, int64_t tp);

}  // namespace hyscale::spec
