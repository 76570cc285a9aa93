#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/hash.h"
#include "core/data/documents.h"

namespace hyscale::data {

/// About 4 MB of text, as it comes from a reader.
struct TextBatch {
  std::vector<TextPiece> pieces{};
  std::vector<uint64_t> keys{};  // of the document that a piece ends, or of each piece: a hash of purpose and text
  ReaderPosition after{};        // meaningful when `between`
  bool between = true;           // it ends between two documents
  bool problems = false;         // something was wrong by now
  int64_t bytes = 0;             // of text
  int64_t documents = 0;         // that end here
  int64_t read = 0;              // bytes of the files by now
  std::string file{};
};

/// Reads, decompresses, parses and hashes on a thread of its own, a few batches ahead.
class TextBatches {
 public:
  enum class KeysOf { documents, pieces };
  TextBatches(DocumentReader reader, const std::string& purpose, KeysOf what = KeysOf::documents);
  ~TextBatches();  // ends the thread, wherever it is
  TextBatches(const TextBatches&) = delete;
  TextBatches& operator=(const TextBatches&) = delete;

  /// nullopt at the end. Throws what the reader found wrong at the end, and what stopped it.
  std::optional<TextBatch> next();
  /// Where the reader stands at the end: only then, the thread moves it.
  const ReaderPosition& end() const { return reader_.position(); }

 private:
  void run();
  TextBatch read_batch();

  DocumentReader reader_;
  std::string purpose_;
  KeysOf what_;
  std::unique_ptr<Sha256> hash_;  // of the document that is being read
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<TextBatch> waiting_;
  bool finished_ = false, stopped_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace hyscale::data
