#include "core/data/corpus.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
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

std::string corpus_sha256(const std::string& train, const std::string& validation) {
  return sha256_hex(fmt::format("train {}\nvalidation {}\n", train, validation));
}

Corpus::Split Corpus::open_split(const spec::CorpusManifest& manifest, bool validation) {
  const CorpusFiles files{manifest.directory};
  std::vector<spec::TokenRange> ranges = validation ? manifest.validation_files : manifest.train_files;
  if (ranges.empty()) {
    const std::string path = files.tokens(validation);
    const ArrayHeader header = ArrayFile(path).header();
    ranges.push_back(range_of_file(path));
    ranges[0].offset = kArrayHeaderBytes;
    ranges[0].count = static_cast<int64_t>(header.count);
    ranges[0].width = header.width;
  }
  return {TokenRanges(ranges), ArrayFile(files.documents(validation))};
}

Corpus::Corpus(const std::string& directory)
    : manifest_(spec::load_corpus_manifest(directory)),
      train_(open_split(manifest_, false)),
      validation_(open_split(manifest_, true)) {
  expect_count(manifest_, "train.tokens", train_.tokens.size(), manifest_.train_tokens);
  expect_count(manifest_, "validation.tokens", validation_.tokens.size(), manifest_.validation_tokens);
  expect_count(manifest_, "train.documents", train_.documents.size(), manifest_.train_documents + 1);
  expect_count(manifest_, "validation.documents", validation_.documents.size(), manifest_.validation_documents + 1);
  check_identity();
}

void Corpus::check_identity() const {
  const bool in_place = !manifest_.train_files.empty() || !manifest_.validation_files.empty();
  if (in_place) {
    if (!train_.tokens.modified() && !validation_.tokens.modified()) return;
    log::warn(fmt::format("files of corpus {} were written to since it was made: checking their content",
                          manifest_.directory));
    return verify();
  }
  const CorpusFiles files{manifest_.directory};
  if (corpus_sha256(ArrayFile(files.tokens(false)).header().sha256_hex(),
                    ArrayFile(files.tokens(true)).header().sha256_hex()) != manifest_.identity.corpus_sha256)
    damaged(manifest_.directory, "the hashes of its token files are not the ones in the manifest");
}

void Corpus::read(bool validation, int64_t begin, std::span<int32_t> out) const {
  split(validation).tokens.read(begin, out);
}

int64_t Corpus::document_begin(bool validation, int64_t document) const {
  return static_cast<int64_t>(split(validation).documents.at(document));
}

void Corpus::document_begins(bool validation, int64_t begin, std::span<int32_t> out) const {
  int64_t before = 0, after = documents(validation);  // the document of `begin`: the last that begins by then
  while (after - before > 1) {
    const int64_t middle = (before + after) / 2;
    (document_begin(validation, middle) <= begin ? before : after) = middle;
  }
  int32_t first = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    for (; before + 1 < documents(validation) &&
           document_begin(validation, before + 1) <= begin + static_cast<int64_t>(i);
         ++before)
      first = static_cast<int32_t>(i);
    out[i] = first;
  }
}

void Corpus::verify() const {
  const CorpusFiles files{manifest_.directory};
  const uint32_t width = token_width(manifest_.vocabulary);
  if (manifest_.train_files.empty()) {
    ArrayFile(files.tokens(false)).verify();
    ArrayFile(files.tokens(true)).verify();
  } else if (corpus_sha256(train_.tokens.sha256(width), validation_.tokens.sha256(width)) !=
             manifest_.identity.corpus_sha256)
    damaged(manifest_.directory, "its tokens are not the ones that were written");
  train_.documents.verify();
  validation_.documents.verify();
}

static std::vector<double> weights_of(const std::vector<BatchPlan::Part>& parts) {
  std::vector<double> weights;
  for (const BatchPlan::Part& part : parts) weights.push_back(part.weight);
  return weights;
}

