#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/data/corpus_writer.h"
#include "core/data/documents.h"
#include "core/data/prepare.h"
#include "core/data/token_pool.h"

namespace hyscale::data {

/// How far a preparation has come: kept beside its unfinished files, so that the same command goes on after a kill.
struct PreparationState {
  std::string asked{};  // what was asked for, and the inputs with size and time: another state is of no use
  std::string tokenizer_sha256{};
  int64_t tokenizer_sample = 0;  // bytes
  ReaderPosition reader{};
  WriterCounts train{}, validation{};
  Splitter::Place waiting{};
  int64_t bytes = 0, documents = 0;  // of text
};

/// `PreparationState::asked` of these options and inputs.
std::string asked_for(const PrepareOptions& options, const std::vector<std::string>& files);

/// The directory OUT.partial, which holds a corpus until it is complete. One process at a time.
class PartialDirectory {
 public:
  /// Throws IoError when another process works in it.
  explicit PartialDirectory(const std::string& out);
  ~PartialDirectory();
  PartialDirectory(const PartialDirectory&) = delete;
  PartialDirectory& operator=(const PartialDirectory&) = delete;
  const std::string& path() const { return path_; }

  /// nullopt when there is none for `asked`, or it cannot be read; what lies there is then removed.
  std::optional<PreparationState> load(const std::string& asked);
  /// Removes all that was saved.
  void forget();
  /// From here on the directory outlives its object.
  void save(const PreparationState& state);
  bool saved() const { return saved_; }
  /// It will not be wanted again.
  void give_up() { saved_ = false; }
  /// Takes its final name.
  void commit();

 private:
  std::string out_, path_;
  std::optional<FileLock> lock_;
  bool saved_ = false, committed_ = false;
};

}  // namespace hyscale::data
