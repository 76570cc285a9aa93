#pragma once

#include <cstdint>
#include <string>

namespace hyscale::exchange {

struct ImportOptions {
  std::string directory;  // with config.json and the weights
  std::string out;        // the run directory to make
  std::string base;       // run.yaml whose data, train and context are taken; "": the one in `directory`
};

struct ImportReport {
  std::string class_name;
  std::string checkpoint;
  int64_t parameters = 0;
  std::string dtype;  // of the weights there
};

/// Makes a run directory of a model that transformers or export_to_hf saved: run.yaml and one checkpoint with the
/// weights, in fp32. It can be inspected, evaluated and exported; it has no optimizer state and no curve, so that no
/// run resumes from it. A run.yaml beside the model is taken when config.json still says the same. Throws ConfigError
/// with all that our models cannot be, with tensors that are missing, too many or of another shape; DamagedFile,
/// IoError.
ImportReport import_from_hf(const ImportOptions& options);

}  // namespace hyscale::exchange
