#include "core/data/corpus_place.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/data/corpus.h"

namespace hyscale::data {

namespace fs = std::filesystem;

std::string corpus_place(const std::string& out) {
  if (fs::exists(out) && !(fs::is_directory(out) && fs::is_empty(out)) && !fs::exists(out + "/manifest.json"))
    throw ConfigError({.what = fmt::format("{} exists and is no corpus", out), .remedy = "choose another --out"});
  const fs::path canonical = fs::weakly_canonical(fs::absolute(out));
  const fs::path place = canonical.has_filename() ? canonical : canonical.parent_path();
  fs::path above = place.parent_path();
  while (!fs::exists(above)) above = above.parent_path();
  if (::access(above.c_str(), W_OK | X_OK) != 0)
    throw IoError({.what = fmt::format("cannot make {}: {} is not writable", place.string(), above.string()),
                   .remedy = "choose another --out"});
  return place.string();
}

bool holds_the_same(const spec::CorpusManifest& wanted) {
  if (!fs::exists(wanted.directory + "/manifest.json")) return false;
  const Corpus there(wanted.directory);
  there.verify();
  const auto& identity = there.manifest().identity;
  if (identity.corpus_sha256 == wanted.identity.corpus_sha256 &&
      identity.tokenizer_sha256 == wanted.identity.tokenizer_sha256)
    return true;
  throw ConfigError({.what = fmt::format("{} holds another corpus ({} + {} tokens, this one {} + {})", wanted.directory,
                                         there.manifest().train_tokens, there.manifest().validation_tokens,
                                         wanted.train_tokens, wanted.validation_tokens),
                     .why = "runs that were trained on it name it by its hash",
                     .remedy = "choose another --out, or remove the directory first"});
}

StagingDirectory::StagingDirectory(std::string final_name)
    : final_(std::move(final_name)), path_(temporary_name(final_)) {
  std::error_code ignored;
  fs::remove_all(path_, ignored);  // a killed process with our number left it
  make_writable_directory(path_);
}

StagingDirectory::~StagingDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

void StagingDirectory::commit() {
  sync_directory(path_);
  if (std::rename(path_.c_str(), final_.c_str()) != 0)
    throw IoError({.what = fmt::format("cannot put what is finished at {}: {}", final_, std::strerror(errno)),
                   .remedy = "choose another --out"});
  path_.clear();
  const std::string parent = fs::path(final_).parent_path().string();
  sync_directory(parent.empty() ? "." : parent);
}

}  // namespace hyscale::data
