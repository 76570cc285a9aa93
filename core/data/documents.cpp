#include "core/data/documents.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/data/utf8.h"

namespace hyscale::data {
namespace {

namespace fs = std::filesystem;
constexpr size_t kProblemsShown = 20;

std::string without_compression(const std::string& path) {
  const fs::path p(path);
  return p.extension() == ".gz" || p.extension() == ".zst" ? (p.parent_path() / p.stem()).string() : path;
}
bool is_jsonl(const std::string& path) { return without_compression(path).ends_with(".jsonl"); }
bool is_text(const std::string& path) { return is_jsonl(path) || without_compression(path).ends_with(".txt"); }

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string::npos; }
bool is_separator(const std::string& line) { return line == "\f" || line == "\f\r"; }

void add_directory(const std::string& path, std::vector<std::string>& files, Problems& problems) {
  std::vector<std::string> found;
  std::error_code failure;
  for (const auto& entry : fs::recursive_directory_iterator(path, failure))
    if (entry.is_regular_file() && is_text(entry.path().string())) found.push_back(entry.path().string());
  if (failure)
    problems.add({.what = fmt::format("cannot read directory {}: {}", path, failure.message())});
  else if (found.empty())
    problems.add({.what = fmt::format("directory {} holds no .txt or .jsonl file", path),
                  .remedy = "name text files, plain or compressed with .gz or .zst"});
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
}

// "syntax error while parsing value - …" out of nlohmann's longer message.
std::string short_message(const std::string& message) {
  const size_t colon = message.find(": ");
  return colon == std::string::npos ? message : message.substr(colon + 2);
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
    else if (!is_text(path))
      problems.add({.what = fmt::format("{} is neither .txt nor .jsonl", path),
                    .remedy = "rename it, or convert it; .gz and .zst may follow, as in books.jsonl.zst"});
    else
      files.push_back(path);
  }
  problems.throw_if_any();
  return files;
}

DocumentReader::DocumentReader(std::vector<std::string> files, std::string field)
    : files_(std::move(files)), field_(std::move(field)) {}

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

bool DocumentReader::next(std::string& text) {
  while (file_ < files_.size()) {
    try {
      if (!source_) open_next();
      while (next_in_file(text)) {
        if (!is_blank(text)) return ++documents_in_file_, true;
        ++blank_;
      }
      if (documents_in_file_ == 0 && problem_count_ == problems_before_file_)
        report({.what = "no text in this file", .remedy = "leave it out", .at = {files_[file_]}});
    } catch (const Error& e) {
      for (const Problem& found : e.problems()) report(found);
    }
    close();
  }
  return false;
}

void DocumentReader::open_next() {
  problems_before_file_ = problem_count_;
  documents_in_file_ = 0;
  line_ = 0;
  source_ = open_byte_source(files_[file_]);
  lines_ = std::make_unique<LineReader>(*source_);
}

void DocumentReader::close() {
  lines_.reset();
  source_.reset();
  ++file_;
}

bool DocumentReader::next_line() {
  if (!lines_->next(current_, ended_)) return false;
  ++line_;
  return true;
}

bool DocumentReader::next_in_file(std::string& text) {
  text.clear();
  return is_jsonl(files_[file_]) ? next_json(text) : next_plain(text);
}

bool DocumentReader::next_json(std::string& text) {
  while (next_line())
    if (!is_blank(current_) && parse_json(text)) return true;
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
    const size_t byte = e.byte > 0 ? e.byte - 1 : 0;
    const bool bad_utf8 = invalid_utf8(current_) != std::string::npos && invalid_utf8(current_) <= byte;
    report({.what = bad_utf8 ? "not UTF-8" : "not JSON: " + short_message(e.what()),
            .remedy = bad_utf8 ? "convert the file, for instance with iconv -t UTF-8" : "",
            .at = here(bad_utf8 ? invalid_utf8(current_) : byte)});
  }
  return false;
}

bool DocumentReader::next_plain(std::string& text) {
  bool any = false, bad = false;
  while (next_line()) {
    if (is_separator(current_)) {
      if (any && !bad) return true;
      any = bad = false;
      text.clear();
      continue;
    }
    any = true;
    if (const size_t at = invalid_utf8(current_); at != std::string::npos) {
      bad = true;
      report({.what = "not UTF-8", .remedy = "convert the file, for instance with iconv -t UTF-8", .at = here(at)});
    }
    text += current_;
    if (ended_) text += '\n';
  }
  return any && !bad;
}

}  // namespace hyscale::data
