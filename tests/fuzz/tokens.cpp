#include "core/data/token_file.h"
#include "tests/fuzz/target.h"

/// The same bytes under each name that says how to read them; an index has numbers beside it.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hyscale;
  for (const char* name : {"tokens.npy", "tokens.bin", "index.idx"})
    fuzz::try_to(data, size, [&](std::string_view bytes) {
      if (std::string_view(name).ends_with(".idx")) replace_file(fuzz::scratch() / "index.bin", std::string(64, '\1'));
      replace_file(fuzz::scratch() / name, bytes);
      data::open_token_file(fuzz::scratch() / name, "uint16");
    });
  return 0;
}
