#include "core/data/token_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/token_ranges.h"

namespace hyscale::data {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, size_t byte, const std::string& what, const std::string& remedy) {
  throw ConfigError({.what = fmt::format("byte {}: {}", byte, what), .remedy = remedy, .at = {path}});
}

const char* const kWriteAgain = "write the file again; this one is cut short or damaged";
const char* const kNpyRemedy = "save it again with numpy.save(FILE, numpy.ascontiguousarray(ids, dtype='<u4'))";

/// Reads the numbers of a header front to back, and says where it ends too early.
class HeaderReader {
 public:
  HeaderReader(const std::string& path, std::span<const std::byte> bytes) : path_(path), bytes_(bytes) {}
  template <class T>
  T next() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::span<const std::byte> take(size_t count) {
    if (count > bytes_.size() - at_) refuse(path_, bytes_.size(), "the file ends inside its header", kWriteAgain);
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  size_t at() const { return at_; }

 private:
  const std::string& path_;
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

/// The file's numbers from `offset` on must be `count`.
void expect_numbers(const std::string& path, const spec::TokenRange& range, const std::string& promised_by) {
  const int64_t wanted = range.offset + range.count * range.width;
  if (range.file_bytes != wanted)
    refuse(path, static_cast<size_t>(std::min(range.file_bytes, wanted)),
           fmt::format("{} promises {} numbers of {} bytes, so the file should end at byte {}; it has {} bytes",
                       promised_by, range.count, range.width, wanted, range.file_bytes),
           kWriteAgain);
  if (range.count == 0) refuse(path, static_cast<size_t>(range.offset), "the file holds no tokens", "leave it out");
}

/// What stands behind 'key': in numpy's header, which is the text of a Python dictionary.
std::string_view field(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}'", key));
  const size_t colon = at == std::string_view::npos ? at : header.find(':', at);
  if (colon == std::string_view::npos) return {};
  const size_t begin = header.find_first_not_of(' ', colon + 1);
  return begin == std::string_view::npos ? std::string_view{} : header.substr(begin);
}

std::vector<int64_t> parse_shape(std::string_view text) {
  std::vector<int64_t> shape;
  const std::string_view inside = text.substr(0, text.find(')'));
  const char *at = inside.data(), *end = at + inside.size();
  while (at != end) {
    int64_t extent = 0;
    const auto [rest, error] = std::from_chars(at, end, extent);
    if (error == std::errc{}) shape.push_back(extent);
    at = error == std::errc{} ? rest : at + 1;
  }
  return shape;
}

/// Sets width and sign from numpy's type, "<u2".
void take_type(const std::string& path, size_t at, std::string_view type, TokenFile& file) {
  const size_t quote = type.find('\'', 1);
  const std::string name(type.substr(0, quote == std::string_view::npos ? 0 : quote + 1));
  for (const auto& [known, width, is_signed] : {std::tuple{"'<u2'", 2, false}, std::tuple{"'<u4'", 4, false},
                                                std::tuple{"'<i4'", 4, true}, std::tuple{"'<i8'", 8, true}})
    if (name == known) {
      file.range.width = width;
      file.is_signed = is_signed;
      return;
    }
  refuse(path, at, fmt::format("the numbers are of type {}, not uint16, uint32, int32 or int64", name), kNpyRemedy);
}

TokenFile open_npy(const std::string& path, const MappedFile& map) {
  TokenFile file{.format = "npy", .range = range_of_file(path)};
  HeaderReader reader(path, map.bytes());
  if (!starts_with(map.bytes(), "\x93NUMPY")) refuse(path, 0, "a .npy file starts with \\x93NUMPY", kNpyRemedy);
  reader.take(6);
  const auto major = reader.next<uint8_t>();
  reader.next<uint8_t>();
  const size_t length = major == 1 ? reader.next<uint16_t>() : reader.next<uint32_t>();
  const size_t begin = reader.at();
  const auto bytes = reader.take(length);
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  take_type(path, begin, field(header, "descr"), file);
  const std::vector<int64_t> shape = parse_shape(field(header, "shape"));
  if (shape.empty() || shape.size() > 2)
    refuse(path, begin, fmt::format("the array has {} dimensions, not 1 or 2", shape.size()), kNpyRemedy);
  if (shape.size() == 2 && !field(header, "fortran_order").starts_with("False"))
    refuse(path, begin, "the rows do not lie one after the other (fortran_order)", kNpyRemedy);
  file.range.offset = static_cast<int64_t>(reader.at());
  const int64_t columns = shape.size() == 2 ? shape[1] : 1;
  if (shape[0] < 0 || columns < 0 || (columns > 0 && shape[0] > file.range.file_bytes / columns))
    refuse(path, begin, fmt::format("{} x {} numbers are no array that this file could hold", shape[0], columns),
           kWriteAgain);
  file.range.count = shape[0] * columns;
  expect_numbers(path, file.range, "the header");
  if (shape.size() == 2)
    for (int64_t row = 1; row <= shape[0]; ++row) file.document_ends.push_back(row * shape[1]);
  return file;
}

/// llm.c's header is 256 int32, the first three being magic, version and number of tokens; nullopt for another file.
std::optional<TokenFile> open_llmc(const std::string& path, const MappedFile& map) {
  constexpr int32_t kMagic16 = 20240520, kMagic32 = 20240801;
  constexpr size_t kHeader = 256 * sizeof(int32_t);
  if (map.bytes().size() < 3 * sizeof(int32_t)) return std::nullopt;
  std::array<int32_t, 3> head{};
  std::memcpy(head.data(), map.bytes().data(), sizeof head);
  const bool wide = head[0] == kMagic32;
  if (head[0] != kMagic16 && !wide) return std::nullopt;
  if (head[1] != (wide ? 7 : 1))
    refuse(path, sizeof(int32_t), fmt::format("llm.c's data version {} is not known, {} is", head[1], wide ? 7 : 1),
           "write the file with a version of llm.c that writes that one");
  HeaderReader(path, map.bytes()).take(kHeader);
  TokenFile file{.format = "llm.c", .range = range_of_file(path)};
  file.range.width = wide ? 4 : 2;
  file.range.offset = kHeader;
  file.range.count = static_cast<uint32_t>(head[2]);
  expect_numbers(path, file.range, "the header");
  return file;
}

TokenFile open_raw(const std::string& path, const std::string& type) {
  TokenFile file{.format = "raw " + type, .range = range_of_file(path)};
  file.range.width = type == "uint32" ? 4 : 2;
  if (file.range.file_bytes % file.range.width != 0)
    refuse(path, static_cast<size_t>(file.range.file_bytes),
           fmt::format("the file ends inside a number of {} bytes", file.range.width),
           "say with --dtype what numbers it holds; when that is right, the file is cut short");
  file.range.count = file.range.file_bytes / file.range.width;
  expect_numbers(path, file.range, "the size");
  return file;
}

constexpr std::string_view kMegatronMagic("MMIDIDX\0\0", 9);

/// Ends of the documents, out of lengths and places of the sequences, which must lie one after the other.
std::vector<int64_t> megatron_ends(const std::string& path, HeaderReader& reader, int64_t width, int64_t sequences,
                                   int64_t bounds) {
  const auto room = [&](int64_t count, size_t bytes) { return reader.take(static_cast<size_t>(count) * bytes); };
  if (sequences < 0 || bounds < 0 || sequences > (int64_t{1} << 40) || bounds > (int64_t{1} << 40))
    refuse(path, 18, fmt::format("{} sequences and {} document bounds", sequences, bounds), kWriteAgain);
  const auto lengths = room(sequences, 4), places = room(sequences, 8);
  const size_t bounds_at = reader.at();
  const auto documents = room(bounds, 8);
  const auto at = []<class T>(std::span<const std::byte> bytes, int64_t index, T value) {
    std::memcpy(&value, bytes.data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
    return value;
  };
  std::vector<int64_t> ends;
  int64_t total = 0, next = 1;
  for (int64_t s = 0; s < sequences; ++s) {
    if (at(places, s, int64_t{}) != total * width)
      refuse(path, bounds_at - 8 * static_cast<size_t>(sequences - s),
             fmt::format("sequence {} does not begin where the one before ends", s),
             "write the data set again with Megatron's preprocess_data.py or merge_datasets.py");
    total += std::max(0, at(lengths, s, int32_t{}));
    for (; next < bounds && at(documents, next, int64_t{}) == s + 1; ++next)
      if (total > (ends.empty() ? 0 : ends.back())) ends.push_back(total);
  }
  if (next < bounds)
    refuse(path, bounds_at + 8 * static_cast<size_t>(next), "the document bounds do not ascend", kWriteAgain);
  if (total > (ends.empty() ? 0 : ends.back())) ends.push_back(total);
  return ends;
}

TokenFile open_megatron(const std::string& stem) {
  const std::string index = stem + ".idx", path = stem + ".bin";
  const MappedFile map(index);
  HeaderReader reader(index, map.bytes());
  reader.take(kMegatronMagic.size());
  if (const auto version = reader.next<uint64_t>(); version != 1)
    refuse(index, kMegatronMagic.size(), fmt::format("index version {}, this program reads 1", version), "");
  TokenFile file{.format = "Megatron", .range = range_of_file(path)};
  const size_t type_at = reader.at();
  const auto type = reader.next<uint8_t>();  // 3: int16, 4: int32, 5: int64, 8: uint16
  file.range.width = type == 3 || type == 8 ? 2 : type == 4 ? 4 : type == 5 ? 8 : 0;
  file.is_signed = type != 8;
  if (file.range.width == 0)
    refuse(index, type_at, fmt::format("numbers of type code {}, not int16, uint16, int32 or int64", type),
           "write the data set with one of those types");
  const auto sequences = static_cast<int64_t>(reader.next<uint64_t>());
  const auto bounds = static_cast<int64_t>(reader.next<uint64_t>());
  file.document_ends = megatron_ends(index, reader, file.range.width, sequences, bounds);
  file.range.count = file.document_ends.empty() ? 0 : file.document_ends.back();
  expect_numbers(path, file.range, index);
  return file;
}

bool has_megatron_index(const std::string& stem) {
  const std::string index = stem + ".idx";
  return fs::is_regular_file(index) && starts_with(MappedFile(index).bytes(), kMegatronMagic);
}

}  // namespace

bool is_token_file(const std::string& path) {
  return path.ends_with(".npy") || path.ends_with(".bin") || path.ends_with(".idx");
}

TokenFile open_token_file(const std::string& path, const std::string& raw) {
  const std::string whole = fs::absolute(path).lexically_normal().string();
  const std::string stem = whole.substr(0, whole.size() - 4);
  for (const std::string& needed : {whole, path.ends_with(".idx") ? stem + ".bin" : whole})
    if (!fs::is_regular_file(needed))
      throw ConfigError({.what = fmt::format("there is no {}", needed), .remedy = "check the spelling of the path"});
  if (!path.ends_with(".npy") && has_megatron_index(stem)) return open_megatron(stem);
  if (path.ends_with(".idx"))
    refuse(whole, 0, "an index starts with MMIDIDX", "name the .bin file alone when it has no Megatron index");
  const MappedFile map(whole);
  if (path.ends_with(".npy")) return open_npy(whole, map);
  if (auto file = open_llmc(whole, map)) return std::move(*file);
  return open_raw(whole, raw);
}

}  // namespace hyscale::data
