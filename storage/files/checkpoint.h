#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "storage/files/run_directory.h"

namespace hyscale::storage {

/// Stands for the run's id where the weights came from another tool's files: no run was trained to them here, there is
/// no optimizer state, and no run resumes from them.
inline constexpr const char* kImportedRunId = "imported";

/// What a checkpoint says of itself.
struct CheckpointInfo {
  std::string run_id;
  std::string run_yaml;
  int64_t step = 0;    // completed steps; with the seeds in run_yaml also the data cursor and every generator's state
  int64_t tokens = 0;  // seen
  std::map<std::string, std::string> notes;  // commit, host, …: for people
};

/// One array to save, under its logical unsharded name, e.g. "weights/layers.0.mixer.q.weight".
struct NamedArray {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> values;
};

/// Temporary name → written and synced → read back and checked → renamed. Throws IoError or DamagedFile; older
/// checkpoints are untouched and no temporary file stays.
void write_checkpoint(const std::string& path, const CheckpointInfo& info, const std::vector<NamedArray>& arrays);

/// Throws DamagedFile naming file and array when any checksum fails, IoError when the file cannot be read.
class CheckpointReader {
 public:
  explicit CheckpointReader(const std::string& path);
  ~CheckpointReader();
  const CheckpointInfo& info() const;
  std::vector<std::string> names() const;
  std::vector<int64_t> shape(const std::string& name) const;
  /// Throws DamagedFile when there is no such array, or its size is another.
  void read(const std::string& name, std::span<float> out) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// DIR/checkpoints/step-000000123.h5
std::string checkpoint_path(const RunDirectory& run, int64_t step);
/// Steps of the checkpoints there are, rising; whether they are whole is not looked at.
std::vector<int64_t> list_checkpoints(const RunDirectory& run);

/// Steps that are kept for ever (branch points): DIR/checkpoints/pinned, one step a line.
std::set<int64_t> read_pinned(const RunDirectory& run);
void write_pinned(const RunDirectory& run, const std::set<int64_t>& steps);

/// Removes all but the newest `keep` and the pinned ones.
void remove_old_checkpoints(const RunDirectory& run, int keep);
/// Removes temporary files that killed workers left; the caller holds the run's lock.
void remove_leftovers(const RunDirectory& run);

}  // namespace hyscale::storage
