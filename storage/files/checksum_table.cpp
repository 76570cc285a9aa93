#include "storage/files/checksum_table.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace hyscale::storage {
namespace {

constexpr std::string_view kMagic = "HYSCALE1";
constexpr size_t kFooter = 32;

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw DamagedFile({.what = fmt::format("{} is damaged: {}", path, what), .at = {}});
}

/// CRC-32 of everything that no range covers.
uint32_t crc_of_rest(std::string_view image, const std::vector<ChecksumRange>& sorted) {
  uint32_t crc = 0;
  uint64_t at = 0;
  for (const ChecksumRange& range : sorted) {
    crc = crc32_of(image.substr(at, range.offset - at), crc);
    at = range.offset + range.bytes;
  }
  return crc32_of(image.substr(at), crc);
}

uint64_t hexadecimal(std::string_view digits, const std::string& path) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) damaged(path, "its end is not what was written");
  return value;
}

/// The table's text, once footer and checksum of the table itself hold.
std::string_view table_of(const std::string& path, std::string_view file) {
  if (file.size() < kFooter || file.substr(file.size() - kFooter, kMagic.size()) != kMagic)
    damaged(path, "its end is missing; it was cut short, or something else wrote it");
  const std::string_view footer = file.substr(file.size() - kFooter);
  const uint64_t crc = hexadecimal(footer.substr(8, 8), path), bytes = hexadecimal(footer.substr(16, 16), path);
  if (bytes > file.size() - kFooter) damaged(path, "its end is missing");
  const std::string_view table = file.substr(file.size() - kFooter - bytes, bytes);
  if (crc32_of(table) != crc) damaged(path, "its table of checksums was altered");
  return table;
}

}  // namespace

std::string make_checksum_table(std::string_view image, std::vector<ChecksumRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  nlohmann::json arrays = nlohmann::json::array();
  for (const ChecksumRange& r : ranges)
    arrays.push_back({r.name, r.offset, r.bytes, crc32_of(image.substr(r.offset, r.bytes))});
  const std::string table = nlohmann::json{
      {"image_bytes", image.size()},
      {"rest_crc32", crc_of_rest(image, ranges)},
      {"arrays", arrays}}.dump();
  return fmt::format("{}{}{:08x}{:016x}", table, kMagic, crc32_of(table), table.size());
}

void verify_checksum_table(const std::string& path, std::string_view file) {
  const std::string_view text = table_of(path, file);
  const auto table = nlohmann::json::parse(text);  // whole: its checksum held
  const std::string_view image = file.substr(0, file.size() - text.size() - kFooter);
  if (table.at("image_bytes").get<uint64_t>() != image.size())
    damaged(path, fmt::format("it holds {} bytes of {}", image.size(), table.at("image_bytes").get<uint64_t>()));
  std::vector<ChecksumRange> ranges;
  for (const auto& entry : table.at("arrays")) {
    ranges.push_back({entry.at(0).get<std::string>(), entry.at(1).get<uint64_t>(), entry.at(2).get<uint64_t>()});
    const ChecksumRange& r = ranges.back();
    if (crc32_of(image.substr(r.offset, r.bytes)) != entry.at(3).get<uint32_t>())
      damaged(path, fmt::format("the bytes of {} were altered", r.name));
  }
  if (crc_of_rest(image, ranges) != table.at("rest_crc32").get<uint32_t>())
    damaged(path, "names, shapes or attributes were altered");
}

}  // namespace hyscale::storage
