#pragma once

namespace hyscale::parallel {

/// Throws ConfigError when this CPU lacks the instructions that the kernels in use were compiled for.
void check_cpu();

}  // namespace hyscale::parallel
