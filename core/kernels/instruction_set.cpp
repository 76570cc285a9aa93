#include "core/kernels/instruction_set.h"

#ifndef HYSCALE_INSTRUCTION_SET
#define HYSCALE_INSTRUCTION_SET "generic"
#endif

namespace hyscale::kernels {

const char* instruction_set() { return HYSCALE_INSTRUCTION_SET; }

}  // namespace hyscale::kernels
