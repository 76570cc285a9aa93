#include "cluster/preflight.h"

#include <cmath>
#include <fmt/format.h>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cluster/gpu_lease.h"
#include "cluster/lock.h"

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

std::string size_text(uint64_t bytes) {
  const bool large = bytes >= kLittleSpace;
  return fmt::format("{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(1ull << (large ? 30 : 20)),
                     large ? "GiB" : "MiB");
}

std::vector<std::string> worker_with(const Needs& needs, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = needs.container;
  argv.push_back(needs.worker);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

/// Causes of a launch that fails, by what the launcher says.
struct KnownFailure {
  const char *said, *remedy;
};
constexpr KnownFailure kKnownFailures[] = {
    {"not enough slots", "set OMPI_MCA_rmaps_base_oversubscribe=1, or ask for no more ranks than there are cores"},
    {"as root", "run as an ordinary user, or set OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"},
    {"shared libraries", "load the MPI that hybrid-worker was built with (module load …, or LD_LIBRARY_PATH)"},
    {"PMI", "srun and the MPI do not fit: say slurm: {mpi: mpirun}"},
    {"MPI plugin", "this Slurm has no PMIx: say slurm: {mpi: mpirun}"}};

std::string mpi_remedy(const std::string& said, const std::string& program) {
  for (const KnownFailure& known : kKnownFailures)
    if (said.find(known.said) != std::string::npos) return known.remedy;
  return fmt::format("try the command by hand: {} -n 2 hybrid-worker bench comm", program);
}

/// The line that a remedy is known for, else the last one.
std::string mpi_words(const CommandOutput& said) {
  std::istringstream lines(said.err + said.out);
  for (std::string line; std::getline(lines, line);)
    for (const KnownFailure& known : kKnownFailures)
      if (line.find(known.said) != std::string::npos) return line;
  return last_line(said.err + said.out);
}

/// What `hybrid-worker bench comm --json` says; null when that is no JSON. mpirun may speak before and after.
nlohmann::json answer_in(const std::string& text) {
  const size_t begin = text.find('{'), end = text.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return nullptr;
  return nlohmann::json::parse(text.substr(begin, end - begin + 1), nullptr, false);
}

}  // namespace

Finding check_worker(const Site& site, const Needs& needs) {
  const auto said = site.run(worker_with(needs, {"--version"}), {.seconds = kProgramSeconds});
  if (said.exit_code == 0) return {.check = "worker", .what = last_line(said.out)};
  return {.check = "worker",
          .level = Level::failure,
          .what = fmt::format("{} does not start: {}", needs.worker, last_line(said.err + said.out)),
          .remedy = "build hybrid-worker on this machine, or name it with HYSCALE_WORKER=/path/to/hybrid-worker"};
}

Finding check_mpi(const Site& site, const Needs& needs) {
  const int64_t ranks = std::max<int64_t>(needs.ranks, 2);
  const std::string& program = needs.mpi.front();
  // Where runs are submitted from is not where they run.
  const bool must = needs.ranks > 1 && (!needs.slurm || needs.inside);
  if (site.run({program, "--version"}, {.seconds = kProgramSeconds}).exit_code != 0)
    return {.check = "mpi",
            .level = must ? Level::failure : Level::note,
            .what = fmt::format("there is no {} here: runs have one rank", program),
            .remedy = "install OpenMPI (openmpi-bin), or load its module (slurm: {modules: […]} for jobs)"};
  const auto bad = [&](const std::string& what, const std::string& remedy) {
    return Finding{.check = "mpi", .level = needed(must), .what = what, .remedy = remedy};
  };
  std::vector<std::string> argv = needs.mpi;
  argv.insert(argv.end(), {"-n", std::to_string(ranks)});
  const auto worker = worker_with(needs, {"bench", "comm", "--json"});
  argv.insert(argv.end(), worker.begin(), worker.end());
  const auto said = site.run(argv, {.seconds = kProgramSeconds});
  if (said.exit_code != 0)
    return bad(fmt::format("{} -n {} fails (status {}): {}", program, ranks, said.exit_code, mpi_words(said)),
               mpi_remedy(said.err + said.out, program));
  const auto answer = answer_in(said.out);
  if (!answer.is_object() || answer.value("ranks", int64_t{0}) != ranks)
    return bad(fmt::format("{} started {} processes that do not see each other", program, ranks),
               program == "srun" ? "Slurm's PMIx and the MPI do not fit: say slurm: {mpi: mpirun}"
                                 : "use the mpirun of the MPI that hybrid-worker was built with");
  if (!answer.value("correct", false))
    return bad("the ranks' sums are wrong",
               "leave MPI's transport to its default (unset OMPI_MCA_* settings), then try again");
  return {.check = "mpi",
          .what = fmt::format("{}, by {}: {} ranks see each other and add up right, {:.0f} us for 4 bytes",
                              answer.value("library", std::string("MPI")), program, ranks,
                              answer.value("latency_microseconds", 0.0))};
}

Finding check_gpus(const Site& site, const Needs& needs) {
  const bool must = needs.gpus && (!needs.slurm || needs.inside);
  const auto said = site.run({"nvidia-smi", "-L"}, {.seconds = kProgramSeconds});
  const auto count = static_cast<int64_t>(parse_gpu_list(said.out).size());
  if (said.exit_code == 0 && count > 0) {
    if (count >= needs.gpus_per_run || !must) return {.check = "gpus", .what = fmt::format("{} GPUs", count)};
    return {.check = "gpus",
            .level = Level::failure,
            .what = fmt::format("a run asks for {} GPUs, this machine has {}", needs.gpus_per_run, count),
            .remedy = "ask for fewer in resources.gpus, or submit to a cluster"};
  }
  if (said.exit_code == kNoSuchProgram)
    return {.check = "gpus",
            .level = must ? Level::failure : Level::note,
            .what = "no GPU: there is no nvidia-smi",
            .remedy = must ? "install NVIDIA's driver, or say resources: {device: cpu}" : ""};
  return {.check = "gpus",
          .level = needed(must),
          .what = "nvidia-smi sees no GPU: " + last_line(said.out + said.err),
          .remedy = needs.inside ? "Slurm gave the job none: name another partition or slurm.gpu_type"
                                 : "see that the driver is loaded and matches its tools (often a reboot after an "
                                   "update)"};
}

Finding check_held_lock(const std::string& file) {
  if (is_locked(file)) return {.check = "locks", .what = "a lock that another host holds is seen here"};
  return {.check = "locks",
          .level = Level::failure,
          .what = "a lock that the submitting host holds is not seen here: two hosts could drive one study",
          .remedy =
              "mount the store with locks between hosts (Lustre: -o flock, not localflock; NFS: without nolock or "
              "local_lock), or put it elsewhere"};
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
  found.push_back({.check = "disk", .what = size_text(p.free_bytes) + " free"});
  if (needs.bytes > 0) found.back().what += ", the runs leave about " + size_text(needs.bytes);
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
  if (!needs.held.empty()) add({check_held_lock(needs.held)});
  if (needs.inside) return found;
  next("Slurm");
  add(check_slurm(site, needs));
  return found;
}

}  // namespace hyscale::cluster
