#include "parallel/cpu_check.h"

#include <fmt/format.h>
#include <string_view>

#include "core/base/error.h"
#include "core/kernels/instruction_set.h"
#include "parallel/execution.h"

namespace hyscale::parallel {

static bool can_run([[maybe_unused]] std::string_view instruction_set) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (instruction_set == "x86-64-v2") return __builtin_cpu_supports("x86-64-v2");
  if (instruction_set == "x86-64-v3") return __builtin_cpu_supports("x86-64-v3");
  if (instruction_set == "x86-64-v4") return __builtin_cpu_supports("x86-64-v4");
#endif
  return true;
}

void check_cpu() {
  const char* needed = kernels::instruction_set();
  if (can_run(needed)) return;
  throw ConfigError({.what = fmt::format("this CPU ({}) cannot run kernels compiled for {}", cpu_model(), needed),
                     .remedy = "build for it: cmake --preset release -DHYSCALE_ARCH=x86-64 (or native)"});
}

}  // namespace hyscale::parallel
