#pragma once

namespace hyscale::kernels {

/// What the kernels in use were compiled for: "x86-64-v3" (AVX2), "x86-64-v4" (AVX-512), or "generic".
const char* instruction_set();

}  // namespace hyscale::kernels
