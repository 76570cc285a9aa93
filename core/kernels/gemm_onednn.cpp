#include <array>
#include <bit>
#include <fmt/format.h>
#include <omp.h>
#include <string>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#include "core/kernels/gemm.h"
#include "core/kernels/gemm_library.h"

// The matmul primitive, one thread, AVX2 (peak 88 GFLOP/s): 512×144×48 83 GFLOP/s (OpenBLAS 62), 512×16×16 65 (30),
// 64×64×16 55 (36), 512×704×256 86 (80). A call on a cached primitive costs about 1 µs.
namespace hyscale::kernels {

namespace {

using Dims = dnnl::memory::dims;

dnnl::engine& cpu_engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

using Key = std::array<int64_t, 10>;
struct KeyHash {
  size_t operator()(const Key& key) const {
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (const int64_t part : key) h = (h ^ static_cast<uint64_t>(part)) * 0xff51afd7ed558ccdu, h ^= h >> 29;
    return static_cast<size_t>(h);
  }
};

// A primitive and the three memory objects whose handles move from call to call.
struct Matmul {
  explicit Matmul(const ProductF32& p) {
    using Desc = dnnl::memory::desc;
    constexpr auto f32 = dnnl::memory::data_type::f32;
    const Desc a_desc(Dims{p.m, p.k}, f32, Dims{p.a.row, p.a.col});
    const Desc b_desc(Dims{p.k, p.n}, f32, Dims{p.b.row, p.b.col});
    const Desc out_desc(Dims{p.m, p.n}, f32, Dims{p.out_row, 1});
    dnnl::primitive_attr attributes;
    if (p.alpha != 1) attributes.set_output_scales(0, {p.alpha});
    if (p.accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    const dnnl::matmul::desc desc(a_desc, b_desc, out_desc);
    primitive = dnnl::matmul(dnnl::matmul::primitive_desc(desc, attributes, cpu_engine()));
    a = dnnl::memory(a_desc, cpu_engine(), nullptr);
    b = dnnl::memory(b_desc, cpu_engine(), nullptr);
    out = dnnl::memory(out_desc, cpu_engine(), nullptr);
    arguments = {
        {{DNNL_ARG_SRC, a.get()}, {DNNL_ARG_WEIGHTS, b.get()}, {DNNL_ARG_DST, out.get()}},
    };
  }
  dnnl::matmul primitive;
  dnnl::memory a, b, out;
  std::array<dnnl_exec_arg_t, 3> arguments{};
};

// oneDNN asks OpenMP how many threads it may use; ours are already spread over whole products.
class OneThread {
 public:
  OneThread() : kept_(omp_get_max_threads()) {
    if (kept_ != 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (kept_ != 1) omp_set_num_threads(kept_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int kept_;
};

Matmul& matmul_for(const ProductF32& p) {
  constexpr size_t kMost = 2048;  // evaluation at ever new lengths must not grow it without end
  static thread_local std::unordered_map<Key, Matmul, KeyHash> cache;
  const Key key{p.m,
                p.n,
                p.k,
                p.a.row,
                p.a.col,
                p.b.row,
                p.b.col,
                p.out_row,
                p.accumulate ? 1 : 0,
                std::bit_cast<int32_t>(p.alpha)};
  const auto found = cache.find(key);
  if (found != cache.end()) return found->second;
  if (cache.size() >= kMost) cache.clear();
  return cache.try_emplace(key, p).first->second;
}

}  // namespace

void multiply_by_library(const ProductF32& p) {
  const OneThread guard;
  static thread_local dnnl::stream stream(cpu_engine());
  Matmul& matmul = matmul_for(p);
  // oneDNN only reads through these two
  matmul.a.set_data_handle(const_cast<float*>(p.a.data));
  matmul.b.set_data_handle(const_cast<float*>(p.b.data));
  matmul.out.set_data_handle(p.out);
  dnnl::error::wrap_c_api(dnnl_primitive_execute(matmul.primitive.get(), stream.get(), 3, matmul.arguments.data()),
                          "oneDNN refused a matrix product");
}

const char* gemm_library() {
  static const std::string name = [] {
    const dnnl_version_t* v = dnnl_version();
    return fmt::format("oneDNN {}.{}.{}", v->major, v->minor, v->patch);
  }();
  return name.c_str();
}

}  // namespace hyscale::kernels
