#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/files.h"

namespace hyscale::exchange {

/// How numbers lie in a file. What is read becomes fp32, exactly; what is written as bf16 is rounded to nearest, ties
/// to even.
enum class StoredType { f32, bf16, f16 };

/// One file of the safetensors format: 8 bytes little-endian with the header's length, the header (a JSON object: name
/// → dtype, shape, data_offsets; texts under `__metadata__`), the numbers.
class SafetensorsFile {
 public:
  /// Maps the file and checks all of the header. Throws IoError when there is none, DamagedFile naming the tensor when
  /// the header is torn, its offsets leave the file, overlap, leave holes, or do not fit shape and dtype.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& notes() const { return notes_; }  // `__metadata__`
  std::vector<std::string> names() const;                                     // sorted
  bool has(const std::string& name) const { return tensors_.contains(name); }
  const std::vector<int64_t>& shape(const std::string& name) const { return at(name).shape; }
  const std::string& dtype(const std::string& name) const { return at(name).dtype; }  // as written: "F32"
  /// Throws ConfigError for a dtype other than F32, BF16 and F16, DamagedFile when `out` has another size.
  void read(const std::string& name, std::span<float> out) const;

 private:
  struct Entry {
    std::string dtype;
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // bytes behind the header
  };
  const Entry& at(const std::string& name) const;
  void check_layout(uint64_t data_bytes) const;
  [[noreturn]] void damaged(const std::string& what) const;

  std::string path_;
  MappedFile file_;
  uint64_t data_begin_ = 0;
  std::map<std::string, std::string> notes_;
  std::map<std::string, Entry> tensors_;
};

/// One tensor to write; `fill` is called once, with room for all its numbers.
struct TensorToWrite {
  std::string name;
  std::vector<int64_t> shape;
  std::function<void(std::span<float>)> fill;
};

/// Temporary name → written and synced → header read back → renamed. One tensor is held in memory at a time. Throws
/// IoError; no temporary file stays.
void write_safetensors(const std::string& path, const std::map<std::string, std::string>& notes,
                       const std::vector<TensorToWrite>& tensors, StoredType type);

/// One number of each type.
uint16_t to_bf16(float value);
float from_bf16(uint16_t bits);
float from_f16(uint16_t bits);

}  // namespace hyscale::exchange
