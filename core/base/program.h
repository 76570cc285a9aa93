#pragma once

#include <exception>
#include <functional>
#include <string>

#include "core/base/exit_code.h"

namespace hyscale {

/// "hybrid-worker 0.1.0 (commit 1a2b3c4, dirty; Release, g++ 12.2.0)"
std::string version_line(const std::string& program);
std::string build_commit();  // "1a2b3c4…", with "+<hash of the diff>" when the tree was dirty; "unknown" outside git
std::string build_flags();   // build type, compiler, matrix product library

/// The exit status that stands for an exception.
ExitCode code_of(const std::exception& e);
/// Writes the one message that stands for an exception to standard error; it is out when this returns the exit status.
ExitCode report(const std::string& program, const std::exception& e);

/// Runs a program's body and turns what it throws into one message on standard error and the exit status of the
/// contract (ExitCode). `body` returns the status of a command that ran to its end.
int run_program(const std::string& program, const std::function<int()>& body);

}  // namespace hyscale
