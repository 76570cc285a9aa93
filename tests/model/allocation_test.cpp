// Counts what a training step takes from the heap, by standing in front of the C library's malloc.
#include <atomic>
#include <gtest/gtest.h>

#include "core/model/model.h"
#include "core/optim/adamw.h"
#include "tests/model/stacks.h"
#include "tests/support/documents.h"
#include "tests/support/threads.h"

namespace {
std::atomic<int64_t> allocations{0};
}

extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) noexcept {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) noexcept {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) noexcept {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
}

namespace hyscale::model::tests {

class Allocation : public ::testing::TestWithParam<Stack> {};

TEST_P(Allocation, HappensInNoTrainingStepAfterTheFirst) {
  const hyscale::tests::ThreadCount threads(2);
  Model model(GetParam().config, DType::f32);
  model.parameters().initialise(5);
  Batch batch(2, 150, GetParam().config.vocabulary, 3);
  batch.documents = hyscale::tests::documents_at(2, 150, {20, 21, 100});
  const Tensor weights = model.parameters().weights(), gradients = model.parameters().gradients();
  const OwnedTensor m(DType::f32, weights.shape()), v(DType::f32, weights.shape());
  const auto step = [&](int64_t index) {
    model.forward_backward(batch.tokens(), 1.0 / 300);
    const auto values = [](const Tensor& t) { return t.view<float, 1>(); };
    const auto gradient = values(gradients);
    optim::sum_of_squares({gradient.data, gradient.extents, gradient.strides});
    optim::adamw({.weights = values(weights),
                  .gradients = {gradient.data, gradient.extents, gradient.strides},
                  .m = values(m),
                  .v = values(v),
                  .lr = 1e-3,
                  .step = index});
    model.parameters().clear_gradients();
  };
  const int64_t at_first = allocations;
  step(1);
  EXPECT_GT(allocations, at_first) << "the counter counts nothing";
  step(2);  // threads may have met other tasks
  const int64_t before = allocations;
  for (int64_t index = 3; index < 6; ++index) step(index);
  EXPECT_EQ(allocations - before, 0);
}

INSTANTIATE_TEST_SUITE_P(Stacks, Allocation, ::testing::ValuesIn(stacks()),
                         [](const auto& stack) { return stack.param.name; });

}  // namespace hyscale::model::tests
