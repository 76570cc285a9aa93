#include "cluster/preflight.h"

#include <cmath>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cluster/gpu_lease.h"

namespace hyscale::cluster {
namespace {

using Level = Finding::Level;

constexpr double kProgramSeconds = 60;
constexpr double kSkewWarning = 2, kSkewFailure = 15;  // seconds; a lease that is not renewed lapses after 30
constexpr double kSlowWrite = 0.1;                     // seconds
constexpr uint64_t kLittleSpace = 1ull << 30;          // bytes
constexpr uint64_t kFilesOfARun = 16;

Level needed(bool needed) { return needed ? Level::failure : Level::warning; }

/// The last line that says something.
std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of(" \n\r\t-");
  if (end == std::string::npos) return "it said nothing";
  const size_t begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

std::string gibibytes(uint64_t bytes) { return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1ull << 30)); }

std::string mpi_remedy(const std::string& said) {
  if (said.find("not enough slots") != std::string::npos)
    return "set OMPI_MCA_rmaps_base_oversubscribe=1, or ask for no more ranks than there are cores";
  if (said.find("as root") != std::string::npos)
    return "run as an ordinary user, or set OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1";
  if (said.find("shared libraries") != std::string::npos)
    return "load the MPI that hybrid-worker was built with (module load …, or LD_LIBRARY_PATH)";
  return "try the command by hand: mpirun -n 2 hybrid-worker bench comm";
}

/// What `hybrid-worker bench comm --json` says; null when that is no JSON. mpirun may speak before and after.
nlohmann::json answer_in(const std::string& text) {
  const size_t begin = text.find('{'), end = text.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return nullptr;
  return nlohmann::json::parse(text.substr(begin, end - begin + 1), nullptr, false);
}

}  // namespace

std::string to_string(Level level) {
  constexpr const char* kNames[] = {"good", "note", "warning", "failure"};
  return kNames[static_cast<size_t>(level)];
}

Finding check_worker(const Site& site, const Needs& needs) {
  const auto said = site.run({needs.worker, "--version"}, {.seconds = kProgramSeconds});
  if (said.exit_code == 0) return {.check = "worker", .what = last_line(said.out)};
  return {.check = "worker",
          .level = Level::failure,
          .what = fmt::format("{} does not start: {}", needs.worker, last_line(said.err + said.out)),
          .remedy = "build hybrid-worker on this machine, or name it with HYSCALE_WORKER=/path/to/hybrid-worker"};
}

Finding check_mpi(const Site& site, const Needs& needs) {
  const int64_t ranks = std::max<int64_t>(needs.ranks, 2);
  const bool must = needs.ranks > 1;
  if (site.run({"mpirun", "--version"}, {.seconds = kProgramSeconds}).exit_code != 0)
    return {.check = "mpi",
            .level = must ? Level::failure : Level::note,
            .what = "there is no mpirun: runs have one rank",
            .remedy = must ? "install OpenMPI (openmpi-bin), or load its module" : ""};
  const auto said = site.run({"mpirun", "-n", std::to_string(ranks), needs.worker, "bench", "comm", "--json"},
                             {.seconds = kProgramSeconds});
  if (said.exit_code != 0)
    return {.check = "mpi",
            .level = needed(must),
            .what = fmt::format("mpirun -n {} fails (status {}): {}", ranks, said.exit_code,
                                last_line(said.err + said.out)),
            .remedy = mpi_remedy(said.err + said.out)};
  const auto answer = answer_in(said.out);
  if (!answer.is_object() || answer.value("ranks", int64_t{0}) != ranks)
    return {.check = "mpi",
            .level = needed(must),
            .what = fmt::format("mpirun started {} processes that do not see each other", ranks),
            .remedy = "use the mpirun of the MPI that hybrid-worker was built with"};
  if (!answer.value("correct", false))
    return {.check = "mpi",
            .level = needed(must),
            .what = "the ranks' sums are wrong",
            .remedy = "leave MPI's transport to its default (unset OMPI_MCA_* settings), then try again"};
  return {.check = "mpi",
          .what = fmt::format("{}: {} ranks see each other and add up right, {:.0f} us for 4 bytes",
                              answer.value("library", std::string("MPI")), ranks,
                              answer.value("latency_microseconds", 0.0))};
}

