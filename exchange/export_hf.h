#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "exchange/safetensors.h"

namespace hyscale::exchange {

struct ExportOptions {
  std::string directory;        // of the run
  std::string out;              // must not exist, or be empty
  std::optional<int64_t> step;  // of the checkpoint; the last one
  StoredType type = StoredType::f32;
  std::string store;  // with the corpus, for its tokenizer
};

struct ExportReport {
  std::string class_name;
  std::string checkpoint;
  int64_t step = 0;
  int64_t parameters = 0;
  std::string tokenizer;  // what there is of it
  std::vector<std::string> files;
};

/// Writes the model of a run directory so that transformers loads it: model.safetensors, config.json,
/// generation_config.json, tokenizer files, and our run.yaml. All of it appears under `out` at once, when it is whole.
/// Throws ConfigError when no class holds the stack (with every reason and its place), when there is no such
/// checkpoint, or when `out` is in use; DamagedFile, IoError.
ExportReport export_to_hf(const ExportOptions& options);

}  // namespace hyscale::exchange
