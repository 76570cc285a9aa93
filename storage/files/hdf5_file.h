#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hyscale::storage {

enum class ElementType { f32, f64, i64, text };

/// One array of a file. `text` has no shape.
struct ArrayInfo {
  std::string name;  // "/weights/embedding"
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;
  int64_t count() const;
};

/// Builds an HDF5 file in memory and saves it in one go, so that a full disk is met by one write and leaves nothing
/// behind. After the HDF5 image stands a table of checksums, one for each array and one for all the rest
/// (docs/formats.md); HDF5's own tools ignore it. Takes about twice the file's size in memory while saving.
class Hdf5Writer {
 public:
  explicit Hdf5Writer(size_t expected_bytes = 0);
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  /// Short text on the root group (HDF5 limits attributes to 64 KiB; use `text` for more).
  void attribute(const std::string& name, const std::string& value);
  void text(const std::string& name, const std::string& value);
  /// `name` is an absolute path; groups on the way are made. The values are copied.
  void array(const std::string& name, const std::vector<int64_t>& shape, std::span<const float> values);
  void array(const std::string& name, const std::vector<int64_t>& shape, std::span<const double> values);
  void array(const std::string& name, const std::vector<int64_t>& shape, std::span<const int64_t> values);

  /// Temporary name → written and synced → read back and every checksum compared → renamed over `path`.
  /// Throws IoError or DamagedFile; `path` is then as it was.
  void save(const std::string& path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads what Hdf5Writer saved. The constructor compares every checksum before HDF5 sees a byte.
/// Throws IoError when the file cannot be read, DamagedFile naming file and array when it is torn or altered.
class Hdf5Reader {
 public:
  explicit Hdf5Reader(const std::string& path);
  ~Hdf5Reader();
  Hdf5Reader(const Hdf5Reader&) = delete;
  Hdf5Reader& operator=(const Hdf5Reader&) = delete;

  const std::vector<ArrayInfo>& arrays() const;
  bool has(const std::string& name) const;
  const ArrayInfo& info(const std::string& name) const;  // throws DamagedFile when there is none
  std::vector<std::string> attribute_names() const;
  std::string attribute(const std::string& name) const;  // throws DamagedFile when there is none
  std::string text(const std::string& name) const;

  /// Fill `out`, whose size must be the array's count. Throw DamagedFile when type or size differ.
  void read(const std::string& name, std::span<float> out) const;
  void read(const std::string& name, std::span<double> out) const;
  void read(const std::string& name, std::span<int64_t> out) const;

 private:
  void read_as(const std::string& name, ElementType type, size_t count, void* out) const;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hyscale::storage
