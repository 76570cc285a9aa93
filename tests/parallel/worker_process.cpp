#include "tests/parallel/worker_process.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/files.h"
#include "storage/files/checkpoint.h"

namespace hyscale::parallel {
namespace {

constexpr const char* kRun = R"(format: hyscale.run/1
model:
  vocabulary: 258
  context: 64
  d_model: 32
  mixers:
    A: {kind: attention, heads: 2, kv_heads: 1, head_dim: 16}
  stack: AA
  ffn: {kind: swiglu, d_ff: 64}
data: {corpus: tiny}
train:
  tokens: 102400
  batch_tokens: 512
  optimizer: {kind: adamw, lr: 1e-3}
  schedule: {kind: trapezoid, warmup_tokens: 10240, cooldown_tokens: 20480}
)";

std::string random_text() {
  std::mt19937 random(7);
  std::vector<std::string> words(50);
  for (std::string& word : words)
    for (auto letters = 2 + random() % 5; letters > 0; --letters) word += static_cast<char>('a' + random() % 12);
  std::string text;
  for (int document = 0; document < 60; ++document) {
    for (int count = 0; count < 120; ++count) text += words[random() % words.size()] + ' ';
    text += "\n\f\n";
  }
  return text;
}

std::string worker_program() { return std::string(std::getenv("HYSCALE_BIN_DIR")) + "/hybrid-worker"; }

std::string variable(const std::filesystem::path& process, const std::string& name) {
  std::ifstream file(process / "environ", std::ios::binary);
  for (std::string entry; std::getline(file, entry, '\0');)
    if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
  return "";
}

[[noreturn]] void become(const std::vector<std::string>& words, const std::string& said, const Workshop& shop) {
  const int file = ::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::dup2(file, STDERR_FILENO);
  ::dup2(file, STDOUT_FILENO);
  ::setenv("OMP_NUM_THREADS", "1", 1);  // the tests share the machine's cores
  for (const auto& [name, value] : shop.extra) ::setenv(name.c_str(), value.c_str(), 1);
  if (shop.file_limit > 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{shop.file_limit, shop.file_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

Workshop::Workshop() {
  write_file_atomically(scratch_ / "text.txt", random_text());
  write_file_atomically(scratch_ / "run.yaml", kRun);
  const Outcome made = run({"data", scratch_ / "text.txt", "--tokenizer", "byte", "--validation-tokens", "4K", "--out",
                            scratch_ / "store/corpora/tiny"});
  EXPECT_EQ(made.status, 0) << made.said;
}

std::vector<std::string> Workshop::train(const std::string& name, const std::vector<std::string>& more) const {
  std::vector<std::string> words{"train", path("run.yaml"), "--store",      path("store"),
                                 "--out", out(name),        "--max-epochs", "none"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

pid_t Workshop::start(const std::vector<std::string>& arguments) const {
  std::vector<std::string> words = launcher;
  words.push_back(worker_program());
  words.insert(words.end(), arguments.begin(), arguments.end());
  const pid_t child = ::fork();
  if (child == 0) become(words, path("said-" + std::to_string(::getpid())), *this);
  return child;
}

Outcome Workshop::wait(pid_t worker) const {
  int status = 0;
  ::waitpid(worker, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  const std::string said = path("said-" + std::to_string(worker));
  return {code, std::filesystem::exists(said) ? read_file(said) : ""};  // it may have been killed before its first word
}

pid_t process_of(const std::string& out, int rank) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string number = entry.path().filename();
    if (number.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.find(out + '\0') == std::string::npos) continue;
    if (variable(entry.path(), "OMPI_COMM_WORLD_RANK") == std::to_string(rank)) return std::stoi(number);
  }
  return 0;
}

void launch_ranks(Workshop& shop, int ranks) {
  shop.launcher.clear();
  if (ranks == 1) return;
  shop.launcher = {"mpirun", "-n", std::to_string(ranks)};
  shop.extra = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
                {"OMPI_MCA_mpi_yield_when_idle", "1"},
                {"OMPI_MCA_hwloc_base_binding_policy", "none"},
                {"OMPI_MCA_pml", "ob1"}};
}

void expect_same_curve(const storage::RunDirectory& a, const storage::RunDirectory& b) {
  const storage::RunRecord left = storage::read_run_record(a.run_h5()), right = storage::read_run_record(b.run_h5());
  EXPECT_EQ(left.run_id, right.run_id);
  ASSERT_EQ(left.steps.size(), right.steps.size());
  for (size_t i = 0; i < left.steps.size(); ++i) {
    const storage::StepRow &x = left.steps[i], &y = right.steps[i];
    ASSERT_EQ(x.step, static_cast<int64_t>(i) + 1);
    ASSERT_EQ(y.step, x.step);
    ASSERT_EQ(y.tokens, x.tokens);
    ASSERT_EQ(y.loss, x.loss) << "step " << x.step;
    ASSERT_EQ(y.lr, x.lr) << "step " << x.step;
    ASSERT_EQ(y.grad_norm, x.grad_norm) << "step " << x.step;
  }
  ASSERT_EQ(left.evals.size(), right.evals.size());
  for (size_t i = 0; i < left.evals.size(); ++i) {
    EXPECT_EQ(left.evals[i].step, right.evals[i].step);
    EXPECT_EQ(left.evals[i].loss, right.evals[i].loss);
    EXPECT_EQ(left.evals[i].standard_error, right.evals[i].standard_error);
  }
}

void expect_same_checkpoint(const storage::RunDirectory& a, const storage::RunDirectory& b, int64_t step) {
  const storage::CheckpointReader left(storage::checkpoint_path(a, step)), right(storage::checkpoint_path(b, step));
  ASSERT_EQ(left.names(), right.names());
  for (const std::string& name : left.names()) {
    size_t count = 1;
    for (const int64_t extent : left.shape(name)) count *= static_cast<size_t>(extent);
    std::vector<float> x(count), y(count);
    left.read(name, x);
    right.read(name, y);
    EXPECT_EQ(x, y) << name;
  }
}

}  // namespace hyscale::parallel
