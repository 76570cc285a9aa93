#include "exchange/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace hyscale::exchange {
namespace {

constexpr uint64_t kPrefix = 8;                 // bytes of the header's length
constexpr uint64_t kLongestHeader = 100000000;  // the format's own limit

const std::map<std::string, uint64_t> kElementBytes = {
    {"F64", 8}, {"I64", 8}, {"U64", 8}, {"F32", 4},     {"I32", 4},     {"U32", 4}, {"F16", 2}, {"BF16", 2},
    {"I16", 2}, {"U16", 2}, {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"U8", 1},  {"BOOL", 1}};

uint64_t little_endian(std::span<const std::byte> bytes, size_t width) {
  uint64_t value = 0;
  for (size_t i = width; i-- > 0;) value = (value << 8) | std::to_integer<uint64_t>(bytes[i]);
  return value;
}

/// Parses the header; a name that stands there twice is kept in `twice`.
nlohmann::json parse_header(std::string_view text, std::string& twice) {
  std::set<std::string> seen;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& key) {
    if (event == nlohmann::json::parse_event_t::key && depth == 1 && !seen.insert(key.get<std::string>()).second)
      twice = key.get<std::string>();
    return true;
  };
  return nlohmann::json::parse(text, watch, false);
}

bool is_list_of_sizes(const nlohmann::json& list) {
  return list.is_array() &&
         std::all_of(list.begin(), list.end(), [](const nlohmann::json& n) { return n.is_number_unsigned(); });
}

/// Bytes of the tensor; nullopt when they are more than 2^62.
std::optional<uint64_t> bytes_of(const std::vector<int64_t>& shape, uint64_t element) {
  uint64_t bytes = element;
  for (const int64_t extent : shape) {
    if (extent > 0 && bytes > (uint64_t{1} << 62) / static_cast<uint64_t>(extent)) return std::nullopt;
    bytes *= static_cast<uint64_t>(extent);
  }
  return bytes;
}

}  // namespace

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);  // a NaN stays one
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float from_f16(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu, fraction = bits & 0x3ffu;
  if (exponent == 0x1fu) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // subnormal
  return sign != 0 ? -magnitude : magnitude;
}

void SafetensorsFile::damaged(const std::string& what) const {
  throw DamagedFile(
      {.what = fmt::format("{} is damaged: {}", path_, what), .remedy = "fetch or export the file again"});
}

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path), file_(path) {
  const std::span<const std::byte> bytes = file_.bytes();
  if (bytes.size() < kPrefix) damaged(fmt::format("it has {} bytes, too few for any header", bytes.size()));
  const uint64_t header = little_endian(bytes, kPrefix);
  if (header > kLongestHeader || header > bytes.size() - kPrefix)
    damaged(fmt::format("its header should have {} bytes, the whole file has {}", header, bytes.size()));
  data_begin_ = kPrefix + header;
  std::string twice;
  const nlohmann::json json =
      parse_header({reinterpret_cast<const char*>(bytes.data()) + kPrefix, static_cast<size_t>(header)}, twice);
  if (!json.is_object()) damaged("its header is no JSON object");
  if (!twice.empty()) damaged(fmt::format("tensor {} is there twice", twice));
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      for (const auto& [key, note] : value.items())
        if (note.is_string()) notes_[key] = note.get<std::string>();
      continue;
    }
    const nlohmann::json dtype = value.is_object() ? value.value("dtype", nlohmann::json()) : nlohmann::json();
    const nlohmann::json shape = value.is_object() ? value.value("shape", nlohmann::json()) : nlohmann::json();
    const nlohmann::json offsets = value.is_object() ? value.value("data_offsets", nlohmann::json()) : nlohmann::json();
    if (!dtype.is_string() || !is_list_of_sizes(shape) || !is_list_of_sizes(offsets) || offsets.size() != 2)
      damaged(fmt::format("tensor {} has no dtype, shape and data_offsets", name));
    tensors_[name] = {.dtype = dtype, .shape = shape, .begin = offsets[0], .end = offsets[1]};
  }
  check_layout(bytes.size() - data_begin_);
}

// The numbers of all tensors lie end to end and fill the file.
void SafetensorsFile::check_layout(uint64_t data_bytes) const {
  std::vector<std::pair<uint64_t, const std::string*>> order;
  for (const auto& [name, entry] : tensors_) {
    const auto element = kElementBytes.find(entry.dtype);
    if (element == kElementBytes.end()) damaged(fmt::format("tensor {} has the unknown dtype {}", name, entry.dtype));
    const auto wanted = bytes_of(entry.shape, element->second);
    if (entry.begin > entry.end || entry.end > data_bytes)
      damaged(fmt::format("tensor {} lies at bytes {} to {} of {}", name, entry.begin, entry.end, data_bytes));
    if (!wanted || *wanted != entry.end - entry.begin)
      damaged(fmt::format("tensor {} has {} bytes, which {} numbers of {} do not fill", name, entry.end - entry.begin,
                          fmt::format("[{}]", fmt::join(entry.shape, ", ")), entry.dtype));
    order.emplace_back(entry.begin, &name);
  }
  std::sort(order.begin(), order.end(), [this](const auto& a, const auto& b) {
    return std::pair(a.first, at(*a.second).end) < std::pair(b.first, at(*b.second).end);
  });
  uint64_t end = 0;
  for (const auto& [begin, name] : order) {
    if (begin < end) damaged(fmt::format("tensor {} overlaps the one before it", *name));
    if (begin > end) damaged(fmt::format("{} bytes in front of tensor {} belong to none", begin - end, *name));
    end = at(*name).end;
  }
  if (end != data_bytes) damaged(fmt::format("{} bytes at its end belong to no tensor", data_bytes - end));
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : tensors_) names.push_back(name);
  return names;
}

const SafetensorsFile::Entry& SafetensorsFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) damaged(fmt::format("tensor {} is missing", name));
  return found->second;
}

void SafetensorsFile::read(const std::string& name, std::span<float> out) const {
  const Entry& entry = at(name);
  const std::byte* from = file_.bytes().data() + data_begin_ + entry.begin;
  if (entry.dtype != "F32" && entry.dtype != "BF16" && entry.dtype != "F16")
    throw ConfigError({.what = fmt::format("{}: tensor {} is {}", path_, name, entry.dtype),
                       .remedy = "F32, BF16 and F16 can be read"});
  const uint64_t width = entry.dtype == "F32" ? 4 : 2;
  if (out.size() * width != entry.end - entry.begin)
    damaged(fmt::format("tensor {} has {} bytes, {} numbers were expected", name, entry.end - entry.begin, out.size()));
  if (width == 4) {
    std::memcpy(out.data(), from, out.size_bytes());
    return;
  }
  const auto convert = entry.dtype == "BF16" ? from_bf16 : from_f16;
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t bits = 0;
    std::memcpy(&bits, from + 2 * i, sizeof bits);
    out[i] = convert(bits);
  }
}

}  // namespace hyscale::exchange
