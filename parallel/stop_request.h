#pragma once

#include <string>

#include "core/base/clock.h"

namespace hyscale::parallel {

/// Why a worker is asked to checkpoint and end. The number travels between ranks; the larger one wins.
enum class StopReason : int { none = 0, time_limit = 1, stop_file = 2, signal = 3 };
const char* sentence(StopReason reason);  // "the time limit is reached"

/// Listens, while it lives, for SIGTERM, SIGUSR1 and SIGINT, and looks for the `stop` file and the time limit. A second
/// SIGINT ends the process at once, so that Ctrl-C twice always works.
class StopRequest {
 public:
  /// `time_limit` counts from `started` (steady seconds); 0: none.
  StopRequest(std::string stop_file, double started, double time_limit, const Clock& clock);
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;

  /// Cheap enough for every step: the file is looked for once a second.
  StopReason asked();

 private:
  std::string stop_file_;
  double deadline_;
  double next_look_ = 0;
  bool file_seen_ = false;
  const Clock& clock_;
};

}  // namespace hyscale::parallel
