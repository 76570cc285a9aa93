#include "core/data/documents.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/data/text_pieces.h"
#include "core/data/utf8.h"

namespace hyscale::data {
namespace {

namespace fs = std::filesystem;
constexpr size_t kProblemsShown = 20;
constexpr const char* kFromParquet =
    "pip install pyarrow, which brings Arrow's libraries, and configure and build again; or convert it: python3 -c "
    "\"import sys,json,pyarrow.parquet as q; "
    "[print(json.dumps({'text': t})) for b in q.ParquetFile(sys.argv[1]).iter_batches(columns=['text']) for t in "
    "b.column(0).to_pylist() if t]\" FILE.parquet | zstd > FILE.jsonl.zst";

std::string without_compression(const std::string& path) {
  const fs::path p(path);
  return p.extension() == ".gz" || p.extension() == ".zst" ? (p.parent_path() / p.stem()).string() : path;
}
bool is_jsonl(const std::string& path) { return without_compression(path).ends_with(".jsonl"); }
bool is_parquet(const std::string& path) { return path.ends_with(".parquet"); }
bool is_text(const std::string& path) {
  return is_jsonl(path) || without_compression(path).ends_with(".txt") || (reads_parquet() && is_parquet(path));
}
Problem parquet_refused(const std::string& path) {
  return {.what = fmt::format("{} is Parquet, which this build does not read", path), .remedy = kFromParquet};
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string::npos; }
bool is_separator(const std::string& line) { return line == "\f" || line == "\f\r"; }

void add_directory(const std::string& path, std::vector<std::string>& files, Problems& problems) {
  std::vector<std::string> found;
  std::string unread;
  std::error_code failure;
  for (const auto& entry : fs::recursive_directory_iterator(path, failure)) {
    const std::string file = entry.path().string();
    if (!entry.is_regular_file()) continue;
    if (is_text(file))
      found.push_back(file);
    else if (is_parquet(file))
      unread = file;
  }
  if (failure)
    problems.add({.what = fmt::format("cannot read directory {}: {}", path, failure.message())});
  else if (!unread.empty())
    problems.add(parquet_refused(unread));
  else if (found.empty())
    problems.add({.what = fmt::format("directory {} holds no .txt, .jsonl or .parquet file", path),
                  .remedy = "name text files, plain or compressed with .gz or .zst"});
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
}

// "syntax error while parsing value - …" out of nlohmann's longer message.
std::string short_message(const std::string& message) {
  const size_t colon = message.find(": ");
  const std::string what = colon == std::string::npos ? message : message.substr(colon + 2);
  return what.substr(0, what.find("; last read:"));  // which repeats the line up to there
}

}  // namespace

bool has_text_files(const std::string& directory) {
  std::error_code unreadable;
  for (const auto& entry : fs::recursive_directory_iterator(directory, unreadable))
    if (entry.is_regular_file() && is_text(entry.path().string())) return true;
  return false;
}

std::vector<std::string> find_text_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  Problems problems;
  for (const std::string& path : paths) {
    if (fs::is_directory(path))
      add_directory(path, files, problems);
    else if (!fs::exists(path))
      problems.add({.what = fmt::format("there is no {}", path), .remedy = "check the spelling of the path"});
    else if (is_parquet(path) && !reads_parquet())
      problems.add(parquet_refused(path));
    else if (!is_text(path))
      problems.add({.what = fmt::format("{} is neither .txt nor .jsonl nor .parquet", path),
                    .remedy = "rename it, or convert it; .gz and .zst may follow, as in books.jsonl.zst"});
    else
      files.push_back(path);
  }
  problems.throw_if_any();
  return files;
}

DocumentReader::DocumentReader(std::vector<std::string> files, std::string field, InvalidUtf8 policy,
                               const ReaderPosition& from)
    : files_(std::move(files)), field_(std::move(field)), policy_(policy), at_(from) {
  for (int64_t file = 0; file < at_.file; ++file)
    finished_bytes_ += static_cast<int64_t>(fs::file_size(files_[static_cast<size_t>(file)]));
  if (at_.byte > 0) open(at_.byte);
}

const std::string& DocumentReader::current_file() const {
  return files_[std::min(static_cast<size_t>(at_.file), files_.size() - 1)];
}

void DocumentReader::report(Problem found) {
  ++problem_count_;
  if (problems_.size() < kProblemsShown) problems_.push_back(std::move(found));
}

void DocumentReader::throw_if_problems() const {
  if (problem_count_ == 0) return;
  std::vector<Problem> all = problems_;
  const int64_t more = problem_count_ - static_cast<int64_t>(all.size());
  if (more > 0) all.push_back({.what = fmt::format("… and {} more like these", more)});
  throw ConfigError(all);
}

void DocumentReader::open(int64_t skip) {
  problems_before_file_ = problem_count_;
  if (is_parquet(current_file())) {
    rows_ = open_parquet(current_file(), field_, skip);
    return;
  }
  source_ = open_byte_source(current_file());
  lines_ = std::make_unique<LineReader>(*source_);
  lines_->skip(skip);
}

void DocumentReader::close() {
  if (at_.invalid_in_file > 0)
    at_.notes.push_back(
        fmt::format("{}: {} {} no UTF-8 (first {}:{})", current_file(), at_.invalid_in_file,
                    policy_ == InvalidUtf8::skip ? "documents left out that are" : "places replaced that are",
                    at_.first_invalid_line, at_.first_invalid_column));
  finished_bytes_ += consumed();
  rows_.reset();
  lines_.reset();
  source_.reset();
  at_ = {.file = at_.file + 1, .blank = at_.blank, .notes = std::move(at_.notes)};
  pending_.clear();
  ended_ = true;
  begun_ = complete_ = bad_ = false;
}

