#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <random>
#include <sys/wait.h>
#include <thread>

#include "core/base/clock.h"
#include "storage/files/checkpoint.h"
#include "tests/parallel/worker_process.h"

namespace hyscale::parallel {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr int kKills = 20;
constexpr int kAimed = 8;  // of those, into the writing of a checkpoint
constexpr int64_t kSteps = 200;

uint64_t seed() {
  const char* given = std::getenv("HYSCALE_FAULT_SEED");
  const uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("HYSCALE_FAULT_SEED=%llu\n", static_cast<unsigned long long>(value));
  return value;
}

bool ended(pid_t worker) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(worker), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == worker;
}

bool half_written(const storage::RunDirectory& run) {
  std::error_code gone;
  for (fs::directory_iterator at(run.checkpoints(), gone), end; !gone && at != end; at.increment(gone))
    if (at->path().filename().string().find(".tmp-") != std::string::npos) return true;
  return false;
}

/// Waits until the worker that was started at `since` (Unix seconds) is under way: opening its libraries may take a
/// multiple of the whole training.
void await_first_sign(pid_t worker, const storage::RunDirectory& run, double since) {
  const auto under_way = [&] {
    const auto status = storage::read_status(run);
    return status && status->heartbeat >= since;
  };
  while (!under_way() && !ended(worker)) std::this_thread::sleep_for(std::chrono::microseconds(200));
}

