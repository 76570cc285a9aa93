#include "tests/kernels/cuda/twin.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <random>

#include "core/base/error.h"
#include "core/tensor/cuda/cuda_context.h"
#include "core/tensor/memory.h"

namespace hyscale::tests {

// In every floating-point type four, or eight, or two of these bytes are NaN; in i32 they are -1.
static constexpr int kPoison = 0xFF;
static constexpr int64_t kGuardBytes = 256;  // before and after each tensor; keeps what GPU memory is aligned to
static constexpr int64_t kScratchBytes = int64_t{256} << 20;

namespace {

// One for all tests of the process: opening a GPU takes longer than most of them.
struct Gpu {
  CudaContext context{CudaOptions{}};
  Arena arena{context.memory()};
};

std::unique_ptr<Gpu>& gpu_slot() {
  static std::unique_ptr<Gpu> gpu;
  return gpu;
}

Gpu& gpu() {
  if (gpu_slot() == nullptr) gpu_slot() = std::make_unique<Gpu>();
  return *gpu_slot();
}

void fill_with_poison(void* memory, int64_t bytes) {
  check_cuda(cudaMemsetAsync(memory, kPoison, static_cast<size_t>(bytes), gpu().context.stream()),
             "poisoning GPU memory");
}

void poison_scratch() {
  const Arena::Scope scope(gpu().arena);
  const int64_t bytes = std::max(kScratchBytes, static_cast<int64_t>(gpu().arena.reserved_bytes()));
  fill_with_poison(gpu().arena.tensor(DType::f32, {bytes / 4}).data(), bytes);
}

uint64_t seed_of_run() {
  const char* const asked = std::getenv("HYSCALE_TWIN_SEED");
  return asked == nullptr ? 1 : std::strtoull(asked, nullptr, 10);
}

int64_t count_of(const Shape& shape) {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return n;
}

double load(const std::byte* from, DType dtype) {
  const auto as = [&]<class T>(T value) {
    std::memcpy(&value, from, sizeof(T));
    return value;
  };
  if (dtype == DType::bf16) return static_cast<double>(to_float(as(bf16{})));
  if (dtype == DType::f32) return static_cast<double>(as(float{}));
  return dtype == DType::f64 ? as(double{}) : static_cast<double>(as(int32_t{}));
}

void store(std::byte* to, DType dtype, double value) {
  const auto as = [&](auto rounded) { std::memcpy(to, &rounded, sizeof(rounded)); };
  if (dtype == DType::bf16)
    as(to_bf16(static_cast<float>(value)));
  else if (dtype == DType::f32)
    as(static_cast<float>(value));
  else if (dtype == DType::f64)
    as(value);
  else
    as(static_cast<int32_t>(value));
}

std::string place_of(const Shape& shape, int64_t entry) {
  std::vector<int64_t> at(shape.size());
  for (size_t a = shape.size(); a-- > 0;) {
    at[a] = entry % shape[a];
    entry /= shape[a];
  }
  return fmt::format("[{}]", fmt::join(at, ", "));
}

// How far GPU values are from the CPU's.
struct Distance {
  double relative_l2 = 0;
  double worst = 0;  // one entry's, relative to its own size plus the root mean square
  int64_t worst_entry = 0;
};

Distance distance(const std::vector<double>& gpu_values, const std::vector<double>& cpu_values) {
  double off = 0, size = 0;
  std::vector<double> differences(cpu_values.size());
  for (size_t i = 0; i < cpu_values.size(); ++i) {
    const bool same = gpu_values[i] == cpu_values[i];  // infinities too
    const double difference = same ? 0 : std::abs(gpu_values[i] - cpu_values[i]);
    differences[i] = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
    off += differences[i] * differences[i];
    if (std::isfinite(cpu_values[i])) size += cpu_values[i] * cpu_values[i];
  }
  const double norm = std::sqrt(size) + 1e-30;
  const double typical = norm / std::sqrt(static_cast<double>(std::max<size_t>(cpu_values.size(), 1)));
  Distance d{.relative_l2 = std::sqrt(off) / norm};
  for (size_t i = 0; i < differences.size(); ++i) {
    const double own = std::isfinite(cpu_values[i]) ? std::abs(cpu_values[i]) : 0;
    const double relative = differences[i] / (own + typical);
    if (relative > d.worst) d.worst = relative, d.worst_entry = static_cast<int64_t>(i);
  }
  return d;
}

}  // namespace

struct Twin::Entry {
  std::string name;
  Role role = Role::input;
  DType gpu_dtype = DType::f32, cpu_dtype = DType::f64;
  Shape shape;
  int64_t rows = 1, width = 1, first = 0, row = 1;
  std::vector<double> values;          // before the run; empty: poison
  std::vector<std::byte> before, now;  // the GPU's memory, guards and all
  OwnedTensor cpu;
  Buffer memory;
  Tensor gpu;