bool DocumentReader::next(TextPiece& piece) {
  while (at_.file < static_cast<int64_t>(files_.size())) {
    bool gone_on = false;
    try {
      if (!source_ && !rows_) open(0);
      if (fill()) return emit(piece), true;
      if (at_.documents_in_file == 0 && problem_count_ == problems_before_file_ && at_.invalid_in_file == 0)
        report({.what = "no text in this file", .remedy = "leave it out", .at = {current_file()}});
    } catch (const Error& e) {
      for (const Problem& found : e.problems()) report(found);
      gone_on = begun_;
    }
    close();
    if (gone_on) return piece = {.first = false, .dropped = true}, true;
  }
  return false;
}

// Reads until there is something to hand out: a whole document, a piece of one, or the news that one is dropped.
bool DocumentReader::fill() {
  while (true) {
    if (!complete_) {
      const bool json = is_jsonl(current_file());
      if (!(rows_ ? fill_rows() : json ? fill_json() : fill_plain())) return false;
    }
    if (bad_ && !begun_ && complete_) {  // nobody has seen any of it
      pending_.clear();
      bad_ = complete_ = false;
      at_.byte = offset();
      continue;
    }
    if (!begun_ && complete_ && is_blank(pending_)) {
      ++at_.blank;
      pending_.clear();
      complete_ = false;
      at_.byte = offset();
      continue;
    }
    return true;
  }
}

void DocumentReader::emit(TextPiece& piece) {
  piece = {.first = !begun_};
  if (bad_ && complete_) {
    piece.dropped = true;
    pending_.clear();
  } else if (pending_.size() > kPieceBytes) {
    const size_t cut = cut_point(std::string_view(pending_).substr(0, kPieceBytes));
    piece.text = pending_.substr(0, cut);
    pending_.erase(0, cut);
    piece.last = false;
  } else {
    piece.text = std::move(pending_);
    pending_.clear();
    piece.last = complete_;
  }
  begun_ = !piece.last;
  if (!piece.last) return;
  complete_ = bad_ = false;
  if (!piece.dropped) ++at_.documents_in_file;
  at_.byte = offset();
}

bool DocumentReader::next_line(size_t limit) {
  const bool fresh = ended_;
  column_ = fresh ? 0 : column_ + static_cast<int64_t>(current_.size());
  if (!lines_->next(current_, ended_, limit)) return false;
  if (fresh) ++at_.line;
  return true;
}

// Text that is no UTF-8: false when the document is to be left out; `text` is valid otherwise.
bool DocumentReader::clean(std::string& text) {
  size_t at = invalid_utf8(text);
  if (at == std::string::npos) return true;
  const auto column = column_ + static_cast<int64_t>(at);
  if (policy_ == InvalidUtf8::fail) {
    report(
        {.what = "not UTF-8",
         .remedy = rows_ ? "write the file anew with text in UTF-8, or give --invalid-utf8 replace or skip"
                         : "convert the file, for instance with iconv -t UTF-8, or give --invalid-utf8 replace or skip",
         .at = here(static_cast<size_t>(column))});
    return false;
  }
  if (at_.invalid_in_file == 0) at_.first_invalid_line = at_.line, at_.first_invalid_column = column + 1;
  if (policy_ == InvalidUtf8::skip) return at_.invalid_in_file += bad_ ? 0 : 1, false;
  at_.invalid_in_file += replace_invalid_utf8(text);
  return true;
}

bool DocumentReader::fill_json() {
  while (next_line(std::string::npos))
    if (!is_blank(current_) && clean(current_) && parse_json(pending_)) return complete_ = true;
  return false;
}

bool DocumentReader::parse_json(std::string& text) {
  try {
    auto json = nlohmann::json::parse(current_);
    const auto member = json.is_object() ? json.find(field_) : json.end();
    const size_t at = current_.find('"' + field_ + '"');
    if (!json.is_object())
      report({.what = "this line is no JSON object",
              .remedy = fmt::format("write one {{\"{}\": …}} per line", field_),
              .at = here(0)});
    else if (member == json.end())
      report({.what = fmt::format("no field \"{}\"", field_),
              .remedy = "name the field that holds the text with --field",
              .at = here(0)});
    else if (!member->is_string())
      report({.what = fmt::format("field \"{}\" is no string", field_), .at = here(at == std::string::npos ? 0 : at)});
    else
      return text = std::move(member->get_ref<std::string&>()), true;
  } catch (const nlohmann::json::parse_error& e) {
    report({.what = "not JSON: " + short_message(e.what()), .at = here(e.byte > 0 ? e.byte - 1 : 0)});
  }
  return false;
}

bool DocumentReader::fill_rows() {
  column_ = 0;
  while (rows_->next(pending_)) {
    at_.line = rows_->row();
    if (clean(pending_)) return complete_ = true;
  }
  pending_.clear();
  return false;
}

bool DocumentReader::fill_plain() {
  while (next_line(kPieceBytes / 4)) {
    if (column_ == 0 && is_separator(current_)) {
      if (pending_.empty() && !begun_ && !bad_) continue;
      return complete_ = true;
    }
    if (!clean(current_)) bad_ = true;
    if (bad_) {
      pending_.clear();
      continue;
    }
    pending_ += current_;
    if (ended_) pending_ += '\n';
    if (pending_.size() > kPieceBytes && !is_blank(pending_)) return true;
  }
  complete_ = !pending_.empty() || begun_ || bad_;
  return complete_;
}

}  // namespace hyscale::data
