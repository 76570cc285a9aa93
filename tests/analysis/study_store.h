#pragma once

#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "core/spec/corpus_manifest.h"
#include "storage/db/database.h"
#include "storage/files/run_directory.h"
#include "tests/analysis/synthetic.h"

namespace hyscale::analysis {

/// A store with one study of planted losses: database, run.h5 of every finished run, corpus manifest.
class StudyStore {
 public:
  explicit StudyStore(std::string study = "hybrids", const std::string& spec = kSpec) : study_(std::move(study)) {
    char name[] = "/tmp/hyscale-analysis-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
    database_ = std::make_unique<storage::Database>(path_, storage::Database::Mode::create);
    database_->put_study({.name = study_, .spec = spec, .spec_sha256 = "5bec", .commit = "abc123", .created = 1.7e9});
    spec::CorpusManifest corpus{.name = "prose",
                                .directory = path_ + "/corpora/prose",
                                .tokenizer = "byte",
                                .vocabulary = 259,
                                .bos = 256,
                                .eos = 257,
                                .train_tokens = 1000,
                                .validation_tokens = 100,
                                .train_documents = 2,
                                .validation_documents = 1,
                                .train_bytes = 998,
                                .validation_bytes = 99,
                                .unigram_entropy = 3.2,
                                .identity = {std::string(64, 'c'), std::string(64, 'd')}};
    std::filesystem::create_directories(corpus.directory);
    spec::save_corpus_manifest(corpus);
  }
  ~StudyStore() { std::filesystem::remove_all(path_); }
  StudyStore(const StudyStore&) = delete;
  StudyStore& operator=(const StudyStore&) = delete;

  static constexpr const char* kSpec =
      "format: hyscale.study/1\nstudy: hybrids\nbase: base.yaml\n"
      "questions:\n"
      "  - {ask: \"Is the hybrid better?\", compare: [hybrid, transformer], at: {flops: 1e16}, difference: 0.02}\n"
      "families: {transformer: {stack: A}, hybrid: {stack: H}}\n"
      "sizes: [1M]\nbudgets: {flops: [1e16]}\n"
      "learning_rate: {at: 1M, value: 3e-3, exponent: 0}\nbatch: {tokens: 1024}\n"
      "schedule: {kind: trapezoid, warmup: 0.1, cooldown: 0.2}\n";

  const std::string& path() const { return path_; }
  const std::string& study() const { return study_; }

  struct Cell {
    std::string family = "transformer";
    double n = 1e6, budget = 1e15, loss = 3;
    std::string state = "done";
    int64_t seed = 0;
    double lr = 3e-3;
    std::string cluster = {};
    bool curve = true;  // writes run.h5
    std::string cause = {};
    std::string axes = {};
    int64_t context = 0;
    int64_t cooldown_tokens = 8192;
    double bits_per_nat = 0.8;  // NaN: the bytes of the text are not known
  };

  /// Returns the run's id.
  std::string add(const Cell& cell) {
    const std::string id = fmt::format("run{:04}", ++runs_);
    const double per_token = 6 * cell.n + 1e6;  // with an output head
    const auto tokens = static_cast<int64_t>(cell.budget / per_token);
    storage::RunRow run{
        .run_id = id, .config = config(cell), .state = cell.state, .cause = cell.cause, .busy_seconds = 12};
    run.figures.tokens = tokens;
    run.figures.context = cell.context;
    run.figures.params_non_embedding = static_cast<int64_t>(cell.n);
    run.figures.params_total = static_cast<int64_t>(cell.n) + 166667;
    run.figures.flops_per_token_with_head = per_token;
    run.figures.flops_per_token_six_n = 6 * cell.n;
    database_->add_run(run);
    database_->update_run(run);
    database_->put_cell({.study = study_,
                         .run_id = id,
                         .family = cell.family,
                         .size = fmt::format("{:.3g}M", cell.n / 1e6),
                         .seed = cell.seed,
                         .lr = cell.lr,
                         .budget_flops = cell.budget,
                         .budget = cell.budget,
                         .axes = cell.axes,
                         .role = "alone",
                         .cluster = cell.cluster.empty() ? id : cell.cluster});
    if (cell.state == "done") finish(id, tokens, cell);
    return id;
  }

  /// Every family has its own floor; isoFLOP cells of the planted law.
  void add_planted(const std::string& family, double floor, double noise, uint64_t seed) {
    ScalingLaw law = planted_law();
    law.e = floor;
    std::mt19937_64 random(seed);
    std::normal_distribution<double> scatter(0, noise);
    database_->transaction([&] {
      for (const double budget : {1e15, 1e16, 1e17})
        for (const double n : {5e5, 1e6, 2e6, 4e6, 8e6, 16e6, 32e6}) {
          const double d = budget / (6 * n + 1e6);
          add({.family = family,
               .n = n,
               .budget = budget,
               .loss = law.loss(n, d) * std::exp(scatter(random)),
               .curve = budget == 1e17});
        }
    });
  }

 private:
  static std::string config(const Cell& cell) {
    return fmt::format("{}  schedule: {{kind: trapezoid, warmup_tokens: 4096, cooldown_tokens: {}}}\n", kConfig,
                       cell.cooldown_tokens);
  }

  static constexpr const char* kConfig =
      "format: hyscale.run/1\n"
      "model:\n  vocabulary: 259\n  context: 64\n  d_model: 32\n"
      "  mixers:\n    A: {kind: attention, heads: 2, kv_heads: 1, head_dim: 16, rope: {theta: 10000}}\n"
      "  stack: AA\n  ffn: {kind: swiglu, d_ff: 64}\n"
      "data: {corpus: prose, seed: 0}\n"
      "train:\n  tokens: 65536\n  batch_tokens: 1024\n"
      "  optimizer: {kind: adamw, lr: 3e-3, betas: [0.9, 0.95], epsilon: 1e-8, weight_decay: 0.1, clip: 1.0}\n"
      "  precision: fp32\n  seed: 0\n";

  void finish(const std::string& id, int64_t tokens, const Cell& cell) {
    const double loss = cell.loss;
    const std::map<std::string, std::string> provenance = {{"host", "node1"}, {"cpu", "a cpu"}, {"commit", "abc123"}};
    database_->put_result(id,
                          {.evals = {{100, tokens, loss, loss * cell.bits_per_nat, 0.002}}, .provenance = provenance});
    if (!cell.curve) return;
    storage::RunRecord record{
        .run_id = id, .run_yaml = config(cell), .steps = {}, .evals = {}, .provenance = provenance};
    for (int64_t step = 1; step <= 300; ++step) {
      const int64_t seen = std::max<int64_t>(tokens * step / 300, step);
      const double above = std::pow(static_cast<double>(step), -0.6) - std::pow(300.0, -0.6);
      record.steps.push_back({step, seen, loss + 3 * above, 1e-3, 1, 0.01});
    }
    record.evals.push_back({300, tokens, loss, loss * cell.bits_per_nat, 0.002});
    const storage::RunDirectory directory{path_ + "/runs/" + id};
    std::filesystem::create_directories(directory.path);
    storage::write_run_record(directory.run_h5(), record);
  }

  std::string study_, path_;
  std::unique_ptr<storage::Database> database_;
  int runs_ = 0;
};

}  // namespace hyscale::analysis