  int64_t bytes_of_one() const { return static_cast<int64_t>(size_of(gpu_dtype)); }
  // of entry i, row-major, in before and now
  int64_t offset(int64_t i) const { return kGuardBytes + (i / width * row + first + i % width) * bytes_of_one(); }
  int64_t count() const { return rows * width; }
  std::vector<double> gpu_values() const;
  std::vector<double> cpu_values() const;
  void restore_cpu() const;
};

std::vector<double> Twin::Entry::gpu_values() const {
  std::vector<double> result(static_cast<size_t>(count()));
  for (int64_t i = 0; i < count(); ++i) result[static_cast<size_t>(i)] = load(now.data() + offset(i), gpu_dtype);
  return result;
}

std::vector<double> Twin::Entry::cpu_values() const {
  std::vector<double> result(static_cast<size_t>(count()));
  const auto* const from = static_cast<const std::byte*>(cpu.tensor().data());
  const size_t step = size_of(cpu_dtype);
  for (size_t i = 0; i < result.size(); ++i) result[i] = load(from + i * step, cpu_dtype);
  return result;
}

void Twin::Entry::restore_cpu() const {
  auto* const to = static_cast<std::byte*>(cpu.tensor().data());
  const size_t step = size_of(cpu_dtype), n = static_cast<size_t>(count());
  if (values.empty()) std::memset(to, kPoison, n * step);
  for (size_t i = 0; i < values.size(); ++i) store(to + i * step, cpu_dtype, values[i]);
}

Tensor Side::operator()(TwinTensor tensor) const {
  if (tensor.index == SIZE_MAX) return {};
  const Twin::Entry& entry = *twin_.entries_.at(tensor.index);
  return exec_.device == Device::cuda ? entry.gpu : entry.cpu.tensor();
}

DType Side::dtype() const { return exec_.device == Device::cuda ? twin_.dtype_ : DType::f64; }

Twin::Twin(DType dtype) : dtype_(dtype), seed_(seed_of_run()) {}
Twin::~Twin() = default;

TwinTensor Twin::add(Role role, const std::string& name, DType gpu_dtype, DType cpu_dtype, const Shape& shape,
                     const TwinOptions& options, std::vector<double> values) {
  auto entry = std::make_unique<Entry>();
  Entry& e = *entry;
  e.name = name, e.role = role, e.gpu_dtype = gpu_dtype, e.cpu_dtype = cpu_dtype, e.shape = shape;
  e.rows = shape.size() > 1 ? shape[0] : 1;
  for (size_t a = shape.size() > 1 ? 1 : 0; a < shape.size(); ++a) e.width *= shape[a];
  e.first = options.window.first;
  e.row = options.window.row == 0 ? e.first + e.width : options.window.row;
  if (e.first + e.width > e.row) throw ShapeError(name + ": its window is wider than the rows it lies in");
  if (role != Role::output && static_cast<int64_t>(values.size()) != e.count())
    throw ShapeError(fmt::format("{}: {} values for {} entries", name, values.size(), e.count()));
  const int64_t bytes = (2 * kGuardBytes + e.rows * e.row * e.bytes_of_one() + 3) / 4 * 4;  // all_bytes counts in fours
  e.before.assign(static_cast<size_t>(bytes), static_cast<std::byte>(kPoison));
  for (size_t i = 0; i < values.size(); ++i) {
    std::byte* const at = e.before.data() + e.offset(static_cast<int64_t>(i));
    store(at, gpu_dtype, values[i]);
    values[i] = load(at, gpu_dtype);
  }
  e.values = std::move(values);
  e.cpu = OwnedTensor(cpu_dtype, shape);
  e.memory = Buffer::uninitialised(static_cast<size_t>(bytes), gpu().context.memory());
  e.gpu = Tensor(static_cast<std::byte*>(e.memory.data()) + kGuardBytes, gpu_dtype, Device::cuda, {e.rows, e.row})
              .slice(1, e.first, e.width);
  e.gpu = e.count() > 0 ? e.gpu.reshape(shape) : Tensor(e.gpu.data(), gpu_dtype, Device::cuda, shape);
  entries_.push_back(std::move(entry));
  return {entries_.size() - 1};
}

TwinTensor Twin::add(Role role, const std::string& name, const Shape& shape, const TwinOptions& options,
                     std::vector<double> values) {
  const DType wide_one = options.holds == Holds::f64 ? DType::f64 : DType::f32;
  return add(role, name, options.holds == Holds::activations ? dtype_ : wide_one,
             options.holds == Holds::f32 ? DType::f32 : DType::f64, shape, options, std::move(values));
}

std::vector<double> Twin::random(const Shape& shape, double low, double high) {
  std::mt19937_64 generator(seed_ * 1000003 + entries_.size());
  std::vector<double> values(static_cast<size_t>(count_of(shape)));
  for (double& value : values) value = low + (high - low) * static_cast<double>(generator() >> 11) * 0x1p-53;
  return values;
}

TwinTensor Twin::input(const std::string& name, const Shape& shape, const TwinOptions& options) {
  return add(Role::input, name, shape, options, random(shape, options.low, options.high));
}

TwinTensor Twin::given(const std::string& name, const Shape& shape, const std::vector<double>& values,
                       const TwinOptions& options) {
  return add(Role::input, name, shape, options, values);
}

TwinTensor Twin::integers(const std::string& name, const Shape& shape, int32_t below) {
  std::vector<double> values = random(shape, 0, below);
  for (double& value : values) value = std::floor(value);
  return add(Role::input, name, DType::i32, DType::i32, shape, {}, std::move(values));
}

TwinTensor Twin::integers(const std::string& name, const Shape& shape, const std::vector<int32_t>& values) {
  return add(Role::input, name, DType::i32, DType::i32, shape, {}, std::vector<double>(values.begin(), values.end()));
}

TwinTensor Twin::output(const std::string& name, const Shape& shape, const TwinOptions& options) {
  return add(Role::output, name, shape, options, {});
}

TwinTensor Twin::updated(const std::string& name, const Shape& shape, const TwinOptions& options) {
  return add(Role::updated, name, shape, options, random(shape, options.low, options.high));
}

static Tensor all_bytes(const Buffer& memory) {
  return Tensor(memory.data(), DType::i32, Device::cuda, {static_cast<int64_t>(memory.size() / 4)});
}

void Twin::upload() {
  for (const auto& entry : entries_) gpu().context.upload(all_bytes(entry->memory), entry->before.data());
}

void Twin::download() {
  for (const auto& entry : entries_) {
    entry->now.assign(entry->before.size(), static_cast<std::byte>(kPoison));
    gpu().context.download(entry->now.data(), all_bytes(entry->memory));
  }
}

bool Twin::run_on_gpu(const char* how, bool recorded, const std::function<void(const Side&)>& work) {
  Gpu& device = gpu();
  try {
    upload();
    poison_scratch();
    const Arena::Scope scope(device.arena);
    const Side side(*this, {.device = Device::cuda, .arena = &device.arena, .context = &device.context});
    if (recorded) {
      const std::unique_ptr<Recording> recording = device.context.record([&] { work(side); });
      recording->replay();
      device.context.synchronise();
    } else {
      work(side);
    }
    download();
    return true;
  } catch (const std::exception& e) {
    fail(fmt::format("{}: {}", how, e.what()));
    return false;
  }
}

void Twin::run(const std::function<void(const Side&)>& work) {
  for (const auto& entry : entries_) entry->restore_cpu();
  Arena host;
  work(Side(*this, {.device = Device::cpu, .arena = &host, .context = &host_context()}));
  std::vector<std::vector<std::byte>> first;
  if (!run_on_gpu("on the GPU", false, work)) return;
  check_guards();
  for (const auto& entry : entries_) first.push_back(entry->now);
  for (const bool recorded : {false, true}) {
    const char* const how = recorded ? "recorded and replayed" : "done again";
    if (!run_on_gpu(how, recorded, work)) return;
    for (size_t e = 0; e < entries_.size(); ++e)
      if (entries_[e]->now != first[e]) fail(fmt::format("{}: other bits when {}", entries_[e]->name, how));
  }
  for (size_t e = 0; e < entries_.size(); ++e) entries_[e]->now = first[e];
  ran_ = true;
}

// Everything but the entries of what the kernel may write.
void Twin::check_guards() const {
  for (const auto& entry : entries_) {
    std::vector<std::byte> expected = entry->before;
    if (entry->role != Role::input)
      for (int64_t i = 0; i < entry->count(); ++i)
        std::memcpy(expected.data() + entry->offset(i), entry->now.data() + entry->offset(i),
                    static_cast<size_t>(entry->bytes_of_one()));
    const auto [wanted, found] = std::mismatch(expected.begin(), expected.end(), entry->now.begin());
    if (wanted == expected.end()) continue;
    const int64_t row = std::max<int64_t>(entry->row, 1),
                  element = (wanted - expected.begin() - kGuardBytes) / entry->bytes_of_one();
    fail(fmt::format("{}: {} was written, at row {}, column {} of its window (its rows lie {} apart)", entry->name,
                     entry->role == Role::input ? "this input or memory around it" : "memory around it", element / row,
                     element % row - entry->first, row));
  }
}

std::vector<double> Twin::gpu_values(TwinTensor tensor) const {
  return ran_ ? entries_.at(tensor.index)->gpu_values() : std::vector<double>();
}

std::vector<double> Twin::cpu_values(TwinTensor tensor) const { return entries_.at(tensor.index)->cpu_values(); }

void Twin::expect_close(const Tolerances& tolerances) const {
  for (size_t e = 0; e < entries_.size(); ++e)
    if (entries_[e]->role != Role::input) expect_close(TwinTensor{e}, tolerances);
}

void Twin::expect_close(TwinTensor tensor, const Tolerances& tolerances) const {
  if (!ran_) return;  // and `run` said why
  const Entry& e = *entries_.at(tensor.index);
  const std::vector<double> on_gpu = e.gpu_values(), on_cpu = e.cpu_values();
  const double allowed = dtype_ == DType::bf16 ? tolerances.bf16 : tolerances.f32;
  const Distance d = distance(on_gpu, on_cpu);
  if (d.relative_l2 <= allowed && d.worst <= allowed * tolerances.worst) return;
  const auto at = static_cast<size_t>(d.worst_entry);
  fail(
      fmt::format("{} {}: relative l2 {:.3g} (allowed {:.3g}), worst entry off by {:.3g} (allowed {:.3g}) at {}: GPU "
                  "{:.9g}, CPU {:.9g}",
                  e.name, e.gpu.describe(), d.relative_l2, allowed, d.worst, allowed * tolerances.worst,
                  place_of(e.shape, d.worst_entry), on_gpu[at], on_cpu[at]));
}

void Twin::fail(const std::string& what) const {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  ADD_FAILURE() << what << "\n  again: HYSCALE_TWIN_SEED=" << seed_ << ' '
                << std::filesystem::read_symlink("/proc/self/exe").string()
                << " --gtest_filter=" << test.test_suite_name() << '.' << test.name();
}

void TwinTest::SetUp() {
  if (cuda_devices() == 0) GTEST_SKIP() << "no GPU that CUDA can use is here";
}

void close_gpu() { gpu_slot().reset(); }

}  // namespace hyscale::tests
