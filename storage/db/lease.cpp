#include <algorithm>

#include "core/base/clock.h"
#include "storage/db/sql.h"

namespace hyscale::storage {
namespace {

struct Held {
  std::string name;
  int64_t token = 0;
  LeaseHolder holder;
};

Held read_held(SQLite::Statement& statement) {
  Held held;
  Columns(statement).read(held.name, held.token, held.holder.host, held.holder.process.pid, held.holder.process.start,
                          held.holder.expires);
  return held;
}

std::optional<Held> find(SQLite::Database& sql, const std::string& name) {
  auto query = prepared(sql, "SELECT name, token, host, pid, start, expires FROM leases WHERE name = ?", name);
  if (!query.executeStep()) return std::nullopt;
  return read_held(query);
}

bool is_living(const LeaseHolder& holder) {
  if (holder.host == host_name() && !is_alive(holder.process)) return false;
  return holder.expires > Clock::system().unix_seconds();
}

}  // namespace

std::optional<Lease> Database::take_lease(const std::string& name, double seconds) {
  std::optional<Lease> taken;
  transaction([&] {
    guarded([&] {
      const auto before = find(*sql_, name);
      if (before && is_living(before->holder)) return;
      taken = Lease{name, before ? before->token + 1 : 1};
      const ProcessIdentity self = this_process();
      prepared(*sql_, "INSERT OR REPLACE INTO leases (name, token, host, pid, start, expires) VALUES (?,?,?,?,?,?)",
               name, taken->token, host_name(), self.pid, self.start, Clock::system().unix_seconds() + seconds)
          .exec();
    });
  });
  return taken;
}

bool Database::renew_lease(const Lease& lease, double seconds) {
  if (replaced()) return false;
  bool ours = false;
  transaction([&] {
    guarded([&] {
      ours = prepared(*sql_, "UPDATE leases SET expires = ? WHERE name = ? AND token = ?",
                      Clock::system().unix_seconds() + seconds, lease.name, lease.token)
                 .exec() == 1;
    });
  });
  return ours;
}

void Database::release_lease(const Lease& lease) {
  transaction([&] {
    guarded([&] {
      // The row stays, so that its token goes on counting.
      prepared(*sql_, "UPDATE leases SET expires = 0 WHERE name = ? AND token = ?", lease.name, lease.token).exec();
    });
  });
}

std::optional<LeaseHolder> Database::lease_holder(const std::string& name) const {
  return guarded([&]() -> std::optional<LeaseHolder> {
    const auto held = find(*sql_, name);
    if (!held || !is_living(held->holder)) return std::nullopt;
    return held->holder;
  });
}

std::vector<std::string> Database::held_leases() const {
  return guarded([&] {
    std::vector<std::string> names;
    auto query = prepared(*sql_, "SELECT name, token, host, pid, start, expires FROM leases ORDER BY name");
    while (query.executeStep())
      if (const Held held = read_held(query); is_living(held.holder)) names.push_back(held.name);
    return names;
  });
}

}  // namespace hyscale::storage
