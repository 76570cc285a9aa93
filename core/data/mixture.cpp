#include "core/data/mixture.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace hyscale::data {

Mixture::Mixture(const spec::DataConfig& data, const std::string& store)
    : manifest_(spec::load_data_manifest(data, store)) {
  for (const auto& part : manifest_.parts) corpora_.emplace_back(part.corpus.directory);
}

BatchPlan Mixture::plan(int64_t context, int64_t batch_sequences, int64_t seed) const {
  std::vector<BatchPlan::Part> parts;
  Problems problems;
  for (size_t i = 0; i < corpora_.size(); ++i) {
    const int64_t tokens = corpora_[i].size(false);
    parts.push_back({tokens, manifest_.parts[i].weight});
    if (tokens <= context)
      problems.add({.what = fmt::format("the training split of corpus {} has {} tokens, one sequence of context {} "
                                        "needs {}",
                                        manifest_.parts[i].name, tokens, context, context + 1),
                    .remedy = "use a shorter context or a larger corpus"});
  }
  problems.throw_if_any();
  return {parts, context, batch_sequences, seed};
}

std::vector<std::string> Mixture::describe(const BatchPlan& plan) const {
  std::vector<std::string> lines;
  for (size_t i = 0; i < corpora_.size(); ++i) {
    const auto& part = manifest_.parts[i];
    const int64_t windows = plan.windows(i), context = plan.context();
    const std::string share = corpora_.size() > 1 ? fmt::format(" ({:g}% of the sequences)", 100 * part.weight) : "";
    lines.push_back(fmt::format(
        "corpus {}{}: {} windows of {} + 1 tokens over {} documents end to end, order permuted by seed {} in each "
        "epoch; the last {} of {} tokens are never seen",
        part.name, share, windows, context, part.corpus.train_documents, plan.seed(),
        part.corpus.train_tokens - windows * context - 1, part.corpus.train_tokens));
  }
  return lines;
}

std::string Mixture::epochs_text(const std::vector<double>& epochs) const {
  std::string text;
  for (size_t i = 0; i < epochs.size(); ++i)
    text += fmt::format("{}{:.2f}{} {}", i == 0 ? "" : ", ", epochs[i], i == 0 ? " epochs of" : " of",
                        manifest_.parts[i].name);
  return text;
}

}  // namespace hyscale::data