BatchPlan::BatchPlan(const std::vector<Part>& parts, int64_t context, int64_t batch_sequences, int64_t seed)
    : context_(context), batch_sequences_(batch_sequences), seed_(seed), turns_(weights_of(parts)) {
  for (const Part& part : parts) {
    windows_.push_back((part.tokens - 1) / context);
    if (windows_.back() < 1)
      throw ConfigError({.what = fmt::format("the training split has {} tokens, one sequence of context {} needs {}",
                                             part.tokens, context, context + 1),
                         .remedy = "use a shorter context or a larger corpus"});
  }
}

BatchPlan::Place BatchPlan::place(int64_t step, int64_t row) const {
  const Interleave::Turn turn = turns_.at(step * batch_sequences_ + row);
  const int64_t windows = windows_[turn.corpus], epoch = turn.earlier / windows;
  const Permutation order(windows, static_cast<uint64_t>(seed_), static_cast<uint64_t>(epoch));
  return {.corpus = turn.corpus, .begin = order(turn.earlier % windows) * context_, .epoch = epoch};
}

std::vector<double> BatchPlan::epochs(int64_t steps) const {
  std::vector<double> epochs;
  for (const int64_t sequences : turns_.taken(steps * batch_sequences_))
    epochs.push_back(static_cast<double>(sequences) / static_cast<double>(windows_[epochs.size()]));
  return epochs;
}

static std::span<int32_t> row_of(const Tensor& tensor, int64_t row) {
  return {&tensor.view<int32_t, 2>()(row, 0), static_cast<size_t>(tensor.extent(1))};
}

void fill_batch(std::span<const Corpus> corpora, const BatchPlan& plan, int64_t step, int64_t row_begin,
                const Tensor& inputs, const Tensor& targets, const Tensor& document_begins) {
  const auto in = inputs.view<int32_t, 2>(), out = targets.view<int32_t, 2>();
  expect_shape("inputs", inputs, {in.extent(0), plan.context()});
  expect_shape("targets", targets, {in.extent(0), plan.context()});
  const auto context = static_cast<size_t>(plan.context());
  std::vector<int32_t> window(context + 1);
  for (int64_t row = 0; row < in.extent(0); ++row) {
    const BatchPlan::Place place = plan.place(step, row_begin + row);
    corpora[place.corpus].read(false, place.begin, window);
    std::copy_n(window.begin(), context, &in(row, 0));
    std::copy_n(window.begin() + 1, context, &out(row, 0));
    if (!document_begins.empty())
      corpora[place.corpus].document_begins(false, place.begin, row_of(document_begins, row));
  }
}

int64_t validation_windows(const Corpus& corpus, int64_t context) {
  return (corpus.size(true) - 1 + context - 1) / context;
}

void fill_validation(const Corpus& corpus, int64_t window_begin, const Tensor& inputs, const Tensor& targets,
                     const Tensor& document_begins) {
  const auto in = inputs.view<int32_t, 2>(), out = targets.view<int32_t, 2>();
  const int64_t context = in.extent(1);
  expect_shape("targets", targets, {in.extent(0), context});
  std::vector<int32_t> window(static_cast<size_t>(context) + 1);
  for (int64_t row = 0; row < in.extent(0); ++row) {
    const int64_t begin = (window_begin + row) * context;
    const int64_t there = std::clamp<int64_t>(corpus.size(true) - 1 - begin, 0, context);  // targets
    std::fill_n(&in(row, 0), context, 0);
    std::fill_n(&out(row, 0), context, -1);
    if (!document_begins.empty()) corpus.document_begins(true, begin, row_of(document_begins, row));
    if (there == 0) continue;
    corpus.read(true, begin, std::span(window).first(static_cast<size_t>(there) + 1));
    std::copy_n(window.begin(), there, &in(row, 0));
    std::copy_n(window.begin() + 1, there, &out(row, 0));
  }
}

}  // namespace hyscale::data
