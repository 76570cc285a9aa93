#pragma once

#include <string>

namespace hyscale {

/// Lines for people, on standard error, time-stamped when that is no terminal.
namespace log {
void info(const std::string& line);
void warn(const std::string& line);
void set_quiet(bool quiet);  // warnings stay
}  // namespace log

bool is_terminal(int descriptor);

/// One line that is redrawn in place on a terminal; silent in a pipe, where callers log plain lines instead.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();  // leaves the last text standing
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  bool visible() const { return visible_; }
  void show(const std::string& text);
  void clear();

 private:
  bool visible_;
  bool drawn_ = false;
};

}  // namespace hyscale
