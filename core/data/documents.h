#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/data/byte_source.h"

namespace hyscale::data {

/// The text files that `paths` name: a file as it is, a directory with all its .txt and .jsonl files (also .gz, .zst)
/// in the order of their names. Throws ConfigError listing every path that is missing, empty, or of another kind.
std::vector<std::string> find_text_files(const std::vector<std::string>& paths);

/// Whether a directory holds any such file.
bool has_text_files(const std::string& directory);

/// Reads documents front to back, one file after the other, holding one document at a time.
///
/// - `.jsonl`: each line is a JSON object, its `field` a document.
/// - `.txt`: a line that holds only a form feed separates documents; without one the file is one document.
///
/// What is wrong (bad UTF-8, malformed JSON, a missing field, a torn or empty file) is collected with its place, and
/// reading goes on behind it. Documents of white space alone are skipped and counted.
class DocumentReader {
 public:
  DocumentReader(std::vector<std::string> files, std::string field);
  /// The next good document; false at the end.
  bool next(std::string& text);

  int64_t blank_documents() const { return blank_; }
  bool has_problems() const { return problem_count_ > 0; }
  /// Throws ConfigError with the first 20 problems and the count of the others.
  void throw_if_problems() const;
  const std::string& current_file() const { return files_[file_ < files_.size() ? file_ : files_.size() - 1]; }

 private:
  void open_next();
  void close();
  bool next_in_file(std::string& text);
  bool next_json(std::string& text);
  bool next_plain(std::string& text);
  bool next_line();
  bool parse_json(std::string& text);
  void report(Problem found);
  Location here(size_t byte) const { return {files_[file_], line_, static_cast<int>(byte) + 1}; }

  std::vector<std::string> files_;
  std::string field_;
  size_t file_ = 0;
  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<LineReader> lines_;
  std::string current_;
  bool ended_ = false;
  int line_ = 0;
  int64_t documents_in_file_ = 0, problems_before_file_ = 0;
  int64_t blank_ = 0, problem_count_ = 0;
  std::vector<Problem> problems_;
};

}  // namespace hyscale::data
