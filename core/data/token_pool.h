#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "core/data/corpus_writer.h"
#include "core/data/record_file.h"
#include "core/data/smallest_keys.h"

namespace hyscale::data {

/// Sends each document to training or validation by its key. Documents that come in pieces, and candidates for a
/// validation split of so many tokens, wait in a file: memory is bounded, and a killed preparation finds them again.
class Splitter {
 public:
  struct Rule {
    double fraction = 0.01;  // used when `tokens` is 0
    int64_t tokens = 0;
  };
  /// What must be known to go on; both 0 at the start.
  struct Place {
    int64_t ids = 0, entries = 0;
  };
  Splitter(const std::string& directory, Rule rule, CorpusWriter& writer, Place from);

  /// A whole document: `bytes` of text.
  void add(uint64_t key, std::span<const int32_t> ids, int64_t bytes);
  /// A document in pieces: begin, part …, then end or drop.
  void begin();
  void part(std::span<const int32_t> ids, int64_t bytes);
  void end(uint64_t key);
  void drop();
  /// All documents have been added.
  void finish();

  /// Between two documents; on disk when it returns.
  Place sync();
  static void remove_files(const std::string& directory);

 private:
  struct Entry {
    uint64_t key = 0;
    int64_t begin = 0, count = 0, bytes = 0;  // ids in the pool, bytes of text
  };
  bool validates(uint64_t key) const;
  void write(bool validation, const Entry& entry);
  void keep(const Entry& entry);

  Rule rule_;
  CorpusWriter& writer_;
  RecordFile<int32_t> pool_;
  RecordFile<Entry> entries_;  // everything that was ever a candidate, in order
  SmallestKeys<Entry> smallest_;
  Entry open_;  // the document that comes in pieces
};

}  // namespace hyscale::data
