#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/spec/corpus_manifest.h"
#include "storage/db/rows.h"

namespace hyscale::analysis {

/// What the configs of a study's runs and the manifests of their corpora say beyond the results.
struct StudySettings {
  struct Run {
    std::string phase = {};      // of the learning rate at the run's end: "decayed" | "stable"
    std::string tokenizer = {};  // kind and hash of its corpus's; "" when the manifest cannot be read
  };
  std::map<std::string, Run> runs = {};                      // by run id
  std::map<std::string, spec::CorpusManifest> corpora = {};  // by name
  std::vector<std::string> problems = {};                    // configs and manifests that could not be read
};
StudySettings read_settings(const std::string& store, const std::vector<storage::RunRow>& runs);

}  // namespace hyscale::analysis
