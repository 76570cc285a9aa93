#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/base/hash.h"

namespace hyscale::data {

/// One-dimensional arrays of unsigned integers on disk: the tokens and the document offsets of a prepared corpus.
/// A header of 64 bytes, then `count` little-endian numbers of `width` bytes (docs/formats.md, "Prepared corpus").
struct ArrayHeader {
  uint32_t width = 0;                // bytes per number: 2, 4 or 8
  uint64_t count = 0;                // numbers in the file
  std::array<uint8_t, 32> sha256{};  // of the numbers' bytes
  std::string sha256_hex() const;
};
inline constexpr size_t kArrayHeaderBytes = 64;

/// Bytes [begin, end) of a file in blocks of a multiple of 8, through a buffer and not a map: what has been read counts
/// against nobody's memory. Throws IoError.
void for_each_block(const std::string& path, int64_t begin, int64_t end,
                    const std::function<void(std::span<const std::byte>)>& take);

/// Writes numbers front to back; the file is whole only after finish().
class ArrayWriter {
 public:
  /// Throws IoError. `width` is 2, 4 or 8. With `count` > 0 the file of an unfinished writer is taken up again: its
  /// first `count` numbers stay, whatever follows goes.
  ArrayWriter(const std::string& path, uint32_t width, uint64_t count = 0);
  ~ArrayWriter();
  ArrayWriter(const ArrayWriter&) = delete;
  ArrayWriter& operator=(const ArrayWriter&) = delete;

  /// Every value must fit `width`. Throws IoError (full disk).
  void append(std::span<const int32_t> values);
  void append(uint64_t value);
  uint64_t count() const { return header_.count; }
  /// What was appended is on disk when it returns. Throws IoError.
  void sync();
  /// Writes what is buffered and the header, and syncs. Throws IoError.
  ArrayHeader finish();

 private:
  void take_up(uint64_t count);
  template <class T>
  void append_as(std::span<const int32_t> values);
  void flush();
  void write(std::span<const std::byte> bytes, int64_t offset);

  std::string path_;
  int descriptor_;
  ArrayHeader header_;
  Sha256 hash_;
  int64_t offset_ = kArrayHeaderBytes;
  std::vector<std::byte> buffer_;
};

/// A mapped array file.
class ArrayFile {
 public:
  /// Throws IoError when it cannot be opened, DamagedFile when header and size disagree. Does not read the numbers.
  explicit ArrayFile(const std::string& path);
  const ArrayHeader& header() const { return header_; }
  int64_t size() const { return static_cast<int64_t>(header_.count); }
  uint64_t at(int64_t index) const;
  /// Copies numbers [begin, begin + out.size()); they must lie inside, and fit an int32.
  void read(int64_t begin, std::span<int32_t> out) const;
  /// Reads everything: throws DamagedFile when the numbers are not the ones that were written.
  void verify() const;

 private:
  std::span<const std::byte> body() const { return map_.bytes().subspan(kArrayHeaderBytes); }

  std::string path_;
  MappedFile map_;
  ArrayHeader header_;
};

}  // namespace hyscale::data
