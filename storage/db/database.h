#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/process.h"
#include "storage/db/results.h"
#include "storage/db/rows.h"

namespace SQLite {
class Database;
}

namespace hyscale::storage {

/// Tells a lease apart from any earlier one of the same name.
struct Lease {
  std::string name;
  int64_t token = 0;
};
/// Who holds a lease.
struct LeaseHolder {
  std::string host;
  ProcessIdentity process;
  double expires = 0;  // unix seconds
};

/// STORE/results.db (docs/formats.md): one SQLite file with a rollback journal, foreign keys on. It can always be
/// rebuilt from run directories and STORE/studies.
///
/// Every method throws DamagedFile when the file is no database or torn, IoError when it cannot be read, written or
/// stays locked by another program; each names the remedy. A method that changes rows is one transaction, or part of
/// the one that `transaction` has open; when it throws, nothing has changed.
class Database {
 public:
  enum class Mode {
    read,    // never writes; the file must exist
    write,   // the file must exist
    create,  // makes it in a store that has no studies yet; refuses where a database must have been lost
  };
  Database(const std::string& store, Mode mode);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) = delete;

  /// Makes a new database beside the old one, lets `fill` write it, and puts it in the old one's place, which is kept
  /// as results.db.replaced-<time>. Refused (ConfigError) while a living process holds a lease in the old one.
  static void rebuild(const std::string& store, const std::function<void(Database&)>& fill);

  const std::string& store() const { return store_; }
  /// Whether the file has been replaced (rebuilt) since it was opened; whoever holds it must then open it again.
  bool replaced() const;

  /// BEGIN IMMEDIATE … COMMIT; rolled back when `body` throws. Transactions nest: the outermost one counts.
  void transaction(const std::function<void()>& body);

  void put_study(const StudyRow& study);  // inserts or replaces; keeps `created`
  std::vector<StudyRow> studies() const;
  std::optional<StudyRow> study(const std::string& name) const;

  void put_cell(const CellRow& cell);  // inserts, or replaces the one with the same key
  std::vector<CellRow> cells(const std::string& study) const;
  CellRow first_cell(const std::string& study, const std::string& run_id) const;  // an empty one when there is none
  void put_rejected(const std::string& study, const std::vector<RejectedRow>& rejected);  // replaces the list
  std::vector<RejectedRow> rejected(const std::string& study) const;

  bool add_run(const RunRow& run);  // false: already there, and left as it is
  std::optional<RunRow> run(const std::string& run_id) const;
  /// Each once, in the order they were added. Configs are most of what a row weighs: `left_out` gives empty ones.
  enum class Configs { read, left_out };
  std::vector<RunRow> runs(const std::string& study, Configs configs = Configs::read) const;
  /// Those in one state, without their configs; the first `most` of them, all when it is negative.
  std::vector<RunRow> runs_in(const std::string& study, const std::string& state, int64_t most = -1) const;
  std::vector<ActiveRow> active_jobs(const std::string& study) const;  // of runs that are submitted or running
  std::vector<WorkRow> work(const std::string& study) const;           // one for each state that a run is in
  std::vector<FinishedRow> finished_runs() const;                      // of all studies, by id
  std::vector<ThroughputRow> throughputs() const;                      // of all done runs that say what they ran on
  std::vector<RunRow> active_runs() const;                             // submitted or running, of all studies
  bool has_unfinished(const std::string& study) const;                 // a run of it may still come to an end
  std::vector<std::string> studies_of(const std::string& run_id) const;
  /// Steps at which branches that are neither done nor diverged, of whichever study, leave a run; by that run's id.
  std::map<std::string, std::set<int64_t>> open_branch_points() const;
  void update_run(const RunRow& run);                                   // everything but config and figures
  void put_result(const std::string& run_id, const RunResult& result);  // idempotent

  /// Validation loss by run id, of those of the study's runs that are done.
  std::map<std::string, double> losses(const std::string& study) const;
  /// What analysis reads, in the study's order. Cells without a result have NaN there.
  std::vector<ResultRow> results(const std::string& study) const;

  /// Takes the lease when it is free, expired, or its holder is a process of this host that is gone; nullopt when
  /// somebody else holds it. `seconds` is the time after which silence counts as death.
  std::optional<Lease> take_lease(const std::string& name, double seconds);
  /// The heartbeat: prolongs it. False: somebody else has taken it over, stop at once.
  bool renew_lease(const Lease& lease, double seconds);
  void release_lease(const Lease& lease);
  /// The living holder, if any.
  std::optional<LeaseHolder> lease_holder(const std::string& name) const;
  std::vector<std::string> held_leases() const;

 private:
  struct Unfinished {};
  Database(const std::string& store, const std::string& path, Unfinished);
  template <class Body>
  auto guarded(Body body) const -> decltype(body());
  void open(bool writable);
  void check_health(bool writable);

  std::string store_;
  std::string path_;
  std::unique_ptr<SQLite::Database> sql_;
  uint64_t inode_ = 0;
  int depth_ = 0;  // of nested transactions
};

std::string database_path(const std::string& store);
/// Whether the store has one that can be read: not before the first submission, nor while that is still making it.
bool has_database(const std::string& store);

}  // namespace hyscale::storage
