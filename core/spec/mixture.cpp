#include "core/spec/mixture.h"

#include <algorithm>
#include <fmt/format.h>

namespace hyscale::spec {

static void check_together(const std::vector<DataManifest::Part>& parts, Problems& problems) {
  for (size_t i = 1; i < parts.size(); ++i) {
    const CorpusManifest &first = parts[0].corpus, &corpus = parts[i].corpus;
    if (corpus.identity.tokenizer_sha256 != first.identity.tokenizer_sha256)
      problems.add({.what = fmt::format("corpora {} and {} were made with different tokenizers ({}, {} and {}, {})",
                                        parts[0].name, parts[i].name, first.tokenizer, first.vocabulary,
                                        corpus.tokenizer, corpus.vocabulary),
                    .why = "an id must mean the same text in every corpus of a mixture",
                    .remedy = fmt::format("prepare {} again with the tokenizer of {}: hybrid-worker data … --tokenizer "
                                          "{}/{}",
                                          parts[i].name, parts[0].name, first.directory,
                                          first.tokenizer == "bpe" ? "tokenizer.model" : "tokenizer.json")});
    for (size_t j = 0; j < i; ++j)
      if (parts[j].corpus.identity.corpus_sha256 == corpus.identity.corpus_sha256)
        problems.add({.what = fmt::format("corpora {} and {} hold the same tokens", parts[j].name, parts[i].name),
                      .remedy = "keep one of them, with both weights added up"});
  }
}

// Documents kept apart must be told apart. Without BOS and EOS a file of ids is taken for one document.
static void check_documents(const DataConfig& data, const std::vector<DataManifest::Part>& parts, Problems& problems) {
  if (data.cross_document) return;
  for (const auto& [name, weight, corpus] : parts)
    if (corpus.bos < 0 && corpus.eos < 0 &&
        corpus.train_documents <= std::max<int64_t>(1, static_cast<int64_t>(corpus.train_files.size())))
      problems.add(
          {.what = fmt::format("data.cross_document: false, but corpus {} does not say where documents begin", name),
           .why = "it has neither a BOS nor an EOS id",
           .remedy = "prepare it again with hybrid-worker data … --eos ID (or --bos ID), or write "
                     "cross_document: true"});
}

static CorpusIdentity identity_of(const std::vector<DataManifest::Part>& parts) {
  if (parts.size() == 1) return parts[0].corpus.identity;
  CorpusIdentity identity{.corpus_sha256 = {}, .tokenizer_sha256 = parts[0].corpus.identity.tokenizer_sha256};
  for (const DataManifest::Part& part : parts)
    identity.mixture.push_back({part.corpus.identity.corpus_sha256, part.weight});
  return identity;
}

DataManifest load_data_manifest(const DataConfig& data, const std::string& store) {
  DataManifest manifest;
  Problems problems;
  for (const CorpusShare& share : data.shares()) try {
      manifest.parts.push_back(
          {share.corpus, share.weight, load_corpus_manifest(corpus_directory(store, share.corpus))});
    } catch (const ConfigError& e) {
      for (const Problem& problem : e.problems()) problems.add(problem);
    }
  check_together(manifest.parts, problems);
  check_documents(data, manifest.parts, problems);
  problems.throw_if_any();
  std::sort(manifest.parts.begin(), manifest.parts.end(), [](const auto& a, const auto& b) {
    return a.corpus.identity.corpus_sha256 < b.corpus.identity.corpus_sha256;
  });
  manifest.identity = identity_of(manifest.parts);
  return manifest;
}

DataManifest::Epochs DataManifest::epochs(double tokens) const {
  Epochs most;
  for (const Part& part : parts) {
    const double count = tokens * part.weight / static_cast<double>(part.corpus.train_tokens);
    if (count > most.count) most = {count, part.name};
  }
  return most;
}

std::optional<Problem> vocabulary_problem(int64_t vocabulary, const DataManifest& data) {
  return vocabulary_problem(vocabulary, data.parts.at(0).corpus);
}

}  // namespace hyscale::spec
