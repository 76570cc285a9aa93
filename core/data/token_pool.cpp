#include "core/data/token_pool.h"

#include <cmath>
#include <filesystem>

namespace hyscale::data {

static std::string pool_path(const std::string& directory) { return directory + "/waiting.tokens"; }
static std::string entries_path(const std::string& directory) { return directory + "/waiting.documents"; }

Splitter::Splitter(const std::string& directory, Rule rule, CorpusWriter& writer, Place from)
    : rule_(rule),
      writer_(writer),
      pool_(pool_path(directory), from.ids),
      entries_(entries_path(directory), from.entries),
      smallest_(rule.tokens) {
  entries_.for_each_block(0, from.entries, [&](std::span<const Entry> block) {
    for (const Entry& entry : block) smallest_.add(entry.key, entry.count, entry, [](const Entry&) {});
  });
}

bool Splitter::validates(uint64_t key) const { return static_cast<double>(key) < std::ldexp(rule_.fraction, 64); }

void Splitter::write(bool validation, const Entry& entry) {
  pool_.for_each_block(entry.begin, entry.begin + entry.count,
                       [&](std::span<const int32_t> ids) { writer_.part(validation, ids); });
  writer_.end_document(validation, entry.bytes);
}

void Splitter::keep(const Entry& entry) {
  entries_.append({&entry, 1});
  smallest_.add(entry.key, entry.count, entry, [&](const Entry& other) { write(false, other); });
}

void Splitter::add(uint64_t key, std::span<const int32_t> ids, int64_t bytes) {
  const bool waits = rule_.tokens > 0 && !smallest_.beyond(key);
  if (!waits) {
    const bool validation = rule_.tokens == 0 && validates(key);
    writer_.part(validation, ids);
    return writer_.end_document(validation, bytes);
  }
  begin();
  part(ids, bytes);
  end(key);
}

void Splitter::begin() { open_ = {.begin = pool_.count()}; }

void Splitter::part(std::span<const int32_t> ids, int64_t bytes) {
  pool_.append(ids);
  open_.count += static_cast<int64_t>(ids.size());
  open_.bytes += bytes;
}

void Splitter::end(uint64_t key) {
  open_.key = key;
  if (rule_.tokens > 0 && !smallest_.beyond(key)) return keep(open_);
  write(rule_.tokens == 0 && validates(key), open_);
  drop();
}

void Splitter::drop() { pool_.cut(open_.begin); }

void Splitter::finish() {
  smallest_.for_each([&](const Entry& entry) { write(true, entry); });
}

Splitter::Place Splitter::sync() {
  pool_.sync();
  entries_.sync();
  return {.ids = pool_.count(), .entries = entries_.count()};
}

void Splitter::remove_files(const std::string& directory) {
  std::filesystem::remove(pool_path(directory));
  std::filesystem::remove(entries_path(directory));
}

}  // namespace hyscale::data
