#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/exit_code.h"

namespace hyscale {

/// A place in a text file; line and column are 1-based, 0 means "the file as a whole".
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
};
std::string to_string(const Location& at);  // "run.yaml:12:5"

/// One thing that is wrong: where, what, why it is a rule, and how to mend it. `what` alone is required.
struct Problem {
  std::string what;
  std::string why = {};
  std::string remedy = {};
  Location at = {};
};
std::string to_string(const Problem& problem);

/// Why this command cannot go on. Carries every problem found, not only the first.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, std::vector<Problem> problems);
  ExitCode code() const { return code_; }
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  ExitCode code_;
  std::vector<Problem> problems_;
};

/// Bad configuration or command line (exit 2).
struct ConfigError : Error {
  explicit ConfigError(Problem problem) : Error(ExitCode::bad_input, {std::move(problem)}) {}
  explicit ConfigError(std::vector<Problem> problems) : Error(ExitCode::bad_input, std::move(problems)) {}
};

/// The operating system refused: unwritable directory, full disk, missing file (exit 1).
struct IoError : Error {
  explicit IoError(Problem problem) : Error(ExitCode::failed, {std::move(problem)}) {}
};

/// A file exists but its content is torn, truncated or altered (exit 1).
struct DamagedFile : Error {
  explicit DamagedFile(Problem problem) : Error(ExitCode::failed, {std::move(problem)}) {}
};

/// The loss stopped being finite (exit 4).
struct DivergedError : Error {
  explicit DivergedError(Problem problem) : Error(ExitCode::diverged, {std::move(problem)}) {}
};

/// The device has no memory left for what was asked (exit 3).
struct OutOfMemory : Error {
  explicit OutOfMemory(Problem problem) : Error(ExitCode::out_of_memory, {std::move(problem)}) {}
};

/// Shapes handed to a kernel or layer disagree: our bug, or a limit that `check` should have caught.
struct ShapeError : Error {
  explicit ShapeError(std::string what) : Error(ExitCode::failed, {Problem{std::move(what)}}) {}
};

/// Collects problems so that a reader sees all of them at once.
class Problems {
 public:
  void add(Problem problem) { list_.push_back(std::move(problem)); }
  bool empty() const { return list_.empty(); }
  const std::vector<Problem>& list() const { return list_; }
  /// Throws ConfigError with everything collected; does nothing when there is nothing.
  void throw_if_any() const {
    if (!list_.empty()) throw ConfigError(list_);
  }

 private:
  std::vector<Problem> list_;
};

/// The candidate most like `word`, or "" when none is close enough to be a likely misspelling.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace hyscale
