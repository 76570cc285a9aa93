#pragma once

#include <string>
#include <vector>

#include "core/infer/sampling.h"
#include "parallel/trained_run.h"

namespace hyscale::parallel {

/// What `hybrid-worker generate` is told.
struct GenerateOptions {
  TrainedRunOptions trained;
  std::vector<std::string> prompts;       // texts
  std::vector<std::string> prompt_files;  // behind them
  int64_t tokens = 128;                   // to generate behind each, at most
  infer::Sampling sampling;
  bool past_end = false;  // goes on behind the token that ends a document
  int64_t piece = 2048;   // tokens of one forward pass over prompts
  int threads = 0;        // 0: allowed cores
  bool json = false;
};

/// Prints each prompt with what the model writes behind it; of a single one as it is written. Throws what
/// open_trained_run and infer::Generation throw, and ConfigError for several ranks, a GPU and an unreadable file.
void generate(const GenerateOptions& options);

}  // namespace hyscale::parallel
