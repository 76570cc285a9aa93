#include "parallel/validation.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "parallel/batch_buffer.h"

namespace hyscale::parallel {
namespace {

struct WindowSums {
  std::vector<double> nll, targets;  // one entry for each window
};

/// This rank's windows; the entries of other ranks stay 0.
WindowSums own_windows(model::Model& model, const data::Corpus& corpus, ValidationPlan plan, const Collective& ranks,
                       const std::function<void()>& alive) {
  const int64_t context = plan.context, micro_batch = plan.micro_batch;
  const int64_t windows = data::validation_windows(corpus, context);
  const int64_t begin = windows * ranks.rank() / ranks.size(), end = windows * (ranks.rank() + 1) / ranks.size();
  const BatchBuffer buffer(micro_batch, context, plan.documents_apart);
  const OwnedTensor nll(DType::f32, {micro_batch, context});
  WindowSums sums{std::vector<double>(static_cast<size_t>(windows)), std::vector<double>(static_cast<size_t>(windows))};
  for (int64_t window = begin; window < end; window += micro_batch) {
    const int64_t rows = std::min(micro_batch, end - window);
    const model::TokenBatch batch = buffer.first(rows);
    const Tensor losses = nll.tensor().slice(0, 0, rows);
    data::fill_validation(corpus, window, batch.inputs, batch.targets, batch.document_begins);
    model.token_nll(batch, losses);
    const auto loss = losses.view<float, 2>();
    const auto target = batch.targets.view<int32_t, 2>();
    for (int64_t row = 0; row < rows; ++row) {
      const auto at = static_cast<size_t>(window + row);
      for (int64_t t = 0; t < context; ++t) {
        sums.nll[at] += static_cast<double>(loss(row, t));
        sums.targets[at] += target(row, t) >= 0 ? 1.0 : 0.0;
      }
    }
    alive();
  }
  return sums;
}

/// NaN when nobody knows what text the ids stand for.
double validation_bytes(const spec::CorpusManifest& manifest) {
  return manifest.validation_bytes > 0 ? static_cast<double>(manifest.validation_bytes) : std::nan("");
}

storage::CorpusLoss validate_one(model::Model& model, const data::Corpus& corpus, ValidationPlan plan,
                                 Collective& ranks, const std::function<void()>& alive) {
  WindowSums sums = own_windows(model, corpus, plan, ranks, alive);
  ranks.all_reduce_sum(std::span(sums.nll));
  ranks.all_reduce_sum(std::span(sums.targets));
  double nll = 0, targets = 0;
  for (size_t i = 0; i < sums.nll.size(); ++i) nll += sums.nll[i], targets += sums.targets[i];
  storage::CorpusLoss result;
  result.loss = nll / targets;
  double squares = 0;
  for (size_t i = 0; i < sums.nll.size(); ++i) {
    const double residual = sums.nll[i] - result.loss * sums.targets[i];
    squares += residual * residual;
  }
  const auto windows = static_cast<double>(sums.nll.size());
  result.standard_error = windows > 1 ? std::sqrt(squares * windows / (windows - 1)) / targets : std::nan("");
  const spec::CorpusManifest& manifest = corpus.manifest();
  result.bits_per_byte =
      result.loss * static_cast<double>(manifest.validation_tokens) / validation_bytes(manifest) / std::numbers::ln2;
  return result;
}

/// Losses and bytes per token by the weights of the mixture, which count tokens.
void add_up(const spec::DataManifest& data, storage::EvalRow& row) {
  double bytes_per_token = 0, squares = 0;
  for (size_t i = 0; i < row.corpora.size(); ++i) {
    const double weight = data.parts[i].weight;
    const spec::CorpusManifest& manifest = data.parts[i].corpus;
    row.loss += weight * row.corpora[i].loss;
    squares += std::pow(weight * row.corpora[i].standard_error, 2);
    bytes_per_token += weight * validation_bytes(manifest) / static_cast<double>(manifest.validation_tokens);
  }
  row.standard_error = std::sqrt(squares);
  row.bits_per_byte = row.loss / bytes_per_token / std::numbers::ln2;
}

}  // namespace

storage::EvalRow validate(model::Model& model, const data::Mixture& data, ValidationPlan plan, Collective& ranks,
                          const std::function<void()>& alive) {
  storage::EvalRow row;
  for (size_t i = 0; i < data.corpora().size(); ++i) {
    row.corpora.push_back(validate_one(model, data.corpora()[i], plan, ranks, alive));
    row.corpora.back().corpus = data.manifest().parts[i].name;
  }
  if (row.corpora.size() > 1) {
    add_up(data.manifest(), row);
    return row;
  }
  const storage::CorpusLoss only = row.corpora.front();
  return {.loss = only.loss, .bits_per_byte = only.bits_per_byte, .standard_error = only.standard_error};
}

}  // namespace hyscale::parallel
