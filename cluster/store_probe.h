#pragma once

#include <cstdint>
#include <string>

namespace hyscale::cluster {

/// What a store's file system does, measured.
struct StoreProbe {
  std::string problem = {};     // why it cannot be written; "": it can, and the rest is known
  double skew_seconds = 0;      // how far the file system's clock is ahead of this host's
  bool flock_excludes = true;   // a second process is refused a file lock (flock) that is held, and gets it afterwards
  bool record_excludes = true;  // the same of the locks that SQLite takes (fcntl)
  double write_seconds = 0;     // to write a small file, wait for the disk and rename it: the median of a few
  uint64_t free_bytes = 0;
  uint64_t free_files = 0;  // inodes; the most there are where the file system counts none
};

/// Measures in a directory of its own inside `directory`, which is made if need be and removed again.
StoreProbe probe_store(const std::string& directory);

}  // namespace hyscale::cluster
