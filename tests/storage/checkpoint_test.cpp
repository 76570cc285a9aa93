#include "storage/files/checkpoint.h"

#include <csignal>
#include <gmock/gmock.h>
#include <numeric>
#include <sys/resource.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/storage/flip_bit.h"
#include "tests/support/scratch.h"

namespace hyscale::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using tests::ScratchDirectory;

std::vector<float> numbers(size_t count, float first) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

void write_one(const std::string& path, int64_t step = 7) {
  const std::vector<float> a = numbers(300, 0.25f), b = numbers(64, -3.0f);
  write_checkpoint(path, {.run_id = "r", .run_yaml = "y", .step = step, .tokens = step * 512, .notes = {{"host", "h"}}},
                   {{"weights/layers.0.mixer.q.weight", {20, 15}, a}, {"optimizer/m/norm", {64}, b}});
}

TEST(Checkpoint, GivesEveryArrayBackUnderItsName) {
  const ScratchDirectory dir;
  write_one(dir / "c.h5");
  const CheckpointReader reader(dir / "c.h5");
  EXPECT_EQ(reader.info().step, 7);
  EXPECT_EQ(reader.info().tokens, 7 * 512);
  EXPECT_EQ(reader.info().run_yaml, "y");
  EXPECT_EQ(reader.info().notes.at("host"), "h");
  EXPECT_THAT(reader.names(), ElementsAre("optimizer/m/norm", "weights/layers.0.mixer.q.weight"));
  EXPECT_THAT(reader.shape("weights/layers.0.mixer.q.weight"), ElementsAre(20, 15));
  std::vector<float> back(300);
  reader.read("weights/layers.0.mixer.q.weight", back);
  EXPECT_EQ(back, numbers(300, 0.25f));
  std::vector<float> wrong(299);
  EXPECT_THROW(reader.read("weights/layers.0.mixer.q.weight", wrong), DamagedFile);
  EXPECT_THROW(reader.read("weights/none", back), DamagedFile);
}

TEST(Checkpoint, WithAFlippedBitNamesFileAndArray) {
  const ScratchDirectory dir;
  const std::string path = dir / "c.h5";
  write_one(path);
  const std::vector<float> a = numbers(300, 0.25f);
  const size_t at = read_file(path).find(std::string(reinterpret_cast<const char*>(a.data()), 1200));
  ASSERT_NE(at, std::string::npos);
  flip_bit(path, at + 600);
  try {
    const CheckpointReader reader(path);
    FAIL() << "an altered weight was not noticed";
  } catch (const DamagedFile& e) {
    EXPECT_THAT(e.what(), HasSubstr(path));
    EXPECT_THAT(e.what(), HasSubstr("/weights/layers.0.mixer.q.weight"));
  }
}

TEST(Checkpoint, ThatIsCutShortOrEmptyIsDamaged) {
  const ScratchDirectory dir;
  const std::string path = dir / "c.h5";
  write_one(path);
  const size_t bytes = std::filesystem::file_size(path);
  for (const size_t left : {bytes - 1, bytes - 33, bytes / 2, size_t{100}, size_t{0}}) {
    std::filesystem::resize_file(path, left);
    EXPECT_THROW(CheckpointReader{path}, DamagedFile) << left << " of " << bytes;
  }
}

TEST(Checkpoint, OnAFullDiskSaysSoAndLeavesTheOldOneAlone) {
  const ScratchDirectory dir;
  const std::string path = dir / "c.h5";
  write_one(path, 7);
  // a limit on file sizes makes write(2) fail half-way, as a full disk does
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{2048, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(write_one(path, 8), IoError);
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(CheckpointReader(path).info().step, 7);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(Checkpoint, KeepsTheNewestAndThePinned) {
  const ScratchDirectory dir;
  const RunDirectory run{dir.path()};
  std::filesystem::create_directories(run.checkpoints());
  for (const int64_t step : {10, 20, 30, 40, 50}) write_one(checkpoint_path(run, step), step);
  write_file_atomically(run.checkpoints() + "/step-0000.h5.tmp-host-1", "half");
  write_pinned(run, {10, 60});
  remove_old_checkpoints(run, 2);
  EXPECT_THAT(list_checkpoints(run), ElementsAre(10, 40, 50));
  remove_leftovers(run);
  EXPECT_FALSE(std::filesystem::exists(run.checkpoints() + "/step-0000.h5.tmp-host-1"));
  EXPECT_THAT(read_pinned(run), ElementsAre(10, 60));
}

}  // namespace
}  // namespace hyscale::storage
