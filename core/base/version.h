#pragma once

/// Filled in by the build (cmake/version.cpp.in).
namespace hyscale::version {
extern const char* const kVersion;
extern const char* const kCommit;
extern const char* const kBuild;
}  // namespace hyscale::version
