#include "parallel/device.h"

#include <fmt/format.h>
#include <utility>

#include "core/base/error.h"
#include "parallel/cpu_check.h"

namespace hyscale::parallel {
namespace {

void check_precision_on_cpu(spec::Precision precision, const std::string& note) {
  if (precision == spec::Precision::fp32) return;
  throw ConfigError(Problem{.what = "train.precision: the CPU back end computes in fp32 only" +
                                    (note.empty() ? "" : ", and --device auto chose the CPU: " + note),
                            .remedy = "set it with --set train.precision=fp32 (this is another run)"});
}

std::unique_ptr<DeviceContext> open_or_advise(const CudaOptions& options) {
  try {
    return open_cuda(options);
  } catch (const ConfigError& error) {
    Problem problem = error.problems().front();
    problem.remedy += ", or use --device cpu";
    throw ConfigError(std::move(problem));
  }
}

WorkDevice open_gpu(spec::Precision precision, bool deterministic, int ranks) {
  Problems problems;
  if (ranks > 1)
    problems.add({.what = fmt::format("--device cuda: this version trains on one GPU, {} ranks were started", ranks),
                  .remedy = "start one rank, or use --device cpu"});
  problems.throw_if_any();
  WorkDevice work;
  work.gpu = open_or_advise({.index = 0, .deterministic = deterministic});
  work.compute = precision == spec::Precision::fp32 ? DType::f32 : DType::bf16;
  work.float8 = precision == spec::Precision::fp8;
  if (work.float8 && !work.gpu->facts().float8)
    throw ConfigError(
        Problem{.what = fmt::format("train.precision: fp8 needs a GPU of compute capability 8.9 or later, not {}",
                                    work.gpu->name()),
                .remedy = "set it with --set train.precision=bf16 (this is another run)"});
  return work;
}

}  // namespace

WorkDevice open_device(const std::string& device, spec::Precision precision, bool deterministic, int ranks) {
  check_cpu();
  if (device == "cuda" || (device == "auto" && cuda_devices() > 0 && ranks == 1))
    return open_gpu(precision, deterministic, ranks);
  WorkDevice work;
  if (device == "auto")
    work.note = cuda_devices() > 0 ? "one GPU serves one rank in this version" : "no GPU that CUDA can use is here";
  check_precision_on_cpu(precision, work.note);
  return work;
}

}  // namespace hyscale::parallel
