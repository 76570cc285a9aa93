#include "core/data/token_ranges.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace hyscale::data {
namespace {

constexpr size_t kBlock = size_t{1} << 18;  // numbers that are hashed at once

template <class T>
void copy_as(const std::byte* from, std::span<int32_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    out[i] = static_cast<int32_t>(value);
  }
}

}  // namespace

void copy_numbers(const std::byte* from, int64_t width, std::span<int32_t> out) {
  if (width == 2)
    copy_as<uint16_t>(from, out);
  else if (width == 4)
    copy_as<uint32_t>(from, out);
  else
    copy_as<uint64_t>(from, out);
}

spec::TokenRange range_of_file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    throw IoError({.what = fmt::format("cannot read {}: {}", path, std::strerror(errno)),
                   .remedy = "put the file back, or prepare the corpus again with hybrid-worker data"});
  return {.path = path,
          .file_bytes = info.st_size,
          .modified = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

TokenRanges::TokenRanges(const std::vector<spec::TokenRange>& ranges) : ranges_(ranges) {
  for (const spec::TokenRange& range : ranges_) {
    const MappedFile& map = maps_.emplace_back(range.path);
    const auto bytes = static_cast<int64_t>(map.bytes().size());
    if (bytes != range.file_bytes || range.offset + range.count * range.width > bytes)
      throw DamagedFile(
          {.what = fmt::format("{} has {} bytes, the corpus was made from {}", range.path, bytes, range.file_bytes),
           .why = "runs trained on other tokens would carry a wrong identity",
           .remedy = "put the old file back, or make another corpus with hybrid-worker data"});
    begins_.push_back(begins_.back() + range.count);
  }
}

void TokenRanges::read(int64_t begin, std::span<int32_t> out) const {
  const int64_t end = begin + static_cast<int64_t>(out.size());
  if (begin < 0 || end > size())
    throw ShapeError(fmt::format("tokens {} … {} asked for, {} there", begin, end, size()));
  auto at = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), begin) - begins_.begin()) - 1;
  while (!out.empty()) {
    const spec::TokenRange& range = ranges_[at];
    const int64_t first = begin - begins_[at];
    const auto taken = std::min(out.size(), static_cast<size_t>(range.count - first));
    copy_numbers(maps_[at].bytes().data() + range.offset + first * range.width, range.width, out.first(taken));
    out = out.subspan(taken);
    begin += static_cast<int64_t>(taken);
    ++at;
  }
}

bool TokenRanges::modified() const {
  return std::any_of(ranges_.begin(), ranges_.end(), [](const spec::TokenRange& range) {
    return range_of_file(range.path).modified != range.modified;
  });
}

std::string TokenRanges::sha256(uint32_t width) const {
  Sha256 hash;
  std::vector<int32_t> block(kBlock);
  std::vector<uint16_t> narrow(kBlock);
  for (int64_t begin = 0; begin < size(); begin += static_cast<int64_t>(kBlock)) {
    const auto count = static_cast<size_t>(std::min(static_cast<int64_t>(kBlock), size() - begin));
    const auto numbers = std::span(block).first(count);
    read(begin, numbers);
    std::transform(numbers.begin(), numbers.end(), narrow.begin(), [](int32_t x) { return static_cast<uint16_t>(x); });
    hash.update(width == 2 ? std::as_bytes(std::span(narrow).first(count)) : std::as_bytes(numbers));
  }
  return hash.hex();
}

}  // namespace hyscale::data
