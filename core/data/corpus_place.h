#pragma once

#include <string>

#include "core/spec/corpus_manifest.h"

namespace hyscale::data {

/// The directory that `out` names, in one spelling. Throws ConfigError when something else than a corpus is there,
/// IoError when it cannot be made: before hours of work, not after them.
std::string corpus_place(const std::string& out);

/// Whether `wanted.directory` holds the very corpus already (its content is read and checked). Throws ConfigError when
/// it holds another one.
bool holds_the_same(const spec::CorpusManifest& wanted);

/// A directory that takes its name when all in it is complete; destroyed before that, it leaves nothing behind.
class StagingDirectory {
 public:
  explicit StagingDirectory(std::string final_name);
  ~StagingDirectory();
  StagingDirectory(const StagingDirectory&) = delete;
  StagingDirectory& operator=(const StagingDirectory&) = delete;
  const std::string& path() const { return path_; }
  /// Throws IoError.
  void commit();

 private:
  std::string final_, path_;
};

}  // namespace hyscale::data
