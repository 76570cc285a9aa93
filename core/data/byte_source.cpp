#include "core/data/byte_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>
#include <vector>
#include <zlib.h>
#include <zstd.h>

#include "core/base/error.h"

namespace hyscale::data {
namespace {

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw DamagedFile({.what = what, .remedy = "fetch or compress the file again", .at = {path}});
}

class PlainSource final : public ByteSource {
 public:
  explicit PlainSource(const std::string& path) : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) refuse();
  }
  ~PlainSource() override { ::close(descriptor_); }
  size_t read(std::span<char> out) override {
    while (true) {
      const ssize_t n = ::read(descriptor_, out.data(), out.size());
      if (n >= 0) return consumed_ += n, static_cast<size_t>(n);
      if (errno != EINTR) refuse();
    }
  }
  int64_t consumed() const override { return consumed_; }

 private:
  [[noreturn]] void refuse() const {
    throw IoError({.what = fmt::format("cannot read {}: {}", path_, std::strerror(errno)),
                   .remedy = "check the path and its permissions"});
  }
  std::string path_;
  int descriptor_;
  int64_t consumed_ = 0;
};

class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(const std::string& path) : path_(path), plain_(path), compressed_(size_t{1} << 16) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  size_t read(std::span<char> out) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    while (stream_.avail_out == out.size()) {
      if (stream_.avail_in == 0 && !refill()) break;
      if (!inside_ && inflateReset(&stream_) != Z_OK) damaged(path_, "zlib cannot start over");
      inside_ = true;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_STREAM_END)
        inside_ = false;  // another member may follow
      else if (status != Z_OK && status != Z_BUF_ERROR)
        damaged(path_, fmt::format("not a whole gzip file, near byte {}: {}", consumed() - stream_.avail_in,
                                   stream_.msg ? stream_.msg : "bad data"));
    }
    return out.size() - stream_.avail_out;
  }
  int64_t consumed() const override { return plain_.consumed(); }

 private:
  bool refill() {
    const size_t n = plain_.read(compressed_);
    if (n == 0 && (inside_ || empty_))
      damaged(path_, fmt::format("the gzip file ends before its text does, at byte {}", consumed()));
    empty_ = false;
    stream_.next_in = reinterpret_cast<Bytef*>(compressed_.data());
    stream_.avail_in = static_cast<uInt>(n);
    return n > 0;
  }
  std::string path_;
  PlainSource plain_;
  std::vector<char> compressed_;
  z_stream stream_{};
  bool inside_ = false, empty_ = true;
};

class ZstdSource final : public ByteSource {
 public:
  explicit ZstdSource(const std::string& path) : path_(path), plain_(path), compressed_(ZSTD_DStreamInSize()) {}
  ~ZstdSource() override { ZSTD_freeDStream(stream_); }
  size_t read(std::span<char> out) override {
    ZSTD_outBuffer filled{out.data(), out.size(), 0};
    while (filled.pos == 0) {
      const bool more = in_.pos < in_.size || refill();
      if (!more && !inside_) break;
      const size_t status = ZSTD_decompressStream(stream_, &filled, &in_);
      if (ZSTD_isError(status))
        damaged(path_, fmt::format("not a whole zstd file, near byte {}: {}",
                                   consumed() - static_cast<int64_t>(in_.size - in_.pos), ZSTD_getErrorName(status)));
      inside_ = status != 0;
      // after the last byte of the file the decoder may still hold text, but then it gives some at every call
      if (!more && inside_ && filled.pos == 0)
        damaged(path_, fmt::format("the zstd file ends before its text does, at byte {}", consumed()));
    }
    return filled.pos;
  }
  int64_t consumed() const override { return plain_.consumed(); }

 private:
  bool refill() {
    const size_t n = plain_.read(compressed_);
    if (n == 0 && empty_) damaged(path_, "the zstd file is empty");
    empty_ = false;
    in_ = {compressed_.data(), n, 0};
    return n > 0;
  }
  std::string path_;
  PlainSource plain_;
  std::vector<char> compressed_;
  ZSTD_DStream* stream_ = ZSTD_createDStream();
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool inside_ = false, empty_ = true;
};

}  // namespace

std::unique_ptr<ByteSource> open_byte_source(const std::string& path) {
  if (path.ends_with(".gz")) return std::make_unique<GzipSource>(path);
  if (path.ends_with(".zst")) return std::make_unique<ZstdSource>(path);
  return std::make_unique<PlainSource>(path);
}

// Bytes at the end of `part` that begin a character and do not finish it.
static size_t unfinished(const std::string& part) {
  for (size_t back = 1; back <= std::min<size_t>(3, part.size()); ++back) {
    const auto byte = static_cast<unsigned char>(part[part.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

bool LineReader::next(std::string& line, bool& ended, size_t limit) {
  line = std::exchange(carry_, {});
  ended = false;
  while (!ended && line.size() < limit) {
    if (begin_ == end_) {
      begin_ = 0;
      end_ = source_.read(buffer_);
      if (end_ == 0) return !line.empty();
    }
    const char* from = buffer_.data() + begin_;
    const size_t most = std::min(end_ - begin_, limit - line.size());
    const auto* stop = static_cast<const char*>(std::memchr(from, '\n', most));
    ended = stop != nullptr;
    const size_t length = ended ? static_cast<size_t>(stop - from) : most;
    line.append(from, length);
    begin_ += length + (ended ? 1 : 0);
    offset_ += static_cast<int64_t>(length) + (ended ? 1 : 0);
  }
  if (!ended) {
    const size_t kept = line.size() - unfinished(line);
    carry_ = line.substr(kept);
    line.resize(kept);
  }
  return true;
}

void LineReader::skip(int64_t bytes) {
  while (offset_ < bytes) {
    if (begin_ == end_) {
      begin_ = 0;
      end_ = source_.read(buffer_);
      if (end_ == 0) return;
    }
    const size_t taken = std::min(end_ - begin_, static_cast<size_t>(bytes - offset_));
    begin_ += taken;
    offset_ += static_cast<int64_t>(taken);
  }
}

}  // namespace hyscale::data