Finding check_gpus(const Site& site, const Needs& needs) {
  const auto said = site.run({"nvidia-smi", "-L"}, {.seconds = kProgramSeconds});
  const size_t count = parse_gpu_list(said.out).size();
  if (said.exit_code == 0 && count > 0) {
    if (static_cast<int64_t>(count) >= needs.gpus_per_run)
      return {.check = "gpus", .what = fmt::format("{} GPUs", count)};
    return {.check = "gpus",
            .level = needs.slurm ? Level::note : Level::failure,
            .what = fmt::format("a run asks for {} GPUs, this machine has {}", needs.gpus_per_run, count),
            .remedy = needs.slurm ? "" : "ask for fewer in resources.gpus, or submit to a cluster"};
  }
  const bool must = needs.gpus && !needs.slurm;
  if (said.exit_code == kNoSuchProgram)
    return {.check = "gpus",
            .level = must ? Level::failure : Level::note,
            .what = "no GPU: there is no nvidia-smi",
            .remedy = must ? "install NVIDIA's driver, or say resources: {device: cpu}" : ""};
  return {.check = "gpus",
          .level = needed(must),
          .what = "nvidia-smi sees no GPU: " + last_line(said.out + said.err),
          .remedy = "see that the driver is loaded and matches its tools (often a reboot after an update)"};
}

std::vector<Finding> judge_store(const StoreProbe& p, const Needs& needs) {
  if (!p.problem.empty())
    return {{.check = "store",
             .level = Level::failure,
             .what = p.problem,
             .remedy = "make it writable, or choose another one with --store"}};
  std::vector<Finding> found;
  const double skew = std::abs(p.skew_seconds);
  found.push_back({.check = "clock", .what = fmt::format("host and store differ by {:.2f} s", skew)});
  if (skew > kSkewWarning)
    found.back().level = skew > kSkewFailure ? Level::failure : Level::warning,
    found.back().remedy =
        "let the time service (NTP, chrony) run on this host and on the file server: leases and "
        "heartbeats compare clocks";
  found.push_back({.check = "locks", .what = "two processes exclude each other (flock, fcntl)"});
  if (!p.flock_excludes || !p.record_excludes)
    found.back() = {
        .check = "locks",
        .level = Level::failure,
        .what = fmt::format("the store's file system does not keep two processes apart ({})",
                            p.flock_excludes ? "fcntl" : "flock"),
        .remedy = "mount it with locks (Lustre: -o flock; NFS: without nolock), or put the store elsewhere"};
  found.push_back(
      {.check = "latency", .what = fmt::format("a small file is safe after {:.1f} ms", p.write_seconds * 1e3)});
  if (p.write_seconds > kSlowWrite)
    found.back().level = Level::warning,
    found.back().remedy = "put the store on a faster file system: each run writes a few such files a minute";
  found.push_back({.check = "disk", .what = gibibytes(p.free_bytes) + " free"});
  if (needs.bytes > 0) found.back().what += ", the runs leave about " + gibibytes(needs.bytes);
  if (p.free_bytes < needs.bytes || p.free_files < kFilesOfARun * static_cast<uint64_t>(needs.runs))
    found.back().level = Level::failure, found.back().remedy = "free some space (study gc), or choose another --store";
  else if (p.free_bytes < kLittleSpace)
    found.back().level = Level::warning, found.back().remedy = "free some space: checkpoints are large";
  return found;
}

std::vector<Finding> preflight(const Site& site, const Needs& needs,
                               const std::function<void(const std::string& check)>& show) {
  const auto next = [&](const char* check) {
    if (show) show(check);
  };
  std::vector<Finding> found;
  const auto add = [&](const std::vector<Finding>& more) { found.insert(found.end(), more.begin(), more.end()); };
  next("the worker");
  add({check_worker(site, needs)});
  next("MPI");
  if (found.back().level != Level::failure) add({check_mpi(site, needs)});
  next("GPUs");
  add({check_gpus(site, needs)});
  next("the store");
  add(judge_store(site.probe(needs.store), needs));
  next("Slurm");
  add(check_slurm(site, needs));
  return found;
}

}  // namespace hyscale::cluster
