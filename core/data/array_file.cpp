#include "core/data/array_file.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/error.h"

namespace hyscale::data {

static_assert(std::endian::native == std::endian::little, "array files are mapped as they are: little-endian");

namespace {

constexpr std::string_view kMagic = "HYSARRAY";
constexpr uint32_t kVersion = 1;
constexpr size_t kBufferBytes = size_t{1} << 20;

// Offsets of the header's fields; bytes 24 … 31 are zero.
constexpr size_t kVersionAt = 8, kWidthAt = 12, kCountAt = 16, kShaAt = 32;

[[noreturn]] void fail(const char* doing, const std::string& path) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  throw IoError({.what = fmt::format("cannot {} {}: {}", doing, path, std::strerror(error)),
                 .remedy = full ? "free some space or choose another --out, then run the same command again"
                                : "choose a place you may write to"});
}

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw DamagedFile({.what = fmt::format("{}: {}", path, what),
                     .remedy = "remove the corpus directory and prepare it again with hybrid-worker data"});
}

std::array<uint8_t, 32> from_hex(const std::string& hex) {
  std::array<uint8_t, 32> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
  return bytes;
}

}  // namespace

std::string ArrayHeader::sha256_hex() const {
  std::string hex;
  for (const uint8_t byte : sha256) hex += fmt::format("{:02x}", byte);
  return hex;
}

void for_each_block(const std::string& path, int64_t begin, int64_t end,
                    const std::function<void(std::span<const std::byte>)>& take) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("open", path);
  const std::unique_ptr<const int, void (*)(const int*)> closed(&descriptor, [](const int* fd) { ::close(*fd); });
  std::vector<std::byte> block(kBufferBytes);
  while (begin < end) {
    const auto wanted = std::span(block).first(static_cast<size_t>(std::min<int64_t>(kBufferBytes, end - begin)));
    for (size_t filled = 0; filled < wanted.size();) {
      const ssize_t n =
          ::pread(descriptor, wanted.data() + filled, wanted.size() - filled, begin + static_cast<int64_t>(filled));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail("read", path);
      filled += static_cast<size_t>(n);
    }
    take(wanted);
    begin += static_cast<int64_t>(wanted.size());
  }
}

ArrayWriter::ArrayWriter(const std::string& path, uint32_t width, uint64_t count)
    : path_(path), descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | (count > 0 ? 0 : O_TRUNC) | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail("create", path);
  header_.width = width;
  buffer_.reserve(kBufferBytes + sizeof(uint64_t));
  if (count > 0) take_up(count);
}
ArrayWriter::~ArrayWriter() { ::close(descriptor_); }

void ArrayWriter::take_up(uint64_t count) {
  const auto end = static_cast<int64_t>(kArrayHeaderBytes + count * header_.width);
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) fail("inspect", path_);
  if (info.st_size < end) damaged(path_, "shorter than the state beside it says");
  for_each_block(path_, kArrayHeaderBytes, end, [&](std::span<const std::byte> block) { hash_.update(block); });
  if (::ftruncate(descriptor_, end) != 0) fail("cut", path_);
  header_.count = count;
  offset_ = end;
}

template <class T>
void ArrayWriter::append_as(std::span<const int32_t> values) {
  while (!values.empty()) {
    const size_t room = (kBufferBytes - buffer_.size()) / sizeof(T) + 1;
    const auto some = values.first(std::min(room, values.size()));
    const size_t at = buffer_.size();
    buffer_.resize(at + some.size() * sizeof(T));
    std::byte* to = buffer_.data() + at;
    for (size_t i = 0; i < some.size(); ++i) {
      const auto narrow = static_cast<T>(some[i]);
      std::memcpy(to + i * sizeof(T), &narrow, sizeof(T));
    }
    header_.count += some.size();
    if (buffer_.size() >= kBufferBytes) flush();
    values = values.subspan(some.size());
  }
}

