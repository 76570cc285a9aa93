#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/data/load_tokenizer.h"

namespace hyscale::data {

inline std::vector<int32_t> ids_of(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, ids);
  return ids;
}

/// A committed tokenizer of tests/data/tokenizers.
inline std::string fixture(const std::string& name) {
  return std::string(std::getenv("HYSCALE_SOURCE_DIR")) + "/tests/data/tokenizers/" + name;
}

inline std::unique_ptr<Tokenizer> load_fixture(const std::string& name, bool with_special = false) {
  return load_tokenizer(fixture(name), {.needs_frame = false, .with_special = with_special});
}

}  // namespace hyscale::data
