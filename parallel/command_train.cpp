#include <cctype>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <memory>

#include <CLI/CLI.hpp>

#include "core/base/error.h"
#include "core/base/yaml_reader.h"
#include "parallel/commands.h"
#include "parallel/step_options.h"
#include "parallel/token_count.h"
#include "parallel/train.h"

namespace hyscale::parallel {
namespace {

/// What the command line holds as text until it is read.
struct Arguments {
  TrainOptions options;
  std::string time_limit, hang_limit = "10m", deterministic = "yes", overlap = "yes", max_epochs = "4";
  std::vector<std::string> checkpoint_tokens;
};

/// "90", "90s", "15m", "2h", "02:00:00", "15:00" (minutes and seconds).
double parse_duration(const std::string& option, const std::string& text) {
  double seconds = 0;
  size_t begin = 0;
  const auto fail = [&] {
    return ConfigError({.what = fmt::format("{} {} is no span of time", option, text),
                        .remedy = "write seconds, 15m, 2h or HH:MM:SS"});
  };
  if (text.empty()) return 0;
  const bool clock_form = text.find(':') != std::string::npos;
  double unit = 1;
  std::string digits = text;
  if (!clock_form && std::isalpha(static_cast<unsigned char>(text.back())) != 0) {
    unit = text.back() == 'h' ? 3600 : text.back() == 'm' ? 60 : text.back() == 's' ? 1 : 0;
    digits.pop_back();
  }
  while (begin <= digits.size()) {
    const size_t end = std::min(digits.find(':', begin), digits.size());
    const std::string part = digits.substr(begin, end - begin);
    double number = 0;
    const char* last = part.data() + part.size();
    const auto [rest, error] = std::from_chars(part.data(), last, number);
    if (error != std::errc{} || rest != last || !std::isfinite(number) || number < 0) throw fail();
    seconds = seconds * 60 + number;
    begin = end + 1;
  }
  if (unit == 0 || seconds <= 0) throw fail();
  return seconds * unit;
}

/// 0 for "none".
double parse_epochs(const std::string& text) {
  if (text == "none") return 0;
  const auto epochs = parse_number(text);
  if (!epochs || *epochs <= 0)
    throw ConfigError({.what = fmt::format("--max-epochs {} is no number of epochs", text),
                       .remedy = "for instance 4, 0.5, or none"});
  return *epochs;
}

TrainOptions resolve(Arguments arguments) {
  TrainOptions& options = arguments.options;
  options.time_limit = parse_duration("--time-limit", arguments.time_limit);
  options.hang_limit = arguments.hang_limit == "none" ? 0 : parse_duration("--hang-limit", arguments.hang_limit);
  options.deterministic = arguments.deterministic == "yes";
  options.overlap = arguments.overlap == "yes";
  options.max_epochs = parse_epochs(arguments.max_epochs);
  for (const std::string& text : arguments.checkpoint_tokens)
    options.checkpoint_tokens.insert(parse_token_count("--checkpoint-at", text));
  return std::move(options);
}

void add_what(CLI::App& command, TrainOptions& o) {
  command.add_option("run", o.run_file, "The run config")->required()->type_name("RUN.yaml");
  command.add_option("--out", o.out, "Run directory")->required()->type_name("DIR");
  command.add_option("--store", o.store, "Where corpora are (else HYSCALE_STORE, else ./hyscale-store)");
  command.add_option("--set", o.overrides, "Change a field of the config: train.optimizer.lr=1e-3")
      ->type_name("A.B=C")
      ->allow_extra_args(false);
  command.add_flag("--resume", o.resume, "Carry on the run that is in DIR");
  command.add_option("--from", o.from, "Begin from a trunk's checkpoint: same config up to tokens and cool-down");
}

void add_how(CLI::App& command, Arguments& a) {
  TrainOptions& o = a.options;
  command.add_option("--device", o.device, "auto, cpu or cuda")->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  command
      .add_option("--tp", o.tp,
                  "Ranks that hold one model together, a part each; the others take other sequences (default 1)")
      ->check(CLI::PositiveNumber);
  command.add_option("--micro-batch", o.micro_batch, "Sequences of one forward pass on one rank")
      ->check(CLI::PositiveNumber);
  command.add_option("--threads", o.threads, "Threads of each rank (default: allowed cores / ranks on this host)")
      ->check(CLI::PositiveNumber);
  command.add_option("--pin", o.pin, "Cores for the threads, one each: 0,1 (default: the system places them)")
      ->delimiter(',');
  add_step_options(command, o.step);
  command
      .add_option("--overlap", a.overlap,
                  "yes: data-parallel ranks sum gradients while the backward pass goes on; no: behind it. The bits are "
                  "the same")
      ->check(CLI::IsMember({"yes", "no"}))
      ->capture_default_str();
  command.add_option("--deterministic", a.deterministic, "yes or no; the CPU is deterministic either way")
      ->check(CLI::IsMember({"yes", "no"}));
}

void add_when(CLI::App& command, Arguments& a) {
  TrainOptions& o = a.options;
  command.add_option("--time-limit", a.time_limit, "Checkpoint and exit 75 after this long: 900, 15m, 02:00:00");
  command
      .add_option("--hang-limit", a.hang_limit,
                  "Under mpirun: end all ranks when one waits this long for another; none waits for ever")
      ->capture_default_str();
  command.add_option("--checkpoint-every", o.checkpoint_every, "Steps between checkpoints (default: ten minutes)")
      ->check(CLI::PositiveNumber);
  command.add_option("--checkpoint-at", a.checkpoint_tokens, "Tokens after which a checkpoint is kept for ever")
      ->delimiter(',');
  command.add_option("--keep", o.keep, "Newest checkpoints kept beside those")->check(CLI::PositiveNumber);
  command
      .add_option("--log-every", o.log_every, "Steps between log lines (default: a hundredth of the run, 10 at least)")
      ->check(CLI::PositiveNumber);
  command.add_option("--eval-every", o.eval_every, "Steps between validations (default: at the end only)")
      ->check(CLI::PositiveNumber);
  command
      .add_option(
          "--max-epochs", a.max_epochs,
          "Refuse a run that passes over a corpus more often than this; none lets any by (no part of the run id)")
      ->capture_default_str();
  command.add_option("--peak-gflops", o.peak_gflops, "Peak of all ranks: print MFU instead of GFLOP/s")
      ->check(CLI::PositiveNumber);
  command.add_flag("--quiet", o.quiet, "Only warnings and errors on standard error");
}

}  // namespace

void add_train_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("train", "Train one model");
  const auto arguments = std::make_shared<Arguments>();
  add_what(*command, arguments->options);
  add_how(*command, *arguments);
  add_when(*command, *arguments);
  command->footer(
      "Ends with 0 done, 75 checkpointed (run again with --resume), 2 bad configuration, 3 out of memory,\n"
      "4 diverged, anything else a fault. SIGTERM, SIGUSR1, Ctrl-C, a file DIR/stop or the time limit ask it to "
      "stop.\n\n"
      "Example: hybrid-worker train run.yaml --out runs/first --checkpoint-every 100\n"
      "         mpirun -n 4 hybrid-worker train run.yaml --out runs/second --set train.optimizer.lr=1e-3\n"
      "         mpirun -n 4 hybrid-worker train run.yaml --out runs/third --tp 2");
  command->callback([arguments] {
    const ExitCode code = train(resolve(*arguments));
    if (code != ExitCode::done) throw CommandEnded{code};
  });
}

}  // namespace hyscale::parallel
