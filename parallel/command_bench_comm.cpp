#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "parallel/commands.h"
#include "parallel/mpi_collective.h"

namespace hyscale::parallel {
namespace {

constexpr int kRepeats = 20;
constexpr std::array<int64_t, 3> kBytes{4, 64 << 10, 4 << 20};

struct Transfer {
  int64_t bytes = 0;
  double seconds = 0;  // of one all-reduce: the median, on the slowest rank
};

/// Every operation of the Collective interface gives what it must, and on all ranks the same.
bool adds_up(Collective& ranks) {
  const int n = ranks.size(), self = ranks.rank();
  const auto sum = static_cast<float>(n * (n + 1) / 2);
  std::vector<float> reduced(1000, static_cast<float>(self + 1));
  ranks.all_reduce_sum(reduced);
  bool good = std::all_of(reduced.begin(), reduced.end(), [&](float value) { return value == sum; });
  std::vector<float> gathered(static_cast<size_t>(n), 0),
      scattered(static_cast<size_t>(n), static_cast<float>(self + 1));
  gathered[static_cast<size_t>(self)] = static_cast<float>(self);
  ranks.all_gather(gathered);
  for (int i = 0; i < n; ++i) good = good && gathered[static_cast<size_t>(i)] == static_cast<float>(i);
  ranks.reduce_scatter_sum(scattered);
  good = good && scattered[static_cast<size_t>(self)] == sum;
  std::array<std::byte, 1> word{static_cast<std::byte>(self == 0 ? 42 : 0)};
  ranks.broadcast(word, 0);
  std::array<int64_t, 1> wrong{good && word[0] == std::byte{42} ? 0 : 1};
  ranks.all_reduce_max(wrong);
  return wrong[0] == 0;
}

Transfer measure(Collective& ranks, int64_t bytes) {
  std::vector<float> values(static_cast<size_t>(bytes) / sizeof(float), 0);
  std::vector<double> seconds;
  for (int i = 0; i < kRepeats; ++i) {
    ranks.barrier();
    const double began = Clock::system().steady_seconds();
    ranks.all_reduce_sum(values);
    seconds.push_back(Clock::system().steady_seconds() - began);
  }
  std::nth_element(seconds.begin(), seconds.begin() + kRepeats / 2, seconds.end());
  std::array<int64_t, 1> nanoseconds{static_cast<int64_t>(seconds[kRepeats / 2] * 1e9)};
  ranks.all_reduce_max(nanoseconds);
  return {bytes, static_cast<double>(nanoseconds[0]) * 1e-9};
}

void bench(bool json) {
  World world;
  Collective& ranks = world.ranks();
  const bool correct = adds_up(ranks);
  std::vector<Transfer> transfers;
  for (const int64_t bytes : kBytes)
    if (ranks.size() > 1) transfers.push_back(measure(ranks, bytes));
  if (ranks.rank() == 0 && json) {
    nlohmann::ordered_json j{{"ranks", ranks.size()},
                             {"local_ranks", world.local_ranks()},
                             {"library", world.library()},
                             {"correct", correct},
                             {"latency_microseconds", transfers.empty() ? 0 : transfers.front().seconds * 1e6},
                             {"all_reduce", nlohmann::ordered_json::array()}};
    for (const Transfer& t : transfers) j["all_reduce"].push_back({{"bytes", t.bytes}, {"seconds", t.seconds}});
    fmt::print("{}\n", j.dump(2));
  } else if (ranks.rank() == 0) {
    fmt::print("{} ranks, {} of them here; {}; sums are {}\n", ranks.size(), world.local_ranks(), world.library(),
               correct ? "right" : "WRONG");
    for (const Transfer& t : transfers)
      fmt::print("all-reduce of {:>8} bytes  {:>10.1f} us  {:>8.2f} GB/s\n", t.bytes, t.seconds * 1e6,
                 static_cast<double>(t.bytes) / t.seconds * 1e-9);
  }
  if (!correct) throw CommandEnded{ExitCode::failed};
}

}  // namespace

void add_bench_comm(CLI::App& bench_command) {
  CLI::App* command = bench_command.add_subcommand("comm", "Check and time what the ranks say to each other");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->footer(
      "Runs every collective operation once and looks at its result, then times all-reduces on the hosts' memory.\n"
      "Exits 1 when a result is wrong. Under no launcher there is one rank, which has nothing to say.\n"
      "Example: mpirun -n 2 hybrid-worker bench comm");
  command->callback([json] { bench(*json); });
}

}  // namespace hyscale::parallel
