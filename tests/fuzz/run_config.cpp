#include "core/spec/run_config.h"

#include "core/spec/accounting.h"
#include "tests/fuzz/target.h"

/// What parses is written out again, and the cost of it added up.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return hyscale::fuzz::try_to(data, size, [](std::string_view text) {
    const auto config = hyscale::spec::parse_run_config(std::string(text), "run.yaml");
    hyscale::spec::to_yaml(config);
    hyscale::spec::account(config.model);
  });
}
