#include "storage/db/database.h"

#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "storage/db/schema.h"
#include "storage/db/sql.h"

namespace hyscale::storage {
namespace {

constexpr int kBusyMilliseconds = 10'000;
constexpr const char* kCache = "PRAGMA cache_size = -32768";  // KiB: a large study's rows are looked up in any order
constexpr uintmax_t kSmall = 8 << 20;                         // bytes; a whole check of so many takes an instant
constexpr const char* kRebuild =
    "study collect NAME --rebuild makes it again from the run directories; trained runs are not lost";

uint64_t inode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

/// A store that holds studies must once have had a database.
bool has_studies(const std::string& store) {
  std::error_code ignored;
  const std::filesystem::directory_iterator studies(store + "/studies", ignored);
  return !ignored && studies != std::filesystem::directory_iterator{};
}

Problem none_yet(const std::string& path, bool lost = false) {
  return {.what = "there is no results database at " + path,
          .remedy = lost ? kRebuild : "submit a study first, or name its store with --store"};
}

void remove_database(const std::string& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-journal"}) std::filesystem::remove(path + suffix, ignored);
}

}  // namespace

std::string database_path(const std::string& store) { return store + "/results.db"; }

bool has_database(const std::string& store) {
  std::error_code absent;
  const auto size = std::filesystem::file_size(database_path(store), absent);
  return !absent && size > 0;
}

void rethrow(const SQLite::Exception& exception, const std::string& path) {
  const std::string what = fmt::format("{}: {}", path, exception.what());
  switch (exception.getErrorCode()) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      throw DamagedFile({.what = what, .remedy = kRebuild});
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw IoError({.what = what,
                     .why = "another program has held the database for more than 10 s",
                     .remedy = "end that program (an open sqlite3 shell, a backup), then give the command again"});
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      throw IoError(
          {.what = what, .remedy = "make the store and its files writable for you, or choose another --store"});
    case SQLITE_FULL:
    case SQLITE_IOERR:
      throw IoError({.what = what, .remedy = "free some space; the same command then carries on"});
    default:
      throw DamagedFile({.what = what, .remedy = kRebuild});
  }
}

Database::Database(const std::string& store, Mode mode) : store_(store), path_(database_path(store)) {
  // In this order: others may be submitting the store's first study, and make its directory after the database.
  const bool studies = has_studies(store);
  const bool there = std::filesystem::exists(path_);
  if (!there && mode != Mode::create) throw ConfigError(none_yet(path_, studies));
  if (!there && studies)
    throw DamagedFile({.what = path_ + " is gone, yet the store holds studies", .remedy = kRebuild});
  if (!there) make_writable_directory(store);
  open(mode != Mode::read);
}

Database::Database(const std::string& store, const std::string& path, Unfinished) : store_(store), path_(path) {
  open(true);
}

Database::~Database() = default;
Database::Database(Database&&) noexcept = default;

void Database::open(bool writable) {
  guarded([&] {
    // A reader must be able to roll back what a killed writer left in the journal, hence opens for writing too (SQLite
    // itself falls back to reading where the file cannot be written) and promises to write nothing else.
    const int flags = SQLite::OPEN_READWRITE | (writable ? SQLite::OPEN_CREATE : 0);
    sql_ = std::make_unique<SQLite::Database>(path_, flags, kBusyMilliseconds);
    sql_->exec(writable ? "PRAGMA foreign_keys = ON" : "PRAGMA query_only = ON");
    sql_->exec(kCache);
    check_health(writable);
    if (!writable) return;
    if (sqlite3_db_readonly(sql_->getHandle(), "main") == 1)
      throw IoError({.what = path_ + " cannot be written",
                     .remedy = "make the store and its files writable for you, or choose another --store"});
    sql_->exec("PRAGMA journal_mode = DELETE");
    migrate(*sql_);
  });
  inode_ = inode_of(path_);
}

void Database::check_health(bool writable) {
  // Asked in this order because another process may just be making the tables, and then the first study's directory.
  const bool studies = has_studies(store_) && path_ == database_path(store_);
  const int version = schema_version(*sql_);
  if (version > kSchemaVersion)
    throw ConfigError(
        {.what = fmt::format("{} has schema version {}, this program knows up to {}", path_, version, kSchemaVersion),
         .remedy = "use the newer program that wrote it"});
  const int tables = sql_->execAndGet("SELECT COUNT(*) FROM sqlite_master").getInt();
  const int application = sql_->execAndGet("PRAGMA application_id").getInt();
  if (application != kApplicationId && tables > 0)
    throw DamagedFile({.what = path_ + " is a database, but not a results database", .remedy = kRebuild});
  // The check reads the whole file. Whoever only reads a large one notices damage on the pages that are read.
  std::error_code absent;
  const bool whole = writable || std::filesystem::file_size(path_, absent) <= kSmall;
  const std::string health = whole ? sql_->execAndGet("PRAGMA quick_check(1)").getString() : "ok";
  if (health != "ok") throw DamagedFile({.what = path_ + " is damaged: " + health, .remedy = kRebuild});
  if (tables == 0 && studies)
    throw DamagedFile({.what = path_ + " is empty, yet the store holds studies", .remedy = kRebuild});
  if (tables == 0 && !writable) throw ConfigError(none_yet(path_));  // its maker was killed, or is not done
}

void Database::rebuild(const std::string& store, const std::function<void(Database&)>& fill) {
  const std::string path = database_path(store);
  const FileLock one_at_a_time(store + "/rebuild.lock", FileLock::Wait::yes);
  if (std::filesystem::exists(path)) {
    std::vector<std::string> held;
    try {
      held = Database(store, Mode::read).held_leases();
    } catch (const DamagedFile&) {  // then nobody can be using it
    }
    if (!held.empty())
      throw ConfigError({.what = fmt::format("a running program is writing {} ({})", path, held.front()),
                         .remedy = "wait for it or cancel the study, then rebuild"});
  }
  const std::string temporary = temporary_name(path);
  remove_database(temporary);
  try {
    Database fresh(store, temporary, Unfinished{});
    fill(fresh);
  } catch (...) {
    remove_database(temporary);
    throw;
  }
  if (std::filesystem::exists(path)) {
    const std::string kept = fmt::format("{}.replaced-{}", path, format_utc(Clock::system().unix_seconds()));
    std::filesystem::rename(path, kept);
    // A journal left by a killed writer belongs to the old file; the new one must not meet it.
    std::error_code absent;
    std::filesystem::rename(path + "-journal", kept + "-journal", absent);
  }
  sync_file(temporary);
  commit_file(temporary, path);
}

bool Database::replaced() const { return inode_of(path_) != inode_; }

void Database::transaction(const std::function<void()>& body) {
  if (depth_ > 0) return body();
  guarded([&] { sql_->exec("BEGIN IMMEDIATE"); });
  ++depth_;
  try {
    body();
    guarded([&] { sql_->exec("COMMIT"); });
    --depth_;
  } catch (...) {
    --depth_;
    sqlite3_exec(sql_->getHandle(), "ROLLBACK", nullptr, nullptr, nullptr);
    throw;
  }
}

}  // namespace hyscale::storage
