#include "core/base/error.h"
#include "core/optim/gpu_adamw.h"

namespace hyscale::optim {

[[noreturn]] static void absent() {
  throw ConfigError(Problem{.what = "this build has no CUDA back end", .remedy = "run with --device cpu"});
}

void gpu_adamw(const GpuAdamWArgs&, const Exec&) { absent(); }
void gpu_sum_of_squares(const Tensor&, const Tensor&, const Exec&) { absent(); }

}  // namespace hyscale::optim
