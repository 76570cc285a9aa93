#include <csignal>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/data/prepare.h"
#include "parallel/commands.h"
#include "parallel/token_count.h"

namespace hyscale::parallel {
namespace {

struct DataArguments {
  data::PrepareOptions options;
  std::string validation_tokens, vocabulary, invalid_utf8 = "fail";
  bool json = false;
};

volatile std::sig_atomic_t interrupted = 0;

/// While it lives, Ctrl-C and SIGTERM ask for an orderly end, so that temporary files are removed.
class InterruptGuard {
 public:
  InterruptGuard() {
    interrupted = 0;
    struct sigaction ask {};
    ask.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &ask, &before_[0]);
    ::sigaction(SIGTERM, &ask, &before_[1]);
  }
  ~InterruptGuard() {
    ::sigaction(SIGINT, &before_[0], nullptr);
    ::sigaction(SIGTERM, &before_[1], nullptr);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction before_[2]{};
};

/// Share, speed and time left, from the moment of its first call.
class Shown {
 public:
  std::string operator()(const data::PrepareProgress& progress) {
    const double now = Clock::system().steady_seconds();
    if (progress.doing != doing_) {
      doing_ = progress.doing;
      begun_ = now;
      read_ = progress.read;
    }
    std::string text = fmt::format("{}: {:.1f} MB, {} documents", doing_, static_cast<double>(progress.bytes) * 1e-6,
                                   progress.documents);
    const double seconds = now - begun_;
    const auto done = static_cast<double>(progress.read - read_),
               left = static_cast<double>(progress.total - progress.read);
    if (progress.total > 0)
      text += fmt::format(", {:.1f}%", 100 * static_cast<double>(progress.read) / static_cast<double>(progress.total));
    if (done > 0 && seconds > 1)
      text += fmt::format(", {:.1f} MB/s, ETA {}", done * 1e-6 / seconds, format_duration(left * seconds / done));
    return text + ", " + progress.file;
  }

