#include "core/data/preparation_state.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/data/token_ranges.h"

namespace hyscale::data {

namespace fs = std::filesystem;
using nlohmann::json;

static constexpr const char* kFormat = "hyscale.preparation/1";

// One list of fields for writing and reading.
template <class State, class Visit>
static void visit_fields(State& s, Visit&& visit) {
  visit("asked", s.asked);
  visit("tokenizer_sha256", s.tokenizer_sha256);
  visit("tokenizer_sample", s.tokenizer_sample);
  visit("file", s.reader.file);
  visit("byte", s.reader.byte);
  visit("line", s.reader.line);
  visit("documents_in_file", s.reader.documents_in_file);
  visit("blank", s.reader.blank);
  visit("invalid_in_file", s.reader.invalid_in_file);
  visit("first_invalid_line", s.reader.first_invalid_line);
  visit("first_invalid_column", s.reader.first_invalid_column);
  visit("notes", s.reader.notes);
  visit("train_tokens", s.train.tokens);
  visit("train_documents", s.train.documents);
  visit("train_bytes", s.train.bytes);
  visit("validation_tokens", s.validation.tokens);
  visit("validation_documents", s.validation.documents);
  visit("validation_bytes", s.validation.bytes);
  visit("waiting_ids", s.waiting.ids);
  visit("waiting_entries", s.waiting.entries);
  visit("bytes", s.bytes);
  visit("documents", s.documents);
}

std::string asked_for(const PrepareOptions& o, const std::vector<std::string>& files) {
  json inputs = json::array();
  for (const std::string& file : files) {
    const spec::TokenRange range = range_of_file(fs::absolute(file).string());
    inputs.push_back({range.path, range.file_bytes, range.modified});
  }
  return json{{"inputs", inputs},
              {"tokenizer", o.tokenizer},
              {"bos", o.bos},
              {"eos", o.eos},
              {"field", o.field},
              {"invalid_utf8", static_cast<int>(o.invalid_utf8)},
              {"validation", {o.validation_fraction, o.validation_tokens}},
              {"seed", o.seed}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

PartialDirectory::PartialDirectory(const std::string& out) : out_(out), path_(out + ".partial") {
  make_writable_directory(path_);
  lock_.emplace(path_ + "/lock", FileLock::Wait::no);
  if (lock_->held()) return;
  throw IoError({.what = fmt::format("another process prepares {} just now", out_),
                 .remedy = "wait for it, or choose another --out"});
}

PartialDirectory::~PartialDirectory() {
  std::error_code ignored;
  if (!saved_ && !committed_) fs::remove_all(path_, ignored);
}

std::optional<PreparationState> PartialDirectory::load(const std::string& asked) {
  const std::string file = path_ + "/state.json";
  if (fs::exists(file)) try {
      const json found = json::parse(read_file(file));
      PreparationState state;
      visit_fields(state, [&](const char* key, auto& field) { found.at(key).get_to(field); });
      if (found.at("format") == kFormat && state.asked == asked) return saved_ = true, state;
    } catch (const json::exception&) {
      // as good as none
    }
  forget();
  return std::nullopt;
}

void PartialDirectory::forget() {
  for (const auto& entry : fs::directory_iterator(path_))
    if (entry.path().filename() != "lock") fs::remove_all(entry.path());
  saved_ = false;
}

void PartialDirectory::save(const PreparationState& state) {
  json fields{{"format", kFormat}};
  visit_fields(state, [&](const char* key, const auto& field) { fields[key] = field; });
  write_file_atomically(path_ + "/state.json", fields.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  saved_ = true;
}

void PartialDirectory::commit() {
  Splitter::remove_files(path_);
  fs::remove(path_ + "/state.json");
  fs::remove(path_ + "/lock");
  sync_directory(path_);
  if (std::rename(path_.c_str(), out_.c_str()) != 0)
    throw IoError({.what = fmt::format("cannot put the finished corpus at {}: {}", out_, std::strerror(errno)),
                   .remedy = "choose another --out"});
  committed_ = true;
  sync_directory(fs::path(out_).parent_path().string());
}

}  // namespace hyscale::data
