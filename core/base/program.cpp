#include "core/base/program.h"

#include <cstdio>
#include <fmt/format.h>
#include <new>

#include "core/base/error.h"
#include "core/base/version.h"

namespace hyscale {

std::string build_commit() { return version::kCommit; }
std::string build_flags() { return version::kBuild; }
std::string version_line(const std::string& program) {
  return fmt::format("{} {} (commit {}; {})", program, version::kVersion, version::kCommit, version::kBuild);
}

static int failed(const std::string& program, const std::string& message, ExitCode code) {
  std::fprintf(stderr, "%s: %s\n", program.c_str(), message.c_str());
  return static_cast<int>(code);
}

int run_program(const std::string& program, const std::function<int()>& body) {
  try {
    return body();
  } catch (const Error& e) {
    std::string text;
    for (const Problem& problem : e.problems())
      text += (text.empty() ? "" : "\n" + program + ": ") + to_string(problem);
    return failed(program, text, e.code());
  } catch (const std::bad_alloc&) {
    return failed(program, "out of memory\n  try:     a smaller micro-batch (--micro-batch)", ExitCode::out_of_memory);
  } catch (const std::exception& e) {
    return failed(program, fmt::format("unexpected: {}", e.what()), ExitCode::failed);
  }
}

}  // namespace hyscale
