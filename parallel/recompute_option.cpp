#include "parallel/recompute_option.h"

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

}  // namespace hyscale::parallel
