// A stand-in for hybrid-worker that keeps the run directory's contract and trains nothing. It notes every start and end
// in STORE/witness.txt and does what STORE/script/RUN_ID says: one word for each attempt, "done" when there are none
// left: done, exit<N>, kill, slow (waits for a request to stop).

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/spec/run_config.h"
#include "storage/files/run_directory.h"

namespace {

using namespace hyscale;

constexpr int kTicks = 10;  // a "training" is cut into these, whatever its number of steps
constexpr auto kTick = std::chrono::milliseconds(5);

volatile std::sig_atomic_t stop_asked = 0;

struct Arguments {
  std::string config, out, store, from;
  std::vector<int64_t> checkpoint_at;
};

Arguments parse(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 3; i < argc; ++i)
    if (std::string(argv[i]) != "--resume" && i + 1 < argc) options[argv[i]] = argv[i + 1], ++i;
  Arguments a{.config = argv[2],
              .out = options["--out"],
              .store = options["--store"],
              .from = options["--from"],
              .checkpoint_at = {}};
  std::istringstream tokens(options["--checkpoint-at"]);
  for (std::string word; std::getline(tokens, word, ',');) a.checkpoint_at.push_back(std::stoll(word));
  return a;
}

/// One line with one write, so that lines of several processes do not mix.
void witness(const Arguments& a, const std::string& what) {
  const std::string line = fmt::format("{} {} {} {:.6f} {}\n", what, std::filesystem::path(a.out).filename().string(),
                                       ::getpid(), Clock::system().unix_seconds(), a.from.empty() ? "-" : a.from);
  const int fd = ::open((a.store + "/witness.txt").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (::write(fd, line.data(), line.size()) < 0) std::abort();
  ::close(fd);
}

std::string script_word(const Arguments& a) {
  const std::string count = a.out + "/stand-in-attempts";
  std::ofstream(count, std::ios::app) << '.';
  const auto attempt = std::filesystem::file_size(count);
  std::ifstream script(a.store + "/script/" + std::filesystem::path(a.out).filename().string());
  std::string word;
  for (uintmax_t i = 0; i < attempt; ++i)
    if (!(script >> word)) return "done";
  return word;
}

void checkpoint(const storage::RunDirectory& run, int64_t step) {
  std::filesystem::create_directories(run.checkpoints());
  write_file_atomically(fmt::format("{}/step-{:09}.h5", run.checkpoints(), step), "a checkpoint\n");
}

storage::RunRecord record_of(const spec::RunConfig& config, const std::string& run_id) {
  storage::RunRecord record{
      .run_id = run_id, .run_yaml = "", .steps = {}, .evals = {}, .provenance = {{"host", "here"}}};
  const int64_t steps = config.train.steps();
  for (int64_t k = 1; k <= steps; ++k)
    record.steps.push_back({.step = k, .tokens = k * config.train.batch_tokens, .loss = 3, .lr = 1e-3});
  record.evals.push_back({steps, config.train.tokens, 2.0 + 1.0 / static_cast<double>(steps), 1.0, 0.01});
  return record;
}

int finish(const Arguments& a, storage::RunStatus status, storage::WorkerState state, int code) {
  status.state = state;
  status.exit_code = code;
  status.heartbeat = Clock::system().unix_seconds();
  status.message = code == 0 ? "" : fmt::format("the script says exit {}", code);
  storage::write_status({a.out}, status);
  std::fprintf(stderr, "stand-in: exit %d\n", code);
  witness(a, fmt::format("end{}", code));
  return code;
}

int train(const Arguments& a) {
  const storage::RunDirectory run{a.out};
  make_writable_directory(run.path);
  const FileLock lock(run.lock(), FileLock::Wait::no);
  witness(a, lock.held() ? "start" : "twice");
  if (!lock.held()) return 1;
  const spec::RunConfig config = spec::load_run_config(a.config);
  const std::string run_id = std::filesystem::path(a.out).filename().string();
  storage::RunStatus status;
  status.run_id = run_id;
  status.steps = config.train.steps();
  const std::string word = script_word(a);
  for (int tick = 1; tick <= kTicks || word == "slow"; ++tick) {
    std::this_thread::sleep_for(kTick);
    status.step = std::min(status.steps, status.steps * tick / kTicks);
    status.tokens = status.step * config.train.batch_tokens;
    status.busy_seconds += 0.005;
    status.heartbeat = Clock::system().unix_seconds();
    storage::write_status(run, status);
    for (const int64_t tokens : a.checkpoint_at)
      if (status.tokens >= tokens) checkpoint(run, tokens / config.train.batch_tokens);
    if (stop_asked || std::filesystem::exists(run.stop_file())) {
      checkpoint(run, status.step);
      return finish(a, status, storage::WorkerState::stopped, 75);
    }
    if (tick == kTicks / 2 && word == "kill") {
      witness(a, "end137");
      ::kill(::getpid(), SIGKILL);
    }
    if (tick == kTicks / 2 && word.starts_with("exit"))
      return finish(a, status, storage::WorkerState::failed, std::stoi(word.substr(4)));
  }
  storage::write_run_record(run.run_h5(), record_of(config, run_id));
  return finish(a, status, storage::WorkerState::done, 0);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  try {
    return train(parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "stand-in: %s\n", error.what());
    return 2;
  }
}
