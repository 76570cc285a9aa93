#pragma once

#include <string>
#include <vector>

#include "core/data/corpus.h"
#include "core/data/prepare.h"
#include "tests/support/scratch.h"

namespace hyscale::data {

using tests::ScratchDirectory;

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
