#pragma once

#include <fstream>
#include <string>

namespace hyscale::storage {

/// Turns one bit of a file over, as a failing disk does.
inline void flip_bit(const std::string& path, size_t byte, int bit = 3) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(byte));
  const int old = file.get();
  file.seekp(static_cast<std::streamoff>(byte));
  file.put(static_cast<char>(old ^ (1 << bit)));
}

}  // namespace hyscale::storage
