#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/data/byte_source.h"
#include "core/data/parquet_source.h"

namespace hyscale::data {

/// The text files that `paths` name: a file as it is, a directory with all its .txt and .jsonl files (also .gz, .zst)
/// and, where this build reads them, .parquet files, in the order of their names. Throws ConfigError listing every path
/// that is missing, empty, or of another kind.
std::vector<std::string> find_text_files(const std::vector<std::string>& paths);

/// Whether a directory holds any such file.
bool has_text_files(const std::string& directory);

/// What becomes of text that is no UTF-8: a problem; U+FFFD in place of the bytes; or the document is left out.
enum class InvalidUtf8 { fail, replace, skip };

/// A document, or a part of a long one: documents beyond about a megabyte come in pieces, so that memory is bounded.
struct TextPiece {
  std::string text{};
  bool first = true, last = true;  // of its document
  bool dropped = false;            // the document turned out bad: forget its earlier pieces (this one is its last)
};

/// Between two documents: where a reader can go on. Counts are those so far.
struct ReaderPosition {
  int64_t file = 0;
  int64_t byte = 0;  // of the text of that file, decompressed; of Parquet the row
  int64_t line = 0;  // or row
  int64_t documents_in_file = 0, blank = 0;
  int64_t invalid_in_file = 0, first_invalid_line = 0, first_invalid_column = 0;
  std::vector<std::string> notes{};  // one for each file with text that was no UTF-8
};

/// Reads documents front to back, one file after the other.
///
/// - `.jsonl`: each line is a JSON object, its `field` a document. A line is held in memory as a whole.
/// - `.txt`: a line that holds only a form feed separates documents; without one the file is one document.
/// - `.parquet`: each row of the column `field` is a document; null is one without text.
///
/// What is wrong (bad UTF-8 unless it is let by, malformed JSON, a missing field, a torn or empty file) is collected
/// with its place, and reading goes on behind it. Documents of white space alone are skipped and counted.
class DocumentReader {
 public:
  DocumentReader(std::vector<std::string> files, std::string field, InvalidUtf8 policy,
                 const ReaderPosition& from = {});
  /// The next good document, or its next piece; false at the end.
  bool next(TextPiece& piece);

  /// Meaningful after the last piece of a document.
  const ReaderPosition& position() const { return at_; }
  /// Bytes of the files that have been read, as they lie on disk.
  int64_t bytes_read() const { return finished_bytes_ + consumed(); }
  bool has_problems() const { return problem_count_ > 0; }
  /// Throws ConfigError with the first 20 problems and the count of the others.
  void throw_if_problems() const;
  const std::string& current_file() const;

 private:
  void open(int64_t skip);
  void close();
  bool fill();
  bool fill_json();
  bool fill_plain();
  bool fill_rows();
  bool next_line(size_t limit);
  bool parse_json(std::string& text);
  bool clean(std::string& text);
  void emit(TextPiece& piece);
  void report(Problem found);
  int64_t offset() const { return rows_ ? rows_->row() : lines_->offset(); }
  int64_t consumed() const { return rows_ ? rows_->consumed() : source_ ? source_->consumed() : 0; }
  Location here(size_t byte) const { return {current_file(), static_cast<int>(at_.line), static_cast<int>(byte) + 1}; }

  std::vector<std::string> files_;
  std::string field_;
  InvalidUtf8 policy_;
  ReaderPosition at_;
  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<LineReader> lines_;
  std::unique_ptr<StringColumn> rows_;  // instead of both: Parquet
  std::string current_;                 // line, or part of a long one
  bool ended_ = true;                   // current_ reaches to the end of its line
  int64_t column_ = 0;                  // where current_ begins in its line
  std::string pending_;                 // text of the document that has not been handed out
  bool begun_ = false;                  // a piece of it has been
  bool complete_ = false;               // pending_ reaches to its end
  bool bad_ = false;                    // it will be left out
  int64_t finished_bytes_ = 0;
  int64_t problems_before_file_ = 0, problem_count_ = 0;
  std::vector<Problem> problems_;
};

}  // namespace hyscale::data
