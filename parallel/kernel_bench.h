#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor/device_context.h"

namespace hyscale::parallel {

/// One kernel at one shape, and what it moves or computes at least.
struct KernelCase {
  std::string kernel;                       // "rms_norm"
  std::string shape;                        // "32768x2048"
  double bytes = 0;                         // read and written at least, where memory bounds it; else 0
  double flops = 0;                         // where products bound it; else 0
  std::function<void(const Exec&)> work{};  // enqueues it on random data; memory it needs lives inside
};

struct KernelTime {
  std::string kernel, shape;
  double milliseconds = 0;  // median
  double rate = 0;          // bytes or FLOPs per second
  bool moves = true;        // rate is of bytes
  double share = 0;         // of the copy's rate, or of the products', in this run
};

/// The kernels at the shapes of the 1B models: 32,768 tokens, vocabulary 32,768, bf16. A case takes its memory when it
/// is made, so that cases are made one by one.
using CaseMaker = std::function<KernelCase(DeviceContext&)>;
struct NamedCase {
  std::string kernel;
  CaseMaker make;
};
std::vector<NamedCase> kernel_cases();

struct KernelBenchPlan {
  std::string kernel;    // only those whose name begins so; empty: all
  int repetitions = 20;  // timed, each by itself
};

/// Times each case by the GPU's own clock behind three untimed calls. A copy by a kernel (not by the copy engine,
/// which is slower) and the largest product come first, as what the others are compared with. `done(kernel)` is called
/// before each case.
std::vector<KernelTime> bench_kernels(const KernelBenchPlan& plan, DeviceContext& context,
                                      const std::function<void(const std::string&)>& done);

}  // namespace hyscale::parallel