 private:
  std::string doing_;
  double begun_ = 0;
  int64_t read_ = 0;
};

void stop_if_interrupted(const data::PrepareProgress& progress) {
  if (interrupted)
    throw Error(ExitCode::failed, {{.what = progress.saved ? "interrupted; the same command goes on from here"
                                                           : "interrupted; nothing was left behind"}});
}

nlohmann::ordered_json to_json(const data::PreparedCorpus& prepared) {
  const auto& m = prepared.manifest;
  return {{"name", m.name},
          {"directory", m.directory},
          {"already_there", prepared.already_there},
          {"tokenizer", m.tokenizer},
          {"vocabulary", m.vocabulary},
          {"train", {{"documents", m.train_documents}, {"tokens", m.train_tokens}, {"bytes", m.train_bytes}}},
          {"validation",
           {{"documents", m.validation_documents}, {"tokens", m.validation_tokens}, {"bytes", m.validation_bytes}}},
          {"unigram_entropy", m.unigram_entropy},
          {"blank_documents", prepared.blank_documents},
          {"taken_up_bytes", prepared.taken_up},
          {"notes", prepared.notes},
          {"tokenizer_sample_bytes", prepared.tokenizer_sample},
          {"corpus_sha256", m.identity.corpus_sha256},
          {"tokenizer_sha256", m.identity.tokenizer_sha256}};
}

std::string split_line(const char* split, int64_t documents, int64_t tokens, int64_t bytes) {
  const std::string text = bytes > 0 ? fmt::format("{:>15} bytes", bytes) : "  bytes of text not known";
  return fmt::format("  {:<11}{:>12} documents {:>15} tokens {}\n", split, documents, tokens, text);
}

std::string to_text(const data::PreparedCorpus& prepared) {
  const auto& m = prepared.manifest;
  std::string text = fmt::format("{} in {}{}\n", m.name, m.directory,
                                 prepared.already_there ? " (already there, with the same content)" : "");
  text += split_line("train", m.train_documents, m.train_tokens, m.train_bytes);
  text += split_line("validation", m.validation_documents, m.validation_tokens, m.validation_bytes);
  text += fmt::format("  tokenizer {}, vocabulary {}; unigram entropy of the validation tokens {:.4f} nats\n",
                      m.tokenizer, m.vocabulary, m.unigram_entropy);
  if (m.bos == m.eos) text += fmt::format("  one token begins and ends documents: id {}\n", m.bos);
  if (prepared.tokenizer_sample > 0)
    text += fmt::format("  tokenizer trained on {:.1f} of {:.1f} MB of text\n",
                        static_cast<double>(prepared.tokenizer_sample) * 1e-6,
                        static_cast<double>(prepared.text_bytes) * 1e-6);
  for (const std::string& note : prepared.notes) text += "  " + note + "\n";
  if (prepared.taken_up > 0)
    text += fmt::format("  went on behind the {:.1f} MB of text that were done before\n",
                        static_cast<double>(prepared.taken_up) * 1e-6);
  if (prepared.blank_documents > 0) text += fmt::format("  {} blank documents left out\n", prepared.blank_documents);
  return text + fmt::format("  corpus sha256 {}\n", m.identity.corpus_sha256);
}

void prepare(DataArguments arguments) {
  if (!arguments.validation_tokens.empty())
    arguments.options.validation_tokens = parse_token_count("--validation-tokens", arguments.validation_tokens);
  if (!arguments.vocabulary.empty())
    arguments.options.vocabulary = parse_token_count("--vocabulary", arguments.vocabulary);
  arguments.options.invalid_utf8 = arguments.invalid_utf8 == "replace" ? data::InvalidUtf8::replace
                                   : arguments.invalid_utf8 == "skip"  ? data::InvalidUtf8::skip
                                                                       : data::InvalidUtf8::fail;
  const InterruptGuard guard;
  ProgressLine line;
  Shown shown;
  double last = 0;
  const auto prepared = data::prepare_corpus(arguments.options, [&](const data::PrepareProgress& progress) {
    stop_if_interrupted(progress);
    const double now = Clock::system().steady_seconds();
    if (now - last < 0.1) return;
    last = now;
    line.show(shown(progress));
  });
  line.clear();
  fmt::print("{}", arguments.json ? to_json(prepared).dump(2) + "\n" : to_text(prepared));
}

}  // namespace

void add_data_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("data", "Turn text into a corpus that models train on");
  const auto arguments = std::make_shared<DataArguments>();
  data::PrepareOptions& options = arguments->options;
  command
      ->add_option("INPUT", options.inputs,
                   "Files and directories: text in .txt or .jsonl, also with .gz or .zst, or in .parquet; token ids in "
                   ".npy or .bin")
      ->required();
  command->add_option(
      "--tokenizer", options.tokenizer,
      "byte; bpe:4096 trains byte-pair encoding on the text; or a file: Hugging Face's tokenizer.json, a "
      "SentencePiece .model, or tiktoken ranks with their encoding, FILE@cl100k");
  command->add_option(
      "--bos", options.bos,
      "Token that begins documents (default: as the tokenizer's file says); an id without a --tokenizer");
  command->add_option("--eos", options.eos,
                      "Token that ends documents (default: as the tokenizer's file says); an id without a --tokenizer");
  command->add_option("--out", options.out, "Directory to make")->required();
  command->add_option("--name", options.name, "Name in reports (default: last part of --out)");
  command->add_option("--field", options.field, "Field of .jsonl lines, or column of .parquet, that holds the text")
      ->capture_default_str();
  auto* fraction =
      command->add_option("--validation", options.validation_fraction, "Share of the documents kept for validation")
          ->capture_default_str();
  command->add_option("--validation-tokens", arguments->validation_tokens, "Keep at least so many tokens, e.g. 100K")
      ->excludes(fraction);
  command->add_option("--seed", options.seed, "Of the split into training and validation")->capture_default_str();
  command
      ->add_option("--invalid-utf8", arguments->invalid_utf8,
                   "Text that is no UTF-8: fail lists it, replace puts U+FFFD, skip leaves the document out")
      ->check(CLI::IsMember({"fail", "replace", "skip"}))
      ->capture_default_str();
  command->add_option("--vocabulary", arguments->vocabulary, "Of token ids without a --tokenizer, e.g. 50257");
  command->add_option("--validation-file", options.validation_files, "Token ids kept for validation")
      ->allow_extra_args(false);
  command->add_option("--dtype", options.dtype, "Of a .bin file without a header: uint16 or uint32")
      ->check(CLI::IsMember({"uint16", "uint32"}))
      ->capture_default_str();
  command->add_flag("--copy", options.copy, "Copy token ids into the corpus instead of using the files in place");
  command->add_flag("--json", arguments->json, "Print the counts and hashes as JSON");
  command->footer(
      "A preparation that was killed or interrupted goes on where it was when the same command is given again.\n"
      "A document lies on one side of the split, by its text and the seed. In .txt files a line that holds\n"
      "only a form feed separates documents.\n"
      "Example: hybrid-worker data books/ --tokenizer bpe:4096 --validation-tokens 1M --out "
      "hyscale-store/corpora/books");
  command->callback([arguments] { prepare(*arguments); });
}

}  // namespace hyscale::parallel
