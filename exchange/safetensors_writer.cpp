#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <numeric>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "exchange/safetensors.h"

namespace hyscale::exchange {
namespace {

size_t count(const std::vector<int64_t>& shape) {
  return static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
}

/// Length and header, padded with spaces so that the numbers are aligned.
std::string header_of(const std::map<std::string, std::string>& notes, const std::vector<TensorToWrite>& tensors,
                      StoredType type) {
  nlohmann::ordered_json json;
  if (!notes.empty()) json["__metadata__"] = notes;
  const size_t width = type == StoredType::f32 ? 4 : 2;
  size_t begin = 0;
  for (const TensorToWrite& tensor : tensors) {
    const size_t end = begin + width * count(tensor.shape);
    json[tensor.name] = {
        {"dtype", type == StoredType::f32 ? "F32" : "BF16"}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = json.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length(8, '\0');
  for (size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>((text.size() >> (8 * i)) & 0xff);
  return length + text;
}

void write_numbers(std::ofstream& out, std::span<const float> values, StoredType type) {
  if (type == StoredType::f32) {
    out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
    return;
  }
  std::vector<uint16_t> bits(values.size());
  std::transform(values.begin(), values.end(), bits.begin(), to_bf16);
  out.write(reinterpret_cast<const char*>(bits.data()), static_cast<std::streamsize>(bits.size() * sizeof bits[0]));
}

void write_whole(const std::string& path, const std::map<std::string, std::string>& notes,
                 const std::vector<TensorToWrite>& tensors, StoredType type) {
  std::ofstream out(path, std::ios::binary);
  const std::string header = header_of(notes, tensors, type);
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  for (const TensorToWrite& tensor : tensors) {
    std::vector<float> values(count(tensor.shape));
    tensor.fill(values);
    write_numbers(out, values, type);
  }
  out.close();
  if (!out)
    throw IoError({.what = fmt::format("cannot write {}: {}", path, std::strerror(errno)),
                   .remedy = "check the space and rights there"});
}

}  // namespace

void write_safetensors(const std::string& path, const std::map<std::string, std::string>& notes,
                       const std::vector<TensorToWrite>& tensors, StoredType type) {
  const std::string temporary = temporary_name(path);
  try {
    write_whole(temporary, notes, tensors, type);
    (void)SafetensorsFile(temporary);
    sync_file(temporary);
    commit_file(temporary, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

}  // namespace hyscale::exchange
