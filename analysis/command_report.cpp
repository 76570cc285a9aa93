#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>

#include "analysis/commands.h"
#include "analysis/input_options.h"
#include "analysis/report/page.h"
#include "analysis/text_output.h"
#include "core/base/clock.h"
#include "core/base/files.h"

namespace hyscale::analysis {
namespace {

struct ReportCommand {
  InputOptions input;
  FitOptions fit;
  std::string out;
  bool json = false;
};

std::string out_directory(const ReportCommand& options) {
  if (!options.out.empty()) return options.out;
  return options.input.study.empty() ? "report" : default_report_directory(options.input);
}

void report(const ReportCommand& options) {
  const Analysis analysis = analyse(load_dataset(options.input), options.fit);
  const std::string out = out_directory(options), created = format_utc(Clock::system().unix_seconds());
  const std::string json = report_json(analysis, created);
  make_writable_directory(out);
  write_file_atomically(out + "/report.html", report_page(analysis, created));
  write_file_atomically(out + "/report.json", json);
  write_file_atomically(out + "/points.csv", points_csv(analysis.data.set));
  if (options.json)
    fmt::print("{}", json);
  else
    fmt::print("{}\nwritten: {}/report.html, report.json, points.csv\n", report_text(analysis), out);
}

}  // namespace

void add_report_command(CLI::App& app) {
  auto options = std::make_shared<ReportCommand>();
  CLI::App* command = app.add_subcommand("report", "Write one self-contained HTML page, its JSON twin and the points");
  add_input_options(*command, options->input);
  add_bootstrap_options(*command, options->fit.bootstrap);
  add_loss_options(*command, options->fit.loss);
  command->add_option("--out", options->out, "Directory to write to (else STORE/reports/STUDY; ./report for a CSV)");
  command->add_flag("--json", options->json, "Print the JSON twin");
  command->footer("Example: analyze report my-study --out report");
  command->callback([options] { report(*options); });
}

}  // namespace hyscale::analysis
