#include "core/data/text_batches.h"

namespace hyscale::data {

static constexpr int64_t kBatchBytes = 4'000'000;
static constexpr size_t kAhead = 2;  // batches that wait at most

TextBatches::TextBatches(DocumentReader reader, const std::string& purpose, KeysOf what)
    : reader_(std::move(reader)), purpose_(purpose + "\n"), what_(what), thread_([this] { run(); }) {}

TextBatches::~TextBatches() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

TextBatch TextBatches::read_batch() {
  TextBatch batch;
  TextPiece piece;
  while (batch.bytes < kBatchBytes && reader_.next(piece)) {
    const bool each = what_ == KeysOf::pieces;
    if (piece.first || each) {
      hash_ = std::make_unique<Sha256>();
      hash_->update(purpose_);
    }
    hash_->update(piece.text);
    batch.keys.push_back(piece.last || each ? std::stoull(hash_->hex().substr(0, 16), nullptr, 16) : 0);
    batch.bytes += static_cast<int64_t>(piece.text.size());
    batch.documents += piece.last && !piece.dropped ? 1 : 0;
    batch.between = piece.last;
    batch.pieces.push_back(std::move(piece));
  }
  batch.after = reader_.position();
  batch.problems = reader_.has_problems();
  batch.read = reader_.bytes_read();
  batch.file = reader_.current_file();
  return batch;
}

void TextBatches::run() {
  try {
    while (true) {
      TextBatch batch = read_batch();
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return waiting_.size() < kAhead || stopped_; });
      finished_ = batch.pieces.empty();
      waiting_.push_back(std::move(batch));
      changed_.notify_all();
      if (finished_ || stopped_) return;
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    finished_ = true;
    changed_.notify_all();
  }
}

std::optional<TextBatch> TextBatches::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !waiting_.empty() || finished_; });
  if (waiting_.empty()) {
    if (failure_) std::rethrow_exception(failure_);
    return std::nullopt;
  }
  TextBatch batch = std::move(waiting_.front());
  waiting_.pop_front();
  changed_.notify_all();
  if (!batch.pieces.empty()) return batch;
  reader_.throw_if_problems();  // the thread has ended
  return std::nullopt;
}

}  // namespace hyscale::data
