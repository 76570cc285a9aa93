#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exchange/safetensors.h"

namespace hyscale::exchange {

/// The tensors of a model's directory: model.safetensors, or the shards that model.safetensors.index.json lists.
class WeightFiles {
 public:
  /// Throws ConfigError when the directory has neither, DamagedFile when the index or a shard is not whole.
  explicit WeightFiles(const std::string& directory);
  std::vector<std::string> names() const;  // sorted
  bool has(const std::string& name) const { return place_.contains(name); }
  /// The file with the tensor, which must be there.
  const SafetensorsFile& file_of(const std::string& name) const { return files_[place_.at(name)]; }
  const std::map<std::string, std::string>& notes() const { return files_.front().notes(); }

 private:
  void read_index(const std::string& directory, const std::string& index);

  std::vector<SafetensorsFile> files_;
  std::map<std::string, size_t> place_;  // tensor → its file
};

}  // namespace hyscale::exchange
