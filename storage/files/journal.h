#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/files/run_directory.h"

namespace hyscale::storage {

/// Rows that one attempt wrote: it began from the state after `from` steps, so its first row is step from + 1.
struct AttemptRows {
  int attempt = 0;  // 0: rows copied from the trunk of a branch
  int64_t from = 0;
  std::vector<StepRow> steps;
  std::vector<EvalRow> evals;
};

struct JournalContent {
  std::vector<AttemptRows> attempts;  // in file order
  std::vector<std::string> damage;    // one sentence for each line that is torn or altered; such lines are left out
};
/// Every whole line. A missing journal is an empty one. Throws IoError when it cannot be read.
JournalContent read_journal(const std::string& path);

/// Appends rows: `crc32-hex json\n`. Rows wait in memory until flush(): a killed worker loses those since the last
/// flush, a power cut those since the last sync. The trainer syncs before each checkpoint, so that the rows up to
/// any checkpoint that survives have survived too.
class Journal {
 public:
  /// Opens or makes the file; a torn last line is cut off first. Throws IoError.
  explicit Journal(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void begin_attempt(int attempt, int64_t from);
  void add(const StepRow& row);
  void add(const EvalRow& row);
  void flush();
  void sync();  // flush, then wait for the disk

 private:
  void line(const std::string& json);

  std::string path_;
  int descriptor_ = -1;
  std::string waiting_;
};

}  // namespace hyscale::storage