void ArrayWriter::append(uint64_t value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  buffer_.insert(buffer_.end(), bytes, bytes + header_.width);
  ++header_.count;
  if (buffer_.size() >= kBufferBytes) flush();
}
void ArrayWriter::append(std::span<const int32_t> values) {
  if (header_.width == 2)
    append_as<uint16_t>(values);
  else if (header_.width == 4)
    append_as<uint32_t>(values);
  else
    append_as<uint64_t>(values);
}

void ArrayWriter::sync() {
  flush();
  if (::fdatasync(descriptor_) != 0 && errno != EINVAL) fail("flush", path_);
}

void ArrayWriter::write(std::span<const std::byte> bytes, int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write", path_);
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += n;
  }
}

void ArrayWriter::flush() {
  hash_.update(buffer_);
  write(buffer_, offset_);
  offset_ += static_cast<int64_t>(buffer_.size());
  buffer_.clear();
}

ArrayHeader ArrayWriter::finish() {
  flush();
  header_.sha256 = from_hex(hash_.hex());
  std::array<std::byte, kArrayHeaderBytes> bytes{};
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  std::memcpy(bytes.data() + kVersionAt, &kVersion, sizeof kVersion);
  std::memcpy(bytes.data() + kWidthAt, &header_.width, sizeof header_.width);
  std::memcpy(bytes.data() + kCountAt, &header_.count, sizeof header_.count);
  std::memcpy(bytes.data() + kShaAt, header_.sha256.data(), header_.sha256.size());
  write(bytes, 0);
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail("flush", path_);
  return header_;
}

ArrayFile::ArrayFile(const std::string& path) : path_(path), map_(path) {
  const auto bytes = map_.bytes();
  if (bytes.size() < kArrayHeaderBytes) damaged(path, "shorter than its header of 64 bytes");
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) damaged(path, "does not start with HYSARRAY");
  uint32_t version = 0;
  std::memcpy(&version, bytes.data() + kVersionAt, sizeof version);
  if (version != kVersion) damaged(path, fmt::format("format version {}, this program reads {}", version, kVersion));
  std::memcpy(&header_.width, bytes.data() + kWidthAt, sizeof header_.width);
  std::memcpy(&header_.count, bytes.data() + kCountAt, sizeof header_.count);
  std::memcpy(header_.sha256.data(), bytes.data() + kShaAt, header_.sha256.size());
  const uint32_t width = header_.width;
  if (width != 2 && width != 4 && width != 8) damaged(path, fmt::format("{} bytes per number", width));
  if (body().size() % width != 0 || header_.count != body().size() / width)
    damaged(path, fmt::format("{} bytes, but the header promises {} numbers of {} bytes after its own {}", bytes.size(),
                              header_.count, width, kArrayHeaderBytes));
}

uint64_t ArrayFile::at(int64_t index) const {
  uint64_t value = 0;
  std::memcpy(&value, body().data() + static_cast<size_t>(index) * header_.width, header_.width);
  return value;
}

void ArrayFile::read(int64_t begin, std::span<int32_t> out) const {
  if (begin < 0 || begin + static_cast<int64_t>(out.size()) > size())
    throw ShapeError(fmt::format("{}: numbers {} … {} asked for, {} there", path_, begin,
                                 begin + static_cast<int64_t>(out.size()), size()));
  const std::byte* from = body().data() + static_cast<size_t>(begin) * header_.width;
  if (header_.width == 2)
    std::copy_n(reinterpret_cast<const uint16_t*>(from), out.size(), out.begin());
  else if (header_.width == 4)
    std::memcpy(out.data(), from, out.size_bytes());
  else
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int32_t>(at(begin + static_cast<int64_t>(i)));
}

void ArrayFile::verify() const {
  Sha256 hash;
  hash.update(body());
  if (hash.hex() != header_.sha256_hex()) damaged(path_, "its numbers are not the ones that were written");
}

}  // namespace hyscale::data