/// Waits until `wait` has passed, the worker has ended, or (when `aimed`) a checkpoint is being written.
void await(pid_t worker, const storage::RunDirectory& run, std::chrono::duration<double> wait, bool aimed) {
  const auto until = Clock::now() + wait;
  while (Clock::now() < until && !ended(worker)) {
    if (aimed && half_written(run)) return;
    if (!aimed) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

TEST(KillAndResume, GivesTheUndisturbedCurveBitForBit) {
  std::mt19937_64 random(seed());
  const Workshop shop;
  const storage::RunDirectory calm{shop.out("calm")}, killed{shop.out("killed")};
  const std::vector<std::string> how{"--checkpoint-every", "7", "--log-every", "5", "--eval-every", "50"};
  const pid_t peaceful = shop.start(shop.train("calm", how));
  await_first_sign(peaceful, calm, 0);
  const auto begin = Clock::now();
  const Outcome undisturbed = shop.wait(peaceful);
  ASSERT_EQ(undisturbed.status, 0) << undisturbed.said;
  const std::chrono::duration<double> whole = Clock::now() - begin;

  // an attempt lives a fifteenth of the whole run at most, so that all kills meet a running worker; every fifth one is
  // killed at the outset
  std::uniform_real_distribution<double> share(0.0, 1.0 / 15);
  int kills = 0, torn = 0;
  while (kills < kKills) {
    std::vector<std::string> arguments = shop.train("killed", how);
    if (fs::exists(killed.run_yaml())) arguments.emplace_back("--resume");
    const double since = hyscale::Clock::system().unix_seconds();
    const pid_t worker = shop.start(arguments);
    if (kills % 5 != 4) await_first_sign(worker, killed, since);
    await(worker, killed, whole * share(random), kills % (kKills / kAimed) == 1);
    ::kill(worker, SIGKILL);
    const Outcome outcome = shop.wait(worker);
    if (outcome.status == 0) break;
    ASSERT_EQ(outcome.status, 128 + SIGKILL) << outcome.said;
    torn += half_written(killed) ? 1 : 0;
    ++kills;
  }
  EXPECT_GE(kills, kKills / 2) << "the run was over too soon for this test to mean anything";
  const Outcome last = shop.run(shop.train("killed", {"--resume", "--checkpoint-every", "7", "--eval-every", "50"}));
  ASSERT_EQ(last.status, 0) << last.said;
  std::printf("%d kills, %d of them inside a checkpoint's writing\n", kills, torn);
  expect_same_curve(calm, killed);
  expect_same_checkpoint(calm, killed, kSteps);
  EXPECT_FALSE(half_written(killed));
  EXPECT_EQ(storage::list_checkpoints(killed).size(), 2u);
}

TEST(KillAndResume, InsideTheWritingOfACheckpointUsesTheOneBefore) {
  const Workshop shop;
  const storage::RunDirectory calm{shop.out("calm")}, killed{shop.out("killed")};
  ASSERT_EQ(shop.run(shop.train("calm")).status, 0);
  bool torn = false;
  for (int trial = 0; trial < 10 && !torn; ++trial) {
    std::vector<std::string> arguments = shop.train("killed", {"--checkpoint-every", "7"});
    if (fs::exists(killed.run_yaml())) arguments.emplace_back("--resume");
    const pid_t worker = shop.start(arguments);
    await(worker, killed, std::chrono::seconds(20), true);
    ::kill(worker, SIGKILL);
    shop.wait(worker);
    torn = half_written(killed);
  }
  EXPECT_TRUE(torn) << "no kill met a checkpoint half written";
  ASSERT_EQ(shop.run(shop.train("killed", {"--resume"})).status, 0);
  expect_same_curve(calm, killed);
}

/// The process of a rank, as soon as it is there; 0 when the launch is over before.
pid_t await_rank(pid_t launch, const storage::RunDirectory& run, int rank) {
  for (pid_t process = 0; !ended(launch); std::this_thread::sleep_for(std::chrono::milliseconds(5)))
    if ((process = process_of(run.path, rank)) != 0) return process;
  return 0;
}

TEST(KillingAnyOfFourRanks, GivesTheUndisturbedCurveBitForBit) {
  const bool many = std::getenv("HYSCALE_LONG_TESTS") != nullptr;
  const int wanted = many ? 50 : 4;
  const int64_t steps = many ? 1000 : 200;
  std::mt19937_64 random(seed());
  Workshop shop;
  launch_ranks(shop, 4);
  const storage::RunDirectory calm{shop.out("calm")}, killed{shop.out("killed")};
  const std::vector<std::string> how{"--tp",
                                     "2",
                                     "--checkpoint-every",
                                     "7",
                                     "--log-every",
                                     "5",
                                     "--eval-every",
                                     "50",
                                     "--set",
                                     "train.tokens=" + std::to_string(512 * steps)};
  const pid_t peaceful = shop.start(shop.train("calm", how));
  await_first_sign(peaceful, calm, 0);
  const auto begin = Clock::now();
  const Outcome undisturbed = shop.wait(peaceful);
  ASSERT_EQ(undisturbed.status, 0) << undisturbed.said;
  const std::chrono::duration<double> whole = Clock::now() - begin;

  std::uniform_real_distribution<double> share(0.0, 1.2 / wanted);
  std::array<int, 4> victims{};
  int kills = 0, torn = 0;
  for (int trial = 0; trial < 2 * wanted && kills < wanted; ++trial) {
    std::vector<std::string> arguments = shop.train("killed", how);
    if (fs::exists(killed.run_yaml())) arguments.emplace_back("--resume");
    const double since = hyscale::Clock::system().unix_seconds();
    const pid_t launch = shop.start(arguments);
    const bool aimed = trial % 3 == 1;  // at the writing of a checkpoint, which is rank 0's
    const int rank = aimed ? 0 : static_cast<int>(random() % 4);
    const pid_t victim = await_rank(launch, killed, rank);
    if (trial % 5 != 4) await_first_sign(launch, killed, since);  // every fifth at the outset
    await(launch, killed, aimed ? whole : whole * share(random), aimed);
    if (victim != 0 && !ended(launch)) ::kill(victim, SIGKILL);
    const Outcome outcome = shop.wait(launch);
    if (outcome.status == 0) break;
    ASSERT_EQ(outcome.status, 128 + SIGKILL) << outcome.said;
    torn += half_written(killed) ? 1 : 0;
    ++victims[static_cast<size_t>(rank)], ++kills;
  }
  EXPECT_GE(kills, many ? wanted : wanted / 2) << "the run was over too soon for this test to mean anything";
  std::vector<std::string> last = shop.train("killed", how);
  last.emplace_back("--resume");
  const Outcome outcome = shop.run(last);
  ASSERT_EQ(outcome.status, 0) << outcome.said;
  std::printf("%d kills (ranks 0 to 3: %d, %d, %d, %d), %d of them inside a checkpoint's writing\n", kills, victims[0],
              victims[1], victims[2], victims[3], torn);
  expect_same_curve(calm, killed);
  expect_same_checkpoint(calm, killed, steps);
  EXPECT_FALSE(half_written(killed));
}

}  // namespace
}  // namespace hyscale::parallel
