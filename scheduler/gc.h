#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/db/database.h"

namespace hyscale::scheduler {

/// What garbage collection may take away, and what it must leave.
struct GcOptions {
  std::vector<std::string> studies = {};  // empty: all of the store
  std::optional<uint64_t> quota = {};     // bytes that checkpoints may take: removes no more than that asks for
  bool weights = false;                   // also the last checkpoints of finished runs, after all else
  bool dry_run = false;
};

/// One checkpoint that is, or would be, removed.
struct Disposable {
  std::string run_id;
  int64_t step = 0;
  uint64_t bytes = 0;
  double written = 0;    // unix seconds
  bool weights = false;  // the last one of a finished run
};

struct GcReport {
  std::vector<Disposable> removed;  // in this order: old ones first, weights after all else
  uint64_t freed = 0;               // bytes
  uint64_t kept = 0;                // bytes of checkpoints that stay
  int busy = 0;                     // runs left alone because a worker holds them
};

/// Removes checkpoints that nothing needs any more. What stays whatever the quota says: branch points of branches that
/// are not done (whichever study wants them), the two newest checkpoints of a run that may be resumed, everything of a
/// run whose worker lives, and, unless `weights` is set, the last checkpoint of a finished run. Results and curves are
/// never touched. Two at once are safe.
GcReport collect_garbage(storage::Database& database, const GcOptions& options);

/// "500M", "20GB", "1.5T": binary multiples. Throws ConfigError.
uint64_t parse_bytes(const std::string& text);
std::string bytes_text(uint64_t bytes);  // "1.5 GiB"

}  // namespace hyscale::scheduler
