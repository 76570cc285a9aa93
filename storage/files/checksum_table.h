#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hyscale::storage {

/// Where one array's bytes lie in a file, and their CRC-32.
struct ChecksumRange {
  std::string name;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// What stands behind an HDF5 image: a JSON table {"image_bytes", "rest_crc32", "arrays": [[name, offset, bytes,
/// crc32], …]} and a footer of 32 characters, "HYSCALE1", CRC-32 and length of the table in hexadecimal.
std::string make_checksum_table(std::string_view image, std::vector<ChecksumRange> ranges);

/// Compares `file` with its table. Throws DamagedFile naming `path` and what is damaged.
void verify_checksum_table(const std::string& path, std::string_view file);

}  // namespace hyscale::storage
