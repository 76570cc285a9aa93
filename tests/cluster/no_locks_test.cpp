// This program's flock and fcntl stand in for those of a file system that keeps nobody apart, for instance NFS with
// nolock: the test's own definitions come before the C library's.
#include <cstdarg>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cluster/store_probe.h"
#include "tests/support/scratch.h"

namespace {

bool flock_works = true, record_locks_work = true;

}  // namespace

extern "C" int flock(int fd, int how) noexcept {
  return flock_works ? static_cast<int>(::syscall(SYS_flock, fd, how)) : 0;
}

extern "C" int fcntl(int fd, int command, ...) {
  std::va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (command == F_SETLK && !record_locks_work) return 0;
  return static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
}

namespace hyscale::cluster {
namespace {

TEST(StoreProbe, NoticesAFileSystemWhoseFlockLetsEveryoneIn) {
  const tests::ScratchDirectory scratch;
  flock_works = false, record_locks_work = true;
  const StoreProbe probe = probe_store(scratch.path());
  EXPECT_EQ(probe.problem, "");
  EXPECT_FALSE(probe.flock_excludes);
  EXPECT_TRUE(probe.record_excludes);
}

TEST(StoreProbe, NoticesAFileSystemWhoseRecordLocksLetEveryoneIn) {
  const tests::ScratchDirectory scratch;
  flock_works = true, record_locks_work = false;
  const StoreProbe probe = probe_store(scratch.path());
  EXPECT_TRUE(probe.flock_excludes);
  EXPECT_FALSE(probe.record_excludes);
}

}  // namespace
}  // namespace hyscale::cluster
