#include "core/base/files.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/support/scratch.h"

namespace hyscale {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

class Files : public testing::Test {
 protected:
  std::string in(const std::string& name) const { return dir_ / name; }
  tests::ScratchDirectory dir_;
};

TEST_F(Files, AnAtomicWriteReplacesTheWholeContentAndLeavesNoTemporaryFile) {
  write_file_atomically(in("a"), "a longer first content");
  write_file_atomically(in("a"), "second");
  EXPECT_EQ(read_file(in("a")), "second");
  EXPECT_THAT(dir_.entries(), testing::ElementsAre("a"));
}

TEST_F(Files, AMissingFileIsNamedWithARemedy) {
  EXPECT_THAT([&] { read_file(in("absent")); },
              ThrowsMessage<IoError>(testing::AllOf(HasSubstr("absent"), HasSubstr("check the spelling"))));
}

TEST_F(Files, AFullDiskKeepsTheOldContent) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  // /dev/full accepts the open and refuses the bytes; the temporary name must be a link to it.
  write_file_atomically(in("a"), "old");
  fs::create_symlink("/dev/full", temporary_name(in("a")));
  EXPECT_THAT([&] { write_file_atomically(in("a"), "new"); }, ThrowsMessage<IoError>(HasSubstr("free some space")));
  EXPECT_EQ(read_file(in("a")), "old");
}

TEST_F(Files, AMapShowsTheBytesOfTheFile) {
  write_file_atomically(in("m"), std::string("\x01\x02\x03\x04", 4));
  const MappedFile map(in("m"));
  ASSERT_EQ(map.as<uint16_t>().size(), 2u);
  EXPECT_EQ(map.as<uint16_t>()[1], 0x0403);
  write_file_atomically(in("empty"), "");
  EXPECT_TRUE(MappedFile(in("empty")).bytes().empty());
}

TEST_F(Files, ALockIsExclusiveAndFreedWhenItsProcessDies) {
  const pid_t child = ::fork();
  if (child == 0) {
    FileLock lock(in("lock"), FileLock::Wait::no);
    ::_exit(lock.held() ? 0 : 1);  // dies without releasing
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  const FileLock first(in("lock"), FileLock::Wait::no);
  EXPECT_TRUE(first.held());
  EXPECT_FALSE(FileLock(in("lock"), FileLock::Wait::no).held());
}

TEST_F(Files, AnUnusableDirectoryIsRefusedWithItsName) {
  write_file_atomically(in("file"), "x");
  EXPECT_THAT([&] { make_writable_directory(in("file/below")); }, ThrowsMessage<IoError>(HasSubstr("file/below")));
}

}  // namespace
}  // namespace hyscale
