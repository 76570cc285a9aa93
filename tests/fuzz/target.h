#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/error.h"
#include "tests/support/scratch.h"

/// A parser's entry, called by driver.cpp (or libFuzzer): whatever the bytes, it may throw hyscale::Error and nothing
/// else.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace hyscale::fuzz {

/// Calls a parser with the text. Anything but an Error leaves it and ends the fuzzer.
template <class Parse>
int try_to(const uint8_t* data, size_t size, Parse parse) {
  try {
    parse(std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error&) {
    return 0;
  }
  return 0;
}

/// For parsers of files: a directory in memory, for as long as the fuzzer runs.
inline const tests::ScratchDirectory& scratch() {
  static const tests::ScratchDirectory directory("/dev/shm");
  return directory;
}

}  // namespace hyscale::fuzz
