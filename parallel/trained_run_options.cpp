#include "parallel/trained_run_options.h"

#include <CLI/CLI.hpp>

namespace hyscale::parallel {

void add_trained_run_options(CLI::App& command, TrainedRunOptions& options) {
  command.add_option("run", options.run, "A run directory")->required()->type_name("DIR");
  command
      .add_option("--rope-extension", options.rope_extension,
                  "Stretch rotary positions: none, linear:F, ntk:F or yarn:F")
      ->type_name("KIND:F")
      ->capture_default_str();
  command.add_option("--checkpoint", options.checkpoint, "Step of the checkpoint (default: the last)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("STEP");
  command.add_option("--device", options.device, "auto, cpu or cuda; the CPU computes in fp32")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command.add_option("--store", options.store, "Where corpora are (else HYSCALE_STORE, else ./hyscale-store)");
}

}  // namespace hyscale::parallel
