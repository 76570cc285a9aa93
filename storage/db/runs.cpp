#include <fmt/format.h>
#include <map>
#include <string>

#include "storage/db/schema.h"
#include "storage/db/sql.h"

namespace hyscale::storage {
namespace {

constexpr const char* kColumns =
    "runs.run_id, {}, context, d_model, layers, d_ff, runs.seed, tokens, runs.lr, params_total, "
    "params_non_embedding, params_without_head, params_active, flops_per_token_paper, flops_per_token_with_head, "
    "flops_per_token_executed, flops_per_token_six_n, cache_bytes, state, cause, attempts, own_faults, node_faults, "
    "requeues, memory_faults, last_step, micro_batch, cancel_asked, backend, job_host, job_id, submitted, started, "
    "ended, busy_seconds";

RunRow read_run(SQLite::Statement& query) {
  RunRow r;
  RunFigures& f = r.figures;
  Columns(query).read(r.run_id, r.config, f.context, f.d_model, f.layers, f.d_ff, f.seed, f.tokens, f.lr,
                      f.params_total, f.params_non_embedding, f.params_without_head, f.params_active,
                      f.flops_per_token_paper, f.flops_per_token_with_head, f.flops_per_token_executed,
                      f.flops_per_token_six_n, f.cache_bytes, r.state, r.cause, r.attempts, r.own_faults, r.node_faults,
                      r.requeues, r.memory_faults, r.last_step, r.micro_batch, r.cancel_asked, r.backend, r.job_host,
                      r.job_id, r.submitted, r.started, r.ended, r.busy_seconds);
  return r;
}

std::vector<RunRow> read_all(SQLite::Statement query) {
  std::vector<RunRow> rows;
  while (query.executeStep()) rows.push_back(read_run(query));
  return rows;
}

/// What the corpora of mixtures add to the last evaluation of each of the study's runs.
std::map<std::string, std::vector<CorpusLossRow>> last_corpora(SQLite::Database& sql, const std::string& study) {
  std::map<std::string, std::vector<CorpusLossRow>> rows;
  if (schema_version(sql) < kSchemaWithMixtures) return rows;  // a database that is only read stays as old as it is
  auto query = prepared(sql,
                        "SELECT run_id, corpus, loss, bits_per_byte, standard_error FROM eval_corpora AS part WHERE "
                        "run_id IN (SELECT run_id FROM cells WHERE study = ?) AND "
                        "step = (SELECT MAX(step) FROM evals WHERE evals.run_id = part.run_id) ORDER BY run_id, corpus",
                        study);
  while (query.executeStep()) {
    std::string run_id;
    CorpusLossRow row;
    Columns(query).read(run_id, row.corpus, row.loss, row.bits_per_byte, row.standard_error);
    rows[run_id].push_back(row);
  }
  return rows;
}

std::string select(const char* rest, const char* config = "config") {
  return "SELECT " + fmt::format(kColumns, config) + " FROM runs " + rest;
}

}  // namespace

bool Database::add_run(const RunRow& r) {
  bool added = false;
  const RunFigures& f = r.figures;
  transaction([&] {
    guarded([&] {
      // Columns in the order of the table, after `position`.
      added = prepared(*sql_,
                       "INSERT OR IGNORE INTO runs VALUES "
                       "(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                       r.run_id, r.config, f.context, f.d_model, f.layers, f.d_ff, f.seed, f.tokens, f.lr,
                       f.params_total, f.params_non_embedding, f.params_without_head, f.params_active,
                       f.flops_per_token_paper, f.flops_per_token_with_head, f.flops_per_token_executed,
                       f.flops_per_token_six_n, f.cache_bytes, r.state, r.cause, r.attempts, r.own_faults,
                       r.node_faults, r.requeues, r.memory_faults, r.last_step, r.micro_batch, r.cancel_asked,
                       r.backend, r.job_host, r.job_id, r.submitted, r.started, r.ended, r.busy_seconds)
                  .exec() == 1;
    });
  });
  return added;
}

std::optional<RunRow> Database::run(const std::string& run_id) const {
  return guarded([&]() -> std::optional<RunRow> {
    auto rows = read_all(prepared(*sql_, select("WHERE run_id = ?").c_str(), run_id));
    if (rows.empty()) return std::nullopt;
    return std::move(rows.front());
  });
}

std::vector<RunRow> Database::runs(const std::string& study, Configs configs) const {
  const char* config = configs == Configs::read ? "config" : "''";
  return guarded([&] {
    // The plus: see cells().
    return read_all(prepared(
        *sql_, select("WHERE +run_id IN (SELECT run_id FROM cells WHERE study = ?) ORDER BY position", config).c_str(),
        study));
  });
}

std::vector<RunRow> Database::runs_in(const std::string& study, const std::string& state, int64_t most) const {
  return guarded([&] {
    return read_all(prepared(*sql_,
                             select("WHERE state = ? AND +run_id IN (SELECT run_id FROM cells WHERE study = ?) "
                                    "ORDER BY position LIMIT ?",
                                    "''")
                                 .c_str(),
                             state, study, most));
  });
}

std::map<std::string, double> Database::losses(const std::string& study) const {
  return guarded([&] {
    std::map<std::string, double> losses;
    // Of a group's rows SQLite takes `loss` from the one with the greatest step.
    auto query = prepared(*sql_,
                          "SELECT run_id, loss, MAX(step) FROM evals JOIN runs USING (run_id) WHERE state = 'done' AND "
                          "run_id IN (SELECT run_id FROM cells WHERE study = ?) GROUP BY run_id",
                          study);
    while (query.executeStep()) {
      std::string run_id;
      double loss = 0;
      Columns(query).read(run_id, loss);
      losses[run_id] = loss;
    }
    return losses;
  });
}

std::vector<FinishedRow> Database::finished_runs() const {
  return guarded([&] {
    std::vector<FinishedRow> rows;
    auto query =
        prepared(*sql_,
                 "SELECT run_id, state, (SELECT loss FROM evals WHERE evals.run_id = runs.run_id ORDER BY step "
                 "DESC LIMIT 1), COALESCE((SELECT group_concat(DISTINCT study) FROM cells WHERE cells.run_id = "
                 "runs.run_id), '') FROM runs WHERE state IN ('done', 'diverged') ORDER BY run_id");
    while (query.executeStep()) {
      FinishedRow& row = rows.emplace_back();
      Columns(query).read(row.run_id, row.state, row.loss, row.studies);
    }
    return rows;
  });
}

std::vector<ThroughputRow> Database::throughputs() const {
  return guarded([&] {
    std::vector<ThroughputRow> rows;
    auto query =
        prepared(*sql_,
                 "SELECT device.value, COALESCE(CASE device.value WHEN 'cuda' THEN gpu.value ELSE cpu.value END, ''), "
                 "CAST(dp.value AS INTEGER) * CAST(tp.value AS INTEGER), CAST(threads.value AS INTEGER), "
                 "flops_per_token_executed, flops_per_token_executed * tokens, busy_seconds FROM runs "
                 "JOIN provenance AS device ON device.run_id = runs.run_id AND device.name = 'device' "
                 "LEFT JOIN provenance AS gpu ON gpu.run_id = runs.run_id AND gpu.name = 'gpu' "
                 "LEFT JOIN provenance AS cpu ON cpu.run_id = runs.run_id AND cpu.name = 'cpu' "
                 "JOIN provenance AS dp ON dp.run_id = runs.run_id AND dp.name = 'dp' "
                 "JOIN provenance AS tp ON tp.run_id = runs.run_id AND tp.name = 'tp' "
                 "JOIN provenance AS threads ON threads.run_id = runs.run_id AND threads.name = 'threads' "
                 "JOIN provenance AS start ON start.run_id = runs.run_id AND start.name = 'from' AND start.value = '' "
                 "WHERE state = 'done' AND busy_seconds > 0 ORDER BY position");
    while (query.executeStep()) {
      ThroughputRow& row = rows.emplace_back();
      Columns(query).read(row.device, row.name, row.ranks, row.threads, row.flops_per_token, row.flops, row.seconds);
    }
    return rows;
  });
}

std::vector<RunRow> Database::active_runs() const {
  return guarded([&] {
    return read_all(prepared(*sql_, select("WHERE state IN ('submitted', 'running') ORDER BY position").c_str()));
  });
}

bool Database::has_unfinished(const std::string& study) const {
  return guarded([&] {
    auto query = prepared(*sql_,
                          "SELECT EXISTS (SELECT 1 FROM cells JOIN runs USING (run_id) WHERE study = ? AND state IN "
                          "('planned', 'submitted', 'running'))",
                          study);
    query.executeStep();
    return query.getColumn(0).getInt() == 1;
  });
}

std::vector<std::string> Database::studies_of(const std::string& run_id) const {
  return guarded([&] {
    std::vector<std::string> names;
    auto query = prepared(*sql_, "SELECT DISTINCT study FROM cells WHERE run_id = ? ORDER BY study", run_id);
    while (query.executeStep()) names.push_back(query.getColumn(0).getString());
    return names;
  });
}

std::map<std::string, std::set<int64_t>> Database::open_branch_points() const {
  return guarded([&] {
    std::map<std::string, std::set<int64_t>> points;
    auto query = prepared(*sql_,
                          "SELECT parent, branch_step FROM cells JOIN runs USING (run_id) WHERE role = 'branch' AND "
                          "state NOT IN ('done', 'diverged')");
    while (query.executeStep()) {
      std::string parent;
      int64_t step = 0;
      Columns(query).read(parent, step);
      points[parent].insert(step);
    }
    return points;
  });
}

void Database::update_run(const RunRow& r) {
  transaction([&] {
    guarded([&] {
      prepared(*sql_,
               "UPDATE runs SET state = ?, cause = ?, attempts = ?, own_faults = ?, node_faults = ?, requeues = ?, "
               "memory_faults = ?, last_step = ?, micro_batch = ?, cancel_asked = ?, backend = ?, job_host = ?, "
               "job_id = ?, submitted = ?, started = ?, ended = ?, busy_seconds = ? WHERE run_id = ?",
               r.state, r.cause, r.attempts, r.own_faults, r.node_faults, r.requeues, r.memory_faults, r.last_step,
               r.micro_batch, r.cancel_asked, r.backend, r.job_host, r.job_id, r.submitted, r.started, r.ended,
               r.busy_seconds, r.run_id)
          .exec();
    });
  });
}

void Database::put_result(const std::string& run_id, const RunResult& result) {
  transaction([&] {
    guarded([&] {
      prepared(*sql_, "DELETE FROM evals WHERE run_id = ?", run_id).exec();
      prepared(*sql_, "DELETE FROM provenance WHERE run_id = ?", run_id).exec();
      prepared(*sql_, "DELETE FROM eval_corpora WHERE run_id = ?", run_id).exec();
      for (const EvalResultRow& eval : result.evals) {
        prepared(*sql_,
                 "INSERT INTO evals (run_id, step, tokens, loss, bits_per_byte, standard_error) VALUES (?,?,?,?,?,?)",
                 run_id, eval.step, eval.tokens, eval.loss, eval.bits_per_byte, eval.standard_error)
            .exec();
        for (const CorpusLossRow& part : eval.corpora)
          prepared(*sql_, "INSERT INTO eval_corpora VALUES (?,?,?,?,?,?)", run_id, eval.step, part.corpus, part.loss,
                   part.bits_per_byte, part.standard_error)
              .exec();
      }
      for (const auto& [name, value] : result.provenance)
        prepared(*sql_, "INSERT INTO provenance (run_id, name, value) VALUES (?,?,?)", run_id, name, value).exec();
    });
  });
}

std::vector<ResultRow> Database::results(const std::string& study) const {
  return guarded([&] {
    std::vector<ResultRow> rows;
    auto corpora = last_corpora(*sql_, study);
    const bool old = schema_version(*sql_) < kSchemaWithAxes;  // only read: it stays as old as it is
    auto query = prepared(*sql_,
                          fmt::format("SELECT *{} FROM study_points WHERE study = ? ORDER BY position",
                                      old ? ", 'flops', budget_flops, ''" : "")
                              .c_str(),
                          study);
    while (query.executeStep()) {
      ResultRow r;
      int64_t position = 0;
      Columns(query).read(position, r.study, r.run_id, r.family, r.size, r.state, r.cause, r.role, r.cluster, r.seed,
                          r.lr, r.context, r.d_model, r.layers, r.d_ff, r.params_total, r.params_non_embedding,
                          r.params_without_head, r.params_active, r.budget_flops, r.tokens, r.flops_paper,
                          r.flops_with_head, r.flops_executed, r.flops_six_n, r.flops_per_token_with_head,
                          r.cache_bytes, r.validation_loss, r.bits_per_byte, r.standard_error, r.busy_seconds,
                          r.budget_kind, r.budget, r.axes);
      r.directory = store_ + "/runs/" + r.run_id;
      if (const auto parts = corpora.find(r.run_id); r.state == "done" && parts != corpora.end())
        r.corpora = parts->second;
      rows.push_back(std::move(r));
    }
    return rows;
  });
}

}  // namespace hyscale::storage
