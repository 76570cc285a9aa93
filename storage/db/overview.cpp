// What is asked of thousands of runs at once: few columns, or sums.

#include <string>

#include "storage/db/schema.h"
#include "storage/db/sql.h"

namespace hyscale::storage {

std::vector<ActiveRow> Database::active_jobs(const std::string& study) const {
  return guarded([&] {
    std::vector<ActiveRow> rows;
    // The plus: see cells().
    auto query = prepared(*sql_,
                          "SELECT run_id, state, backend, job_host, job_id, submitted, cancel_asked FROM runs WHERE "
                          "+state IN ('submitted', 'running') AND +run_id IN (SELECT run_id FROM cells WHERE study = "
                          "?) ORDER BY position",
                          study);
    while (query.executeStep()) {
      ActiveRow& row = rows.emplace_back();
      Columns(query).read(row.run_id, row.state, row.backend, row.job_host, row.job_id, row.submitted,
                          row.cancel_asked);
    }
    return rows;
  });
}

std::vector<WorkRow> Database::work(const std::string& study) const {
  return guarded([&] {
    std::vector<WorkRow> rows;
    // Of a group's rows SQLite takes `branch_tokens` from the one with the least position: a run's first cell.
    auto query = prepared(*sql_,
                          "SELECT state, COUNT(*), SUM(flops), SUM(CASE WHEN busy_seconds > 0 THEN flops ELSE 0 END), "
                          "SUM(busy_seconds) FROM (SELECT state, busy_seconds, (tokens - branch_tokens) * "
                          "flops_per_token_executed AS flops FROM (SELECT run_id, branch_tokens, MIN(position) FROM "
                          "cells WHERE study = ? GROUP BY run_id) JOIN runs USING (run_id)) GROUP BY state",
                          study);
    while (query.executeStep()) {
      WorkRow& row = rows.emplace_back();
      Columns(query).read(row.state, row.runs, row.flops, row.measured_flops, row.busy_seconds);
    }
    return rows;
  });
}

}  // namespace hyscale::storage
