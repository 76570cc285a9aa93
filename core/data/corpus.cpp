#include "core/data/corpus.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "core/base/error.h"
#include "core/data/permutation.h"

namespace hyscale::data {
namespace {

[[noreturn]] void damaged(const std::string& directory, const std::string& what) {
  throw DamagedFile({.what = fmt::format("corpus {}: {}", directory, what),
                     .why = "runs trained on other tokens than the manifest names would carry a wrong identity",
                     .remedy = "remove the directory and prepare it again with hybrid-worker data"});
}

void expect_count(const spec::CorpusManifest& manifest, const char* file, int64_t found, int64_t promised) {
  if (found != promised)
    damaged(manifest.directory, fmt::format("{} holds {} numbers, the manifest promises {}", file, found, promised));
}

}  // namespace

std::string corpus_sha256(const ArrayHeader& train, const ArrayHeader& validation) {
  return sha256_hex(fmt::format("train {}\nvalidation {}\n", train.sha256_hex(), validation.sha256_hex()));
}

Corpus::Corpus(const std::string& directory)
    : manifest_(spec::load_corpus_manifest(directory)),
      train_{ArrayFile(CorpusFiles{directory}.tokens(false)), ArrayFile(CorpusFiles{directory}.documents(false))},
      validation_{ArrayFile(CorpusFiles{directory}.tokens(true)), ArrayFile(CorpusFiles{directory}.documents(true))} {
  expect_count(manifest_, "train.tokens", train_.tokens.size(), manifest_.train_tokens);
  expect_count(manifest_, "validation.tokens", validation_.tokens.size(), manifest_.validation_tokens);
  expect_count(manifest_, "train.documents", train_.documents.size(), manifest_.train_documents + 1);
  expect_count(manifest_, "validation.documents", validation_.documents.size(), manifest_.validation_documents + 1);
  if (corpus_sha256(train_.tokens.header(), validation_.tokens.header()) != manifest_.identity.corpus_sha256)
    damaged(directory, "the hashes of its token files are not the ones in the manifest");
}

void Corpus::read(bool validation, int64_t begin, std::span<int32_t> out) const {
  split(validation).tokens.read(begin, out);
}

int64_t Corpus::document_begin(bool validation, int64_t document) const {
  return static_cast<int64_t>(split(validation).documents.at(document));
}

void Corpus::verify() const {
  for (const Split* part : {&train_, &validation_}) {
    part->tokens.verify();
    part->documents.verify();
  }
}

BatchPlan::BatchPlan(int64_t split_tokens, int64_t context, int64_t batch_sequences, int64_t seed)
    : windows_((split_tokens - 1) / context), context_(context), batch_sequences_(batch_sequences), seed_(seed) {
  if (windows_ < 1)
    throw ConfigError({.what = fmt::format("the training split has {} tokens, one sequence of context {} needs {}",
                                           split_tokens, context, context + 1),
                       .remedy = "use a shorter context or a larger corpus"});
}

int64_t BatchPlan::begin(int64_t step, int64_t row) const {
  const int64_t index = step * batch_sequences_ + row;
  const Permutation order(windows_, static_cast<uint64_t>(seed_), static_cast<uint64_t>(epoch(step, row)));
  return order(index % windows_) * context_;
}

void fill_batch(const Corpus& corpus, const BatchPlan& plan, int64_t step, int64_t row_begin, const Tensor& inputs,
                const Tensor& targets) {
  const auto in = inputs.view<int32_t, 2>(), out = targets.view<int32_t, 2>();
  expect_shape("inputs", inputs, {in.extent(0), plan.context()});
  expect_shape("targets", targets, {in.extent(0), plan.context()});
  const auto context = static_cast<size_t>(plan.context());
  std::vector<int32_t> window(context + 1);
  for (int64_t row = 0; row < in.extent(0); ++row) {
    corpus.read(false, plan.begin(step, row_begin + row), window);
    std::copy_n(window.begin(), context, &in(row, 0));
    std::copy_n(window.begin() + 1, context, &out(row, 0));
  }
}

int64_t validation_windows(const Corpus& corpus, int64_t context) {
  return (corpus.size(true) - 1 + context - 1) / context;
}

void fill_validation(const Corpus& corpus, int64_t window_begin, const Tensor& inputs, const Tensor& targets) {
  const auto in = inputs.view<int32_t, 2>(), out = targets.view<int32_t, 2>();
  const int64_t context = in.extent(1);
  expect_shape("targets", targets, {in.extent(0), context});
  std::vector<int32_t> window(static_cast<size_t>(context) + 1);
  for (int64_t row = 0; row < in.extent(0); ++row) {
    const int64_t begin = (window_begin + row) * context;
    const int64_t there = std::clamp<int64_t>(corpus.size(true) - 1 - begin, 0, context);  // targets
    std::fill_n(&in(row, 0), context, 0);
    std::fill_n(&out(row, 0), context, -1);
    if (there == 0) continue;
    corpus.read(true, begin, std::span(window).first(static_cast<size_t>(there) + 1));
    std::copy_n(window.begin(), there, &in(row, 0));
    std::copy_n(window.begin() + 1, there, &out(row, 0));
  }
}

}  // namespace hyscale::data
