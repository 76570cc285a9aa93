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

static std::string message_of(const std::string& program, const std::exception& e) {
  if (const auto* error = dynamic_cast<const Error*>(&e)) {
    std::string text;
    for (const Problem& problem : error->problems()) text += fmt::format("{}: {}\n", program, to_string(problem));
    return text;
  }
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr)
    return program + ": out of memory\n  try:     a smaller micro-batch (--micro-batch)\n";
  return fmt::format("{}: unexpected: {}\n", program, e.what());
}

ExitCode code_of(const std::exception& e) {
  if (const auto* error = dynamic_cast<const Error*>(&e)) return error->code();
  return dynamic_cast<const std::bad_alloc*>(&e) != nullptr ? ExitCode::out_of_memory : ExitCode::failed;
}

ExitCode report(const std::string& program, const std::exception& e) {
  std::fputs(message_of(program, e).c_str(), stderr);
  std::fflush(stderr);
  return code_of(e);
}

int run_program(const std::string& program, const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& e) {
    return static_cast<int>(report(program, e));
  }
}

}  // namespace hyscale
