#include "parallel/kernel_bench.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/kernels/cast.h"
#include "core/kernels/gemm.h"
#include "parallel/gpu_yardstick.h"
#include "parallel/train_bench.h"

namespace hyscale::parallel {
namespace {

/// Median time of one call, in seconds: each call is recorded and replayed by itself, between two events.
double seconds_of(const KernelCase& c, DeviceContext& context, Arena& arena, int repetitions) {
  constexpr int kUntimed = 3;
  const Exec exec{.device = context.device(), .arena = &arena, .context = &context};
  const auto call = [&] {
    const Arena::Scope scratch(arena);
    c.work(exec);
  };
  for (int i = 0; i < kUntimed; ++i) call();
  const std::unique_ptr<Recording> recording = context.record(call);
  recording->replay();
  std::vector<double> seconds;
  for (int i = 0; i < repetitions; ++i) {
    context.time_recordings();
    recording->replay();
    seconds.push_back(context.recording_time().busy);
  }
  return percentile(seconds, 0.5);
}

KernelTime timed(const KernelCase& c, DeviceContext& context, int repetitions) {
  Arena arena(context.memory());
  KernelTime time{.kernel = c.kernel, .shape = c.shape};
  const double seconds = seconds_of(c, context, arena, repetitions);
  time.milliseconds = seconds * 1e3;
  time.moves = c.bytes > 0;
  time.rate = (time.moves ? c.bytes : c.flops) / seconds;
  return time;
}

KernelCase copy_case(DeviceContext& context) {
  constexpr int64_t kBytes = int64_t{2} << 30;
  const auto from = std::make_shared<OwnedTensor>(random_tensor(context, DType::f32, {kBytes / 4}, 1));
  const auto to = std::make_shared<OwnedTensor>(DType::f32, Shape{kBytes / 4}, context.memory());
  KernelCase c;
  c.kernel = "copy";
  c.shape = fmt::format("{} MiB", kBytes >> 20);
  c.bytes = 2.0 * kBytes;
  c.work = [from, to](const Exec& exec) { kernels::cast({.out = *to, .x = *from}, exec); };
  return c;
}

KernelCase product_case(DeviceContext& context) {
  constexpr int64_t kSize = 8192;
  const auto a = std::make_shared<OwnedTensor>(random_tensor(context, DType::bf16, {kSize, kSize}, 1));
  const auto b = std::make_shared<OwnedTensor>(random_tensor(context, DType::bf16, {kSize, kSize}, 2));
  const auto out = std::make_shared<OwnedTensor>(DType::bf16, Shape{kSize, kSize}, context.memory());
  KernelCase c;
  c.kernel = "product";
  c.shape = fmt::format("{0}x{0}x{0}", kSize);
  c.flops = 2.0 * kSize * kSize * kSize;
  c.work = [=](const Exec& exec) { kernels::gemm({.out = *out, .a = *a, .b = *b, .transpose_b = true}, exec); };
  return c;
}

}  // namespace

std::vector<KernelTime> bench_kernels(const KernelBenchPlan& plan, DeviceContext& context,
                                      const std::function<void(const std::string&)>& done) {
  std::vector<KernelTime> times;
  const auto time = [&](const std::string& name, const CaseMaker& make) {
    done(name);
    times.push_back(timed(make(context), context, plan.repetitions));
  };
  time("copy", copy_case);
  time("product", product_case);
  const double copy = times[0].rate, product = times[1].rate;
  for (const NamedCase& named : kernel_cases())
    if (named.kernel.starts_with(plan.kernel)) time(named.kernel, named.make);
  for (KernelTime& t : times) t.share = t.rate / (t.moves ? copy : product);
  return times;
}

}  // namespace hyscale::parallel
