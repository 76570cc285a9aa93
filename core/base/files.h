#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hyscale {

/// Whole file as text. Throws IoError naming the path and the remedy.
std::string read_file(const std::string& path);

/// Replaces `path` so that a reader sees the old or the new content, never a mixture, whatever is killed when:
/// temporary name, write, fsync, rename, fsync of the directory. Throws IoError; the old content then stays.
void write_file_atomically(const std::string& path, std::string_view content);

/// The same without waiting for the disk: whole for every reader, yet lost or torn after a power cut unless
/// sync_file_system has come in between. For many small files at once.
void replace_file(const std::string& path, std::string_view content);
void sync_file_system(const std::string& path);  // all of the file system that holds `path`

/// Writes a whole new file and syncs it. Throws IoError; no file is then left. With commit_file after a check of one's
/// own, the long way to write_file_atomically.
void write_synced_file(const std::string& path, std::string_view content);

/// fsync of a file and of the directory that names it.
void sync_file(const std::string& path);
void sync_directory(const std::string& path);

/// Renames a complete, synced temporary file over `path` and syncs the directory.
void commit_file(const std::string& temporary, const std::string& path);

/// A name beside `path` that no other process uses: "PATH.tmp-<host>-<pid>".
std::string temporary_name(const std::string& path);

/// Creates the directory and its parents. Throws IoError when that is refused or the directory cannot be written.
void make_writable_directory(const std::string& path);

/// A read-only memory map of a whole file. Throws IoError.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
  }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// An advisory lock held for the life of the object (flock); released by the kernel when the process dies.
class FileLock {
 public:
  enum class Wait { yes, no };
  /// Throws IoError when the file cannot be made. With Wait::no, `held()` tells whether the lock was free.
  FileLock(const std::string& path, Wait wait);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool held() const { return held_; }

 private:
  int descriptor_ = -1;
  bool held_ = false;
};

}  // namespace hyscale
