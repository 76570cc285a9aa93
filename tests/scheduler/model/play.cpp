#include "tests/scheduler/model/play.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <memory>

#include "cluster/slurm.h"
#include "core/base/error.h"
#include "scheduler/driver.h"
#include "storage/db/database.h"
#include "tests/scheduler/model/reference.h"
#include "tests/support/scratch.h"

namespace hyscale::scheduler::model {
namespace {

using Kind = Step::Kind;
using Mishap = World::Mishap;

constexpr std::array<const char*, static_cast<size_t>(Kind::end_of_list)> kNames = {"submit",
                                                                                    "cancel",
                                                                                    "retry",
                                                                                    "collect",
                                                                                    "collect_killed_before",
                                                                                    "collect_killed_after",
                                                                                    "collect_deaf",
                                                                                    "collect_not_taken",
                                                                                    "collect_answer_lost",
                                                                                    "collect_taken_late",
                                                                                    "controller_restarts",
                                                                                    "controller_loses",
                                                                                    "start",
                                                                                    "progress",
                                                                                    "finish",
                                                                                    "fails",
                                                                                    "killed",
                                                                                    "out_of_memory",
                                                                                    "bad_input",
                                                                                    "diverges",
                                                                                    "stops",
                                                                                    "preempted",
                                                                                    "preempted_for_good",
                                                                                    "time_limit",
                                                                                    "node_crashes",
                                                                                    "node_fails",
                                                                                    "record_then_crash",
                                                                                    "keeper_dies",
                                                                                    "scancel"};

constexpr unsigned kTrunks = 3, kRunsOfATrunk = 3;  // with itself

class Play {
 public:
  explicit Play(bool accounting) : world_(store_.path(), accounting) {
    database_ = std::make_unique<storage::Database>(store_.path(), storage::Database::Mode::create);
    database_->put_study({.name = "s"});
  }

  std::optional<std::string> step(const Step& step, Figures& figures) {
    world_.clock.now += 5;
    world_.deliver_signals();
    if (step.kind == Kind::submit)
      submit(step.which);
    else if (step.kind == Kind::cancel || step.kind == Kind::retry)
      ask(step.kind, step.which);
    else if (is_collect(step.kind))
      collect(step.kind, figures);
    else
      happen(step);
    return world_.violation;
  }

  /// From here on nothing goes wrong: every run that a person wants comes to its end, and nothing is left behind.
  std::optional<std::string> end(Figures& figures) {
    for (int round = 0; round < 40 && !world_.violation && (round == 0 || !has_ended()); ++round) {
      collect(Kind::collect, figures);
      world_.deliver_signals();
      for (unsigned i = 0; i < 40; ++i) {
        if (const auto task = world_.choose(World::Reach::start, i)) world_.start(*task);
        if (const auto task = world_.choose(World::Reach::run, 0)) world_.finish(*task);
      }
    }
    for (const Reference::Run& run : reference_.runs) {
      if (!run.is_final()) complain(run.id + " never ends: it is " + run.state);
      figures.done += run.state == "done", ++figures.runs;
    }
    if (!world_.idle()) complain("a task is left in the queue");
    if (database_->losses("s").size() !=
        static_cast<size_t>(std::count_if(reference_.runs.begin(), reference_.runs.end(),
                                          [](const auto& run) { return run.state == "done"; })))
      complain("results and runs that are done differ in number");
    return world_.violation;
  }

 private:
  static bool is_collect(Kind kind) { return kind >= Kind::collect && kind <= Kind::collect_taken_late; }

  bool has_ended() const {
    return world_.idle() && std::all_of(reference_.runs.begin(), reference_.runs.end(),
                                        [](const Reference::Run& run) { return run.is_final(); });
  }

  void complain(const std::string& what) {
    if (!world_.violation) world_.violation = what;
  }

  void submit(unsigned which) {
    const std::string trunk = fmt::format("t{}", which % kTrunks);
    const unsigned member = which / kTrunks % kRunsOfATrunk;
    add(trunk, "");
    if (member > 0) add(fmt::format("{}b{}", trunk, member), trunk);
  }

  void add(const std::string& id, const std::string& parent) {
    if (!database_->add_run({.run_id = id, .config = "config of " + id})) return;
    database_->put_cell({.study = "s",
                         .run_id = id,
                         .family = "f",
                         .size = "1M",
                         .role = parent.empty() ? "trunk" : "branch",
                         .parent = parent,
                         .cluster = parent.empty() ? id : parent,
                         .branch_step = parent.empty() ? 0 : kBranchStep});
    reference_.add(id, parent);
  }

  void ask(Kind kind, unsigned which) {
    if (reference_.runs.empty()) return;
    const std::string id = reference_.runs[which % reference_.runs.size()].id;
    const bool cancels = kind == Kind::cancel;
    cancels ? reference_.cancel(id) : reference_.retry(id);
    database_->transaction([&] {
      database_->update_run(after(*database_->run(id), {.kind = cancels ? Event::Kind::cancel : Event::Kind::retry}));
    });
    note_final();
  }

