#include "parallel/validation.h"

#include <cmath>
#include <numbers>
#include <vector>

namespace hyscale::parallel {
namespace {

struct WindowSums {
  std::vector<double> nll, targets;  // one entry for each window
};

/// This rank's windows; the entries of other ranks stay 0.
WindowSums own_windows(model::Model& model, const data::Corpus& corpus, int64_t micro_batch, const Collective& ranks,
                       const std::function<void()>& alive) {
  const int64_t context = model.config().context, windows = data::validation_windows(corpus, context);
  const int64_t begin = windows * ranks.rank() / ranks.size(), end = windows * (ranks.rank() + 1) / ranks.size();
  const OwnedTensor inputs(DType::i32, {micro_batch, context}), targets(DType::i32, {micro_batch, context});
  const OwnedTensor nll(DType::f32, {micro_batch, context});
  WindowSums sums{std::vector<double>(static_cast<size_t>(windows)), std::vector<double>(static_cast<size_t>(windows))};
  for (int64_t window = begin; window < end; window += micro_batch) {
    const int64_t rows = std::min(micro_batch, end - window);
    const model::TokenBatch batch{inputs.tensor().slice(0, 0, rows), targets.tensor().slice(0, 0, rows)};
    const Tensor losses = nll.tensor().slice(0, 0, rows);
    data::fill_validation(corpus, window, batch.inputs, batch.targets);
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

}  // namespace

storage::EvalRow validate(model::Model& model, const data::Corpus& corpus, int64_t micro_batch, Collective& ranks,
                          const std::function<void()>& alive) {
  WindowSums sums = own_windows(model, corpus, micro_batch, ranks, alive);
  ranks.all_reduce_sum(std::span(sums.nll));
  ranks.all_reduce_sum(std::span(sums.targets));
  double nll = 0, targets = 0;
  for (size_t i = 0; i < sums.nll.size(); ++i) nll += sums.nll[i], targets += sums.targets[i];
  storage::EvalRow row;
  row.loss = nll / targets;
  double squares = 0;
  for (size_t i = 0; i < sums.nll.size(); ++i) {
    const double residual = sums.nll[i] - row.loss * sums.targets[i];
    squares += residual * residual;
  }
  const auto windows = static_cast<double>(sums.nll.size());
  row.standard_error = windows > 1 ? std::sqrt(squares * windows / (windows - 1)) / targets : std::nan("");
  const spec::CorpusManifest& manifest = corpus.manifest();
  row.bits_per_byte = row.loss * static_cast<double>(manifest.validation_tokens) /
                      static_cast<double>(manifest.validation_bytes) / std::numbers::ln2;
  return row;
}

}  // namespace hyscale::parallel
