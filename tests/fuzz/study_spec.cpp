#include "studies/study_spec.h"

#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return hyscale::fuzz::try_to(
      data, size, [](std::string_view text) { hyscale::studies::parse_study_spec(std::string(text), "study.yaml"); });
}
