#include "parallel/gemm_yardstick.h"

#include <fmt/format.h>
#include <functional>
#include <omp.h>
#include <random>
#include <vector>

#include "core/base/clock.h"
#include "core/kernels/gemm.h"

#ifdef HYSCALE_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace hyscale::parallel {
namespace yardstick {  // with a name: GemmYardstick::Threads holds these types

constexpr int64_t kSize = 1024;
constexpr double kFlops = 2.0 * kSize * kSize * kSize;
constexpr double kSeconds = 0.12;  // of one measurement

static double now() { return Clock::system().steady_seconds(); }

static void fill(const Tensor& matrix, std::mt19937_64& random) {
  std::uniform_real_distribution<float> any(-1, 1);
  for (int64_t row = 0; row < matrix.extent(0); ++row)
    std::generate_n(matrix.select(0, row).as<float>(), matrix.extent(1), [&] { return any(random); });
}

/// out = a · bᵀ as in a layer's forward pass; rows laid as the model lays them.
struct Product {
  Arena memory;
  Tensor a = memory.matrix(DType::f32, kSize, kSize), b = memory.matrix(DType::f32, kSize, kSize),
         out = memory.matrix(DType::f32, kSize, kSize);

  explicit Product(uint64_t seed) {
    std::mt19937_64 random(seed);
    fill(a, random);
    fill(b, random);
  }
  void ours() const { kernels::gemm({.out = out, .a = a, .b = b, .transpose_b = true}, Exec{}); }
};

#ifdef HYSCALE_ONEDNN

/// Uses oneDNN's matmul primitive; made and used on one thread, with one OpenMP thread inside.
class Library {
 public:
  explicit Library(const Product& p)
      : primitive_(
            dnnl::matmul::primitive_desc({describe(p.a, false), describe(p.b, true), describe(p.out, false)}, engine_)),
        a_(describe(p.a, false), engine_, p.a.data()),
        b_(describe(p.b, true), engine_, p.b.data()),
        out_(describe(p.out, false), engine_, p.out.data()) {}
  void multiply() {
    primitive_.execute(stream_, {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, out_}});
    stream_.wait();
  }

 private:
  static dnnl::memory::desc describe(const Tensor& t, bool turned) {
    const int64_t row = t.stride(0);
    return {
        {kSize, kSize}, dnnl::memory::data_type::f32, turned ? dnnl::memory::dims{1, row} : dnnl::memory::dims{row, 1}};
  }
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul primitive_;
  dnnl::memory a_, b_, out_;
};

#else

struct Library {
  explicit Library(const Product&) {}
  void multiply() {}
};

#endif

}  // namespace yardstick

struct GemmYardstick::Threads {
  struct Thread {
    yardstick::Product product;
    yardstick::Library library;
    explicit Thread(uint64_t seed) : product(seed), library(product) {}
  };
  std::vector<std::unique_ptr<Thread>> all;
};

GemmYardstick::GemmYardstick() : threads_(std::make_unique<Threads>()) {
  for (int t = 0; t < omp_get_max_threads(); ++t)
    threads_->all.push_back(std::make_unique<Threads::Thread>(static_cast<uint64_t>(t)));
}
GemmYardstick::~GemmYardstick() = default;

GemmYardstick::Rates GemmYardstick::measure() const {
  const auto rate_of = [&](const std::function<void(Threads::Thread&)>& multiply) {
    double total = 0;
#pragma omp parallel num_threads(static_cast <int>(threads_->all.size())) reduction(+ : total)
    {
      omp_set_num_threads(1);  // inside this thread: a product is its own affair
      Threads::Thread& mine = *threads_->all[static_cast<size_t>(omp_get_thread_num())];
      const double begin = yardstick::now();
      double end = begin;
      int products = 0;
      for (; end - begin < yardstick::kSeconds; end = yardstick::now(), ++products) multiply(mine);
      total += yardstick::kFlops * products / (end - begin);
    }
    return total;
  };
  const int threads = omp_get_max_threads();
  Rates rates{.ours = rate_of([](Threads::Thread& t) { t.product.ours(); })};
  if (!library_name().empty()) rates.library = rate_of([](Threads::Thread& t) { t.library.multiply(); });
  omp_set_num_threads(threads);  // the calling thread took part
  return rates;
}

std::string GemmYardstick::library_name() {
#ifdef HYSCALE_ONEDNN
  const dnnl_version_t* v = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", v->major, v->minor, v->patch);
#else
  return "";
#endif
}

}  // namespace hyscale::parallel
