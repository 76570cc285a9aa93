#include "parallel/generate.h"

#include <cstdio>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/data/tokenizer.h"
#include "core/data/utf8.h"
#include "core/infer/generation.h"
#include "parallel/mpi_collective.h"
#include "parallel/threads.h"
#include "parallel/train_state.h"

namespace hyscale::parallel {
namespace {

/// Text that grows at its end, printed as far as its characters are whole.
class GrowingText {
 public:
  void show(const std::string& text, bool last) {
    size_t end = text.size();
    constexpr size_t kLongestCharacter = 4;
    const size_t broken = data::invalid_utf8(text);
    if (!last && broken != std::string::npos && broken + kLongestCharacter > end) end = broken;
    if (end <= shown_) return;
    std::fwrite(text.data() + shown_, 1, end - shown_, stdout);
    std::fflush(stdout);
    shown_ = end;
  }

 private:
  size_t shown_ = 0;
};

struct Timing {
  double read = 0, write = 0;  // seconds
};

std::vector<std::string> texts_of(const GenerateOptions& options) {
  std::vector<std::string> texts = options.prompts;
  for (const std::string& file : options.prompt_files) texts.push_back(read_file(file));
  return texts;
}

/// A document's first tokens: what begins one, where the tokenizer has it, and the text.
std::vector<int32_t> tokens_of(const std::string& text, const data::Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  if (tokenizer.bos() >= 0) ids.push_back(tokenizer.bos());
  tokenizer.encode(text, ids);
  return ids;
}

void check(const GenerateOptions& options, int ranks) {
  Problems problems;
  if (ranks > 1)
    problems.add({.what = fmt::format("generate works on one rank, {} were started", ranks),
                  .remedy = "start it without mpirun"});
  if (options.trained.device == "cuda")
    problems.add({.what = "--device cuda: this version generates on the CPU only", .remedy = "leave it out"});
  problems.throw_if_any();
}

class Writer {
 public:
  Writer(const GenerateOptions& options, const TrainedRun& trained)
      : options_(options),
        tokenizer_(data::open_tokenizer(trained.data->manifest().parts.front().corpus)),
        texts_(texts_of(options)),
        model_(trained.identity.config.model, DType::f32, trained.extension),
        step_(trained.checkpoint->info().step) {
    SelfCollective self;
    load_weights(trained.checkpoint.get(), model_.parameters(), self);
  }

  void run() {
    infer::Request request{.prompts = {},

                           .tokens = options_.tokens,
                           .end = options_.past_end ? -1 : tokenizer_->eos(),
                           .piece = options_.piece};
    for (const std::string& text : texts_) request.prompts.push_back(tokens_of(text, *tokenizer_));
    infer::Generation generation(model_, std::move(request), options_.sampling);
    read(generation);
    write(generation);
    if (options_.json) return print_json(generation);
    if (texts_.size() > 1)
      for (size_t s = 0; s < texts_.size(); ++s) fmt::print("{}{}\n\n", texts_[s], written(generation, s));
    log::info(summary(generation));
  }

 private:
  void read(infer::Generation& generation) {
    ProgressLine line;
    const double begin = Clock::system().steady_seconds();
    generation.read_prompts([&](int64_t tokens) {
      line.show(fmt::format("reading: {} of {} tokens", tokens, generation.prompt_tokens()));
    });
    line.clear();
    timing_.read = Clock::system().steady_seconds() - begin;
  }

  void write(infer::Generation& generation) {
    const bool streams = texts_.size() == 1 && !options_.json;
    GrowingText shown;
    if (streams) std::fputs(texts_.front().c_str(), stdout);
    const double begin = Clock::system().steady_seconds();
    while (!generation.done()) {
      generation.step();
      if (streams) shown.show(written(generation, 0), generation.done());
    }
    timing_.write = Clock::system().steady_seconds() - begin;
    if (streams) std::fputs("\n", stdout);
  }

  std::string written(const infer::Generation& generation, size_t sequence) const {
    return tokenizer_->decode(generation.generated(sequence));
  }

  int64_t written_tokens(const infer::Generation& generation) const {
    int64_t sum = 0;
    for (size_t s = 0; s < texts_.size(); ++s) sum += static_cast<int64_t>(generation.generated(s).size());
    return sum;
  }

  std::string summary(const infer::Generation& generation) const {
    return fmt::format("step {}: read {} tokens ({:.0f}/s), wrote {} ({:.1f}/s), caches of {:.1f} MiB", step_,
                       generation.prompt_tokens(), static_cast<double>(generation.prompt_tokens()) / timing_.read,
                       written_tokens(generation), static_cast<double>(written_tokens(generation)) / timing_.write,
                       static_cast<double>(generation.past().bytes()) / (1 << 20));
  }

  void print_json(const infer::Generation& generation) const {
    nlohmann::ordered_json json{{"step", step_},
                                {"read_tokens", generation.prompt_tokens()},
                                {"read_seconds", timing_.read},
                                {"written_tokens", written_tokens(generation)},
                                {"write_seconds", timing_.write},
                                {"cache_bytes", generation.past().bytes()}};
    for (size_t s = 0; s < texts_.size(); ++s) {
      std::string text = written(generation, s);
      data::replace_invalid_utf8(text);
      json["sequences"].push_back({{"prompt", texts_[s]}, {"text", text}, {"tokens", generation.generated(s)}});
    }
    std::fputs((json.dump(2) + "\n").c_str(), stdout);
  }

  const GenerateOptions& options_;
  std::unique_ptr<data::Tokenizer> tokenizer_;
  std::vector<std::string> texts_;
  model::Model model_;
  int64_t step_;
  Timing timing_;
};

}  // namespace

void generate(const GenerateOptions& options) {
  World world;
  check(options, world.ranks().size());
  TrainedRunOptions on_cpu = options.trained;
  on_cpu.device = "cpu";
  const TrainedRun trained = open_trained_run(on_cpu, 1, true);
  set_threads(options.threads, 1, {});
  Writer(options, trained).run();
}

}  // namespace hyscale::parallel
