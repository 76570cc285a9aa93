#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace hyscale::data {

/// Bytes of a file, front to back.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills the front of `out` and says how much; 0 at the end. Throws IoError, and DamagedFile when a compressed file
  /// is torn or altered.
  virtual size_t read(std::span<char> out) = 0;
  /// Bytes of the file, as it lies on disk, that have been read.
  virtual int64_t consumed() const = 0;
};

/// By name: .gz is gzip, .zst is Zstandard (both may hold several members), anything else is read as it is.
std::unique_ptr<ByteSource> open_byte_source(const std::string& path);

/// Lines of a source.
class LineReader {
 public:
  explicit LineReader(ByteSource& source) : source_(source), buffer_(size_t{1} << 18, '\0') {}
  /// False at the end. `line` comes without its '\n'; `ended` tells whether there was one. A line longer than `limit`
  /// comes in parts of about that size, none of which ends inside a UTF-8 character.
  bool next(std::string& line, bool& ended, size_t limit = std::string::npos);
  /// Bytes of text that have been handed out, line ends included.
  int64_t offset() const { return offset_ - static_cast<int64_t>(carry_.size()); }
  void skip(int64_t bytes);

 private:
  ByteSource& source_;
  std::string buffer_;
  size_t begin_ = 0, end_ = 0;
  int64_t offset_ = 0;
  std::string carry_;  // front of a character that the last part would have cut
};

}  // namespace hyscale::data
