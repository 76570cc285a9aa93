#pragma once

#include <string>
#include <vector>

#include "scheduler/standing.h"

namespace hyscale::scheduler {

/// A terminal's size in characters.
struct Screen {
  size_t rows = 24, columns = 100;
};

/// What `study watch` draws: the summary, then a line for each running run (state, step, loss, tokens/s, ETA, cost so
/// far), then those that ended in trouble; as many as fit, none wider than the screen.
std::vector<std::string> watch_table(const Standing& standing, const Screen& screen);

/// Redraws lines in place on standard error; draws nothing when that is no terminal.
class LiveTable {
 public:
  LiveTable();
  bool visible() const { return visible_; }
  Screen screen() const;
  void show(const std::vector<std::string>& lines);
  void clear();

 private:
  bool visible_;
  size_t drawn_ = 0;  // lines
};

}  // namespace hyscale::scheduler
