#include "parallel/step_options.h"

#include <algorithm>

#include <CLI/CLI.hpp>

namespace hyscale::parallel {

void add_recompute_option(CLI::App& command, spec::Recompute& value) {
  const auto take = [&value](const std::string& word) {
    const auto at = std::find(spec::kRecomputes.begin(), spec::kRecomputes.end(), word);
    value = static_cast<spec::Recompute>(at - spec::kRecomputes.begin());
  };
  command
      .add_option_function<std::string>("--recompute", take,
                                        "Computed again in backward to save memory: none, or swiglu (d_ff channels of "
                                        "every token and layer); the result stays the same bit for bit")
      ->check(CLI::IsMember(spec::kRecomputes))
      ->default_str("none");
}

void add_step_options(CLI::App& command, StepOptions& value) {
  add_recompute_option(command, value.recompute);
  command
      .add_option_function<std::string>(
          "--branches", [&value](const std::string& word) { value.side_by_side = word == "side-by-side"; },
          "On a GPU, the branches of a hybrid layer: in-turn, or side-by-side, on two queues (faster where a small "
          "model has many such layers; last bits differ)")
      ->check(CLI::IsMember({"in-turn", "side-by-side"}))
      ->default_str("in-turn");
}

}  // namespace hyscale::parallel
