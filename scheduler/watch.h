#pragma once

#include <string>

namespace hyscale::scheduler {

/// Shows the study until all its runs are final, on a terminal as a live table, otherwise as a line a run; starts a
/// driver again whenever it is gone. Returns the exit status: 0 when every run is done, 130 when Ctrl-C ended the
/// watching (the study goes on).
int watch(const std::string& store, const std::string& study);

}  // namespace hyscale::scheduler
