#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "analysis/commands.h"
#include "analysis/input_options.h"
#include "analysis/json_output.h"
#include "analysis/text_output.h"

namespace hyscale::analysis {

void add_points_command(CLI::App& app) {
  struct PointsCommand {
    InputOptions input;
    Selection selection;
    bool json = false;
  };
  auto options = std::make_shared<PointsCommand>();
  CLI::App* command = app.add_subcommand("points", "List the points that the fits would see");
  add_input_options(*command, options->input);
  add_metric_option(*command, options->input);
  add_selection_options(*command, options->selection);
  command->get_option("--csv")->expected(0, 1)->description(
      "With FILE: read the points from it. Alone: print the study's points as CSV");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Example: analyze points my-study --csv > points.csv");
  command->callback([options, command] {
    const bool print_csv = command->count("--csv") > 0 && options->input.csv.empty();
    const PointSet set = load_points(options->input, options->selection);
    if (options->json)
      fmt::print("{}\n", to_json(set).dump(2));
    else
      fmt::print("{}", print_csv ? points_csv(set) : points_text(set));
  });
}

}  // namespace hyscale::analysis
