#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hyscale {

/// SHA-256, fed piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256& other);  // goes on from where `other` is
  Sha256& operator=(const Sha256&) = delete;
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  std::string hex();  // 64 lower-case digits; ends the computation

 private:
  struct State;
  std::unique_ptr<State> state_;
};
std::string sha256_hex(std::string_view text);
std::string sha256_hex_of_file(const std::string& path);

/// CRC-32 (zlib's polynomial): tells torn and altered records from whole ones.
uint32_t crc32_of(std::span<const std::byte> bytes, uint32_t before = 0);
uint32_t crc32_of(std::string_view text, uint32_t before = 0);

}  // namespace hyscale
