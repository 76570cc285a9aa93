#pragma once

#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

#include "core/base/files.h"
#include "core/spec/corpus_manifest.h"
#include "studies/plan.h"
#include "tests/support/scratch.h"

namespace hyscale::studies {

/// A store with a prepared corpus `sample` (its manifest alone) and the study of sample.yaml, copied so that a test can
/// change a place of it.
class StudyFixture : public testing::Test {
 protected:
  void SetUp() override {
    corpus_ = {.name = "sample",
               .directory = spec::corpus_directory(store_, "sample"),
               .tokenizer = "byte",
               .vocabulary = 258,
               .bos = 256,
               .eos = 257,
               .train_tokens = 4'000'000,
               .validation_tokens = 100'000,
               .train_documents = 10,
               .validation_documents = 2,
               .train_bytes = 3'999'000,
               .validation_bytes = 99'000,
               .unigram_entropy = 3,
               .identity = {std::string(64, 'a'), std::string(64, 'b')}};
    make_writable_directory(corpus_.directory);
    save_corpus_manifest(corpus_);
    study_ = read_file(source_directory() + "/tests/studies/sample.yaml");
    base_ = read_file(source_directory() + "/tests/studies/sample-base.yaml");
  }
  static std::string source_directory() {
    const char* given = std::getenv("HYSCALE_SOURCE_DIR");
    return given != nullptr ? given : ".";
  }

  /// Replaces the first `from`; throws std::out_of_range when it is not there.
  static void replace(std::string& text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  }
  /// Replaces the whole line that starts with `key`.
  static void replace_line(std::string& text, const std::string& key, const std::string& line) {
    const size_t begin = text.find("\n" + key) + 1;
    ASSERT_NE(begin, 0u) << key;
    text.replace(begin, text.find('\n', begin) - begin, line);
  }
  StudySpec read() {
    write_file_atomically(store_ + "/base.yaml", base_);
    write_file_atomically(store_ + "/study.yaml", study_);
    return load_study_spec(store_ + "/study.yaml");
  }
  Plan plan() { return make_plan(read(), store_); }

  tests::ScratchDirectory scratch_;
  const std::string& store_ = scratch_.path();
  std::string study_, base_;
  spec::CorpusManifest corpus_;
};

}  // namespace hyscale::studies
