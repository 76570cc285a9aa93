#include "core/tensor/memory.h"

#include <gtest/gtest.h>

#include "core/tensor/parallel_for.h"

namespace hyscale {
namespace {

TEST(Arena, HandsOutAlignedMemoryThatNeverMoves) {
  Arena arena;
  const Tensor first = arena.zeroed(DType::f32, {3});
  const Tensor big = arena.tensor(DType::f32, {1 << 20});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first.data()) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(big.data()) % 64, 0u);
  EXPECT_EQ((first.view<float, 1>()(2)), 0.0f);
}

TEST(Arena, StopsGrowingOnceAStepHasShownItsPeak) {
  Arena arena;
  const auto step = [&] {
    const Arena::Mark start = arena.mark();
    for (int i = 0; i < 40; ++i) arena.tensor(DType::f32, {50'000});
    arena.release(start);
  };
  step();
  const size_t peak = arena.reserved_bytes();
  for (int i = 0; i < 5; ++i) step();
  EXPECT_EQ(arena.reserved_bytes(), peak);
}

TEST(Arena, BecomesOneBlockOfTheSizeThatWasNeeded) {
  Arena arena;
  const Arena::Mark start = arena.mark();
  arena.tensor(DType::f32, {300'000});
  arena.tensor(DType::f32, {500'000});  // does not fit behind the first
  arena.release(start);
  EXPECT_EQ(arena.reserved_bytes(), 3'200'000u);
}

TEST(Arena, KeepsTheRowsOfAMatrixOffRoundNumbersOfKiB) {
  Arena arena;
  for (const int64_t width : {1, 255, 256, 512, 1024, 1100}) {
    const Tensor matrix = arena.matrix(DType::f32, 3, width);
    EXPECT_EQ(matrix.shape(), (Shape{3, width}));
    EXPECT_NE(matrix.stride(0) * 4 % 1024, 0) << width;
    EXPECT_LE(matrix.stride(0), width + 16) << width;
  }
}

TEST(Arena, AScopeGivesItsScratchBack) {
  Arena arena;
  void* scratch = nullptr;
  {
    const Arena::Scope scope(arena);
    scratch = arena.tensor(DType::f32, {100}).data();
  }
  EXPECT_EQ(arena.tensor(DType::f32, {100}).data(), scratch);
}

/// Gives memory that grows in place, up to a MiB.
class GrowingSource final : public MemorySource {
 public:
  Device device() const override { return Device::cpu; }
  size_t alignment() const override { return 64; }
  void* take(size_t bytes) override { return host_memory().take(bytes); }
  void give_back(void* memory) noexcept override { host_memory().give_back(memory); }
  void zero(void* memory, size_t bytes) override { host_memory().zero(memory, bytes); }
  std::unique_ptr<GrowingMemory> growing() override { return std::make_unique<Piece>(); }

 private:
  struct Piece final : GrowingMemory {
    void* data() const override { return all.data(); }
    size_t size() const override { return used; }
    void grow(size_t bytes) override { used = bytes; }
    Buffer all{size_t{1} << 20};
    size_t used = 0;
  };
};

TEST(Arena, KeepsWhatWorkHadGivenBackUntilMoreIsGivenBack) {
  GrowingSource source;
  Arena arena(source);
  const Arena::Mark start = arena.mark();
  const auto* const begin = static_cast<std::byte*>(arena.tensor(DType::f32, {16}).data());
  const std::byte* kept = nullptr;
  arena.keep_all_of([&] {
    kept = static_cast<std::byte*>(arena.tensor(DType::f32, {16}).data());
    const Arena::Scope scratch(arena);
    arena.tensor(DType::f32, {48});
  });
  EXPECT_EQ(kept - begin, 64);
  EXPECT_EQ(static_cast<std::byte*>(arena.tensor(DType::f32, {16}).data()) - begin, 64 + 64 + 192);
  arena.release(start);
  EXPECT_EQ(static_cast<std::byte*>(arena.tensor(DType::f32, {16}).data()), begin);
}

TEST(ParallelFor, CoversEveryIndexOnceInBlocksOfTheGrain) {
  std::vector<int> seen(1001);
  parallel_for(1001, 64, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(begin % 64, 0);
    for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
  });
  EXPECT_EQ(seen, std::vector<int>(1001, 1));
}

}  // namespace
}  // namespace hyscale
