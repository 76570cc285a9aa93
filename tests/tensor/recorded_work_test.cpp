#include <gtest/gtest.h>

#include "core/tensor/device_context.h"

namespace hyscale {
namespace {

/// Counts what is recorded and replayed; replays by doing the work again.
class CountingContext final : public DeviceContext {
 public:
  Device device() const override { return Device::cpu; }
  std::string name() const override { return "counting"; }
  DeviceFacts facts() const override { return {}; }
  MemorySource& memory() override { return host_memory(); }
  MemoryUse memory_use() const override { return {}; }
  void upload(const Tensor&, const void*) override {}
  void download(void*, const Tensor&) override {}
  void synchronise() override {}
  void side_by_side(const std::function<void()>&, const std::function<void()>&) override {}
  bool can_record() const override { return true; }
  std::unique_ptr<Recording> record(const std::function<void()>&) override {
    ++recorded;
    return std::make_unique<Counted>(*this);
  }
  void time_recordings() override {}
  RecordingTime recording_time() override { return {}; }
  void time_operations() override { timing = true; }
  bool times_operations() const override { return timing; }
  std::vector<OperationTime> operation_times() override {
    timing = false;
    return {};
  }

  int recorded = 0, replayed = 0;
  bool timing = false;

 private:
  struct Counted final : Recording {
    explicit Counted(CountingContext& of) : context(of) {}
    void replay() override { ++context.replayed; }
    CountingContext& context;
  };
};

struct Counts {
  int ran = 0, recorded = 0, replayed = 0;
  bool operator==(const Counts&) const = default;
};

class RecordedWorkTest : public testing::Test {
 protected:
  Counts run() {
    work_.run(context_, arena_, [this] { ++ran_; });
    return {ran_, context_.recorded, context_.replayed};
  }

  CountingContext context_;
  Arena arena_;
  RecordedWork work_;
  int ran_ = 0;
};

TEST_F(RecordedWorkTest, RunsFirstIsRecordedSecondAndReplayedFromThenOn) {
  EXPECT_EQ(run(), (Counts{.ran = 1}));
  EXPECT_EQ(run(), (Counts{.ran = 1, .recorded = 1, .replayed = 1}));
  EXPECT_EQ(run(), (Counts{.ran = 1, .recorded = 1, .replayed = 2}));
}

TEST_F(RecordedWorkTest, BeginsAnewWhenTheArenasMemoryMoves) {
  run();
  run();
  const int64_t before = arena_.generation();
  {
    const Arena::Scope scope(arena_);
    arena_.tensor(DType::f32, {1});
    arena_.tensor(DType::f32, {1 << 20});  // a second block: both become one when they are given back
  }
  ASSERT_NE(arena_.generation(), before);
  EXPECT_EQ(run(), (Counts{.ran = 2, .recorded = 1, .replayed = 1}));
  EXPECT_EQ(run(), (Counts{.ran = 2, .recorded = 2, .replayed = 2}));
}

TEST_F(RecordedWorkTest, BeginsAnewWhenToldToForget) {
  run();
  run();
  work_.forget();
  EXPECT_EQ(run(), (Counts{.ran = 2, .recorded = 1, .replayed = 1}));
  EXPECT_EQ(run(), (Counts{.ran = 2, .recorded = 2, .replayed = 2}));
}

TEST_F(RecordedWorkTest, RunsByItselfWhileOperationsAreTimedAndKeepsItsRecording) {
  run();
  run();
  context_.time_operations();
  EXPECT_EQ(run(), (Counts{.ran = 2, .recorded = 1, .replayed = 1}));
  context_.operation_times();
  EXPECT_EQ(run(), (Counts{.ran = 2, .recorded = 1, .replayed = 2}));
}

}  // namespace
}  // namespace hyscale
