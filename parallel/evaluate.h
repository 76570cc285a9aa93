#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hyscale::parallel {

/// What `hybrid-worker eval` is told. Nothing here belongs to the run: its id and its files stay as they are.
struct EvalOptions {
  std::string run;                      // run directory
  std::string store;                    // where corpora are; "": see spec::store_directory
  std::optional<int64_t> checkpoint;    // step; nullopt: the last one
  int64_t context = 0;                  // tokens of a window; 0: as trained
  std::string device = "auto";          // auto | cpu | cuda
  std::string rope_extension = "none";  // spec::parse_rope_extension
  int64_t micro_batch = 0;              // windows of one forward pass per rank; 0: about 16K tokens
  int tp = 1;                           // ranks that hold one model together
  int threads = 0;                      // 0: allowed cores / ranks on this host
  bool json = false;
};

/// Restores a checkpoint of the run, computes the loss over the validation split of its corpora and prints it on rank
/// 0's standard output. Ranks share the windows. Throws ConfigError (no run, no such checkpoint, another corpus,
/// nothing for the extension to act on), DamagedFile and what opening the corpora throws.
void evaluate(const EvalOptions& options);

}  // namespace hyscale::parallel
