#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hyscale::data {

/// A file of equal records that grows at its end, may be cut, and can be read anywhere.
class RawFile {
 public:
  /// Opens or makes it and cuts it to `bytes`. Throws IoError, also when it is shorter.
  RawFile(const std::string& path, int64_t bytes);
  ~RawFile();
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  int64_t size() const { return size_; }
  void append(std::span<const std::byte> bytes);
  void read(int64_t begin, std::span<std::byte> out) const;
  void cut(int64_t bytes);
  void sync();

 private:
  std::string path_;
  int descriptor_;
  int64_t size_ = 0;
};

template <class T>
class RecordFile {
 public:
  RecordFile(const std::string& path, int64_t count) : file_(path, count * kBytes) {}
  int64_t count() const { return file_.size() / kBytes; }
  void append(std::span<const T> records) { file_.append(std::as_bytes(records)); }
  void cut(int64_t count) { file_.cut(count * kBytes); }
  void sync() { file_.sync(); }
  /// Hands out records [begin, end) in blocks.
  template <class Take>
  void for_each_block(int64_t begin, int64_t end, Take&& take) const {
    constexpr int64_t kBlock = int64_t{1} << 16;
    std::vector<T> block(static_cast<size_t>(std::min(kBlock, end - begin)));
    for (; begin < end; begin += kBlock) {
      const auto records = std::span(block).first(static_cast<size_t>(std::min(kBlock, end - begin)));
      file_.read(begin * kBytes, std::as_writable_bytes(records));
      take(std::span<const T>(records));
    }
  }

 private:
  static constexpr auto kBytes = static_cast<int64_t>(sizeof(T));
  RawFile file_;
};

}  // namespace hyscale::data