  void happen(const Step& step) {
    using Reach = World::Reach;
    if (step.kind == Kind::scancel) return world_.cancelled_by_hand(step.which);
    if (step.kind == Kind::controller_restarts || step.kind == Kind::controller_loses)
      return world_.controller_restarts(step.kind == Kind::controller_loses);
    const auto task = world_.choose(step.kind == Kind::start ? Reach::start : Reach::run, step.which);
    if (!task) return;
    switch (step.kind) {
      case Kind::start:
        return world_.start(*task);
      case Kind::progress:
        return world_.advance(*task, 10 + step.which % 50);
      case Kind::finish:
        return world_.finish(*task);
      case Kind::fails:
        return world_.worker_ends(*task, 1);
      case Kind::killed:
        return world_.worker_ends(*task, 137, 9);
      case Kind::out_of_memory:
        return world_.worker_ends(*task, 3);
      case Kind::bad_input:
        return world_.worker_ends(*task, 2);
      case Kind::diverges:
        return world_.worker_ends(*task, 4);
      case Kind::stops:
        return world_.worker_ends(*task, 75);
      case Kind::preempted:
        return world_.stopped_by_slurm(*task, "PENDING");
      case Kind::preempted_for_good:
        return world_.stopped_by_slurm(*task, "PREEMPTED");
      case Kind::time_limit:
        return world_.stopped_by_slurm(*task, "TIMEOUT");
      case Kind::node_crashes:
        return world_.node_dies(*task, true, false);
      case Kind::node_fails:
        return world_.node_dies(*task, false, false);
      case Kind::record_then_crash:
        return world_.node_dies(*task, step.which % 2 == 0, true);
      case Kind::keeper_dies:
        return world_.keeper_dies(*task);
      default:
        return;
    }
  }

  /// As `study collect` does, by processes that know nothing but what the store holds.
  void collect(Kind kind, Figures& figures) {
    constexpr std::array kMishaps = {Mishap::none,      Mishap::killed_before, Mishap::killed_after, Mishap::none,
                                     Mishap::not_taken, Mishap::taken,         Mishap::taken_late};
    world_.clock.now += 400;  // beyond what Slurm is given to answer
    world_.mishap = kMishaps.at(static_cast<size_t>(kind) - static_cast<size_t>(Kind::collect));
    world_.deaf = kind == Kind::collect_deaf;
    const bool is_whole = world_.mishap == Mishap::none && !world_.deaf;
    const auto before = reference_.runs;
    reference_.collect([&](const auto& run) { return world_.truth(job_directory(run.id, run.attempts)); }, world_);
    ++figures.collects;
    try {
      round();
      if (!is_whole) give_back_since(before);
    } catch (const World::Killed&) {
    } catch (const Error& error) {
      complain(std::string("collect fails: ") + error.what());
    }
    world_.mishap = Mishap::none;
    world_.settle();
    world_.deaf = false;
    note_final();
    if (!is_whole && kind != Kind::collect_deaf) return;
    ++figures.compared;
    for (const Reference::Run& run : reference_.runs) compare(run);
  }

  /// Launched just now, but sbatch was not asked: an array before it failed, or its trunk's is not known.
  void give_back_since(const std::vector<Reference::Run>& before) {
    for (size_t i = 0; i < before.size(); ++i)
      if (const auto& run = reference_.runs[i];
          run.attempts > before[i].attempts && !world_.asked.contains(job_directory(run.id, run.attempts)))
        reference_.give_back(run.id);
  }

  void round() {
    cluster::SlurmBackend slurm(
        {.label = "s", .directory = store_.path() + "/slurm", .keeper = {"/bin/keeper"}},
        [this](const auto& argv, const auto&) { return world_.answer(argv); }, world_.clock);
    const MakeJob make_job = [this](const Attempt& attempt) {
      cluster::Job job{.directory = job_directory(attempt.run.run_id, attempt.number), .argv = {attempt.run.run_id}};
      if (!attempt.from.empty()) job.argv.push_back(attempt.from);
      job.after = attempt.after;
      if (!attempt.after.empty()) job.needs = attempt.from;
      return job;
    };
    Driver driver(
        {.database = *database_, .backend = slurm, .files = world_, .make_job = make_job, .clock = world_.clock}, "s",
        1);
    database_->release_lease({lease_name("s"), leases_});  // of a process that was killed
    if (!driver.take_lease()) return complain("the lease of a dead driver is not given up");
    ++leases_;
    if (driver.round())
      driver.release();
    else
      slurm.clear_queue();
  }

  void compare(const Reference::Run& run) {
    const auto now = *database_->run(run.id);
    const bool active = is_active(state_of(now));
    const auto text = [](const std::string& state, const auto& r) {
      return fmt::format("{} (attempts {}, faults {} {} {}, requeues {}, step {})", state, r.attempts, r.own_faults,
                         r.node_faults, r.memory_faults, r.requeues, r.last_step);
    };
    const std::string is = text(active ? "active" : now.state, now), should = text(run.state, run);
    if (is != should) complain(fmt::format("{} is {}, should be {}", run.id, is, should));
  }

  void note_final() {
    world_.over.clear();
    for (const Reference::Run& run : reference_.runs)
      if (run.is_final()) world_.over.insert(run.id);
  }

  std::string job_directory(const std::string& run, int attempt) const {
    return fmt::format("{}/jobs/{}/{}", store_.path(), run, attempt);
  }

  tests::ScratchDirectory store_{"/dev/shm"};  // nothing here waits for a disk
  World world_;
  Reference reference_;
  std::unique_ptr<storage::Database> database_;
  int64_t leases_ = 0;
};

}  // namespace

std::string to_string(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps)
    text += fmt::format("  {} {}\n", kNames.at(static_cast<size_t>(step.kind)), step.which);
  return text;
}

std::optional<std::string> play(const std::vector<Step>& steps, bool accounting, Figures& figures) {
  Play study(accounting);
  for (const Step& step : steps)
    if (auto wrong = study.step(step, figures)) return wrong;
  return study.end(figures);
}

}  // namespace hyscale::scheduler::model
