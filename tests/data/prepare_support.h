#pragma once

#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

#include "core/base/files.h"
#include "core/data/corpus.h"
#include "core/data/prepare.h"

namespace hyscale::data {

/// A directory of its own for each test, removed afterwards.
class Scratch {
 public:
  Scratch() {
    std::string pattern = std::filesystem::temp_directory_path() / "hyscale-data-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& content) const {
    write_file_atomically(*this / name, content);
    return *this / name;
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    return names;
  }

 private:
  std::string path_;
};

inline PreparedCorpus prepare(const PrepareOptions& options) {
  return prepare_corpus(options, [](const PrepareProgress&) {});
}

/// `count` different documents as .jsonl lines.
inline std::string numbered_documents(int count, int first = 0) {
  std::string lines;
  for (int i = first; i < first + count; ++i)
    lines += "{\"text\": \"document " + std::to_string(i) + " tells of " + std::to_string(i * i) + " things\"}\n";
  return lines;
}

inline std::vector<int32_t> all_tokens(const Corpus& corpus, bool validation) {
  std::vector<int32_t> tokens(static_cast<size_t>(corpus.size(validation)));
  corpus.read(validation, 0, tokens);
  return tokens;
}

}  // namespace hyscale::data
