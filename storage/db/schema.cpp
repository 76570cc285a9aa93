#include "storage/db/schema.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <array>
#include <fmt/format.h>

namespace hyscale::storage {
namespace {

// Migration k turns version k into version k + 1. A released migration is never edited: a change is a new one.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {R"sql(
CREATE TABLE studies (
  name TEXT PRIMARY KEY, spec TEXT NOT NULL, spec_sha256 TEXT NOT NULL, base TEXT NOT NULL, commit_ TEXT NOT NULL,
  settings TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL);

CREATE TABLE runs (
  position INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, config TEXT NOT NULL,
  context INTEGER NOT NULL, d_model INTEGER NOT NULL, layers INTEGER NOT NULL, d_ff INTEGER NOT NULL,
  seed INTEGER NOT NULL, tokens INTEGER NOT NULL, lr REAL NOT NULL,
  params_total INTEGER NOT NULL, params_non_embedding INTEGER NOT NULL, params_without_head INTEGER NOT NULL,
  params_active INTEGER NOT NULL,
  flops_per_token_paper REAL NOT NULL, flops_per_token_with_head REAL NOT NULL,
  flops_per_token_executed REAL NOT NULL, flops_per_token_six_n REAL NOT NULL, cache_bytes REAL NOT NULL,
  state TEXT NOT NULL CHECK (state IN
    ('planned', 'submitted', 'running', 'done', 'diverged', 'failed', 'cancelled', 'lost')),
  cause TEXT NOT NULL, attempts INTEGER NOT NULL, own_faults INTEGER NOT NULL, node_faults INTEGER NOT NULL,
  requeues INTEGER NOT NULL, memory_faults INTEGER NOT NULL, last_step INTEGER NOT NULL,
  micro_batch INTEGER NOT NULL, cancel_asked INTEGER NOT NULL,
  backend TEXT NOT NULL, job_host TEXT NOT NULL, job_id TEXT NOT NULL,
  submitted REAL NOT NULL, started REAL NOT NULL, ended REAL NOT NULL, busy_seconds REAL NOT NULL);
CREATE INDEX runs_by_state ON runs (state);

CREATE TABLE cells (
  position INTEGER PRIMARY KEY,
  study TEXT NOT NULL REFERENCES studies (name) ON DELETE CASCADE, run_id TEXT NOT NULL REFERENCES runs (run_id),
  family TEXT NOT NULL, size TEXT NOT NULL, seed INTEGER NOT NULL, lr REAL NOT NULL, budget_flops REAL NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('trunk', 'branch', 'alone')), parent TEXT NOT NULL, cluster TEXT NOT NULL,
  branch_step INTEGER NOT NULL, branch_tokens INTEGER NOT NULL, checkpoint_at TEXT NOT NULL,
  UNIQUE (study, run_id, family, size, budget_flops));
CREATE INDEX cells_by_run ON cells (run_id);

CREATE TABLE rejected (
  study TEXT NOT NULL REFERENCES studies (name) ON DELETE CASCADE, family TEXT NOT NULL, size TEXT NOT NULL,
  budget_flops REAL NOT NULL, seed INTEGER NOT NULL, reason TEXT NOT NULL);

CREATE TABLE evals (
  run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE, step INTEGER NOT NULL, tokens INTEGER NOT NULL,
  loss REAL NOT NULL, bits_per_byte REAL NOT NULL, standard_error REAL NOT NULL, PRIMARY KEY (run_id, step));

CREATE TABLE provenance (
  run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (run_id, name));

CREATE TABLE leases (
  name TEXT PRIMARY KEY, token INTEGER NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, start INTEGER NOT NULL,
  expires REAL NOT NULL);

CREATE VIEW study_points AS
  SELECT cells.position, cells.study, cells.run_id, cells.family, cells.size, runs.state, runs.cause, cells.role,
         cells.cluster, cells.seed, cells.lr, runs.context, runs.d_model, runs.layers, runs.d_ff, runs.params_total,
         runs.params_non_embedding, runs.params_without_head, runs.params_active, cells.budget_flops, runs.tokens,
         runs.flops_per_token_paper * runs.tokens AS flops_paper,
         runs.flops_per_token_with_head * runs.tokens AS flops_with_head,
         runs.flops_per_token_executed * runs.tokens AS flops_executed,
         runs.flops_per_token_six_n * runs.tokens AS flops_six_n,
         runs.flops_per_token_with_head, runs.cache_bytes,
         last.loss AS validation_loss, last.bits_per_byte, last.standard_error, runs.busy_seconds
  FROM cells JOIN runs USING (run_id)
  LEFT JOIN evals AS last ON last.run_id = cells.run_id AND runs.state = 'done'
    AND last.step = (SELECT MAX(step) FROM evals WHERE evals.run_id = cells.run_id);
)sql",
                                                                 R"sql(
-- ids without a tokenizer have no bits per byte, one window no standard error; a mixture's corpora have losses of their own
DROP VIEW study_points;
ALTER TABLE evals RENAME TO old_evals;
CREATE TABLE evals (
  run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE, step INTEGER NOT NULL, tokens INTEGER NOT NULL,
  loss REAL NOT NULL, bits_per_byte REAL, standard_error REAL, PRIMARY KEY (run_id, step));
INSERT INTO evals SELECT run_id, step, tokens, loss, bits_per_byte, standard_error FROM old_evals;
DROP TABLE old_evals;
CREATE TABLE eval_corpora (
  run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE, step INTEGER NOT NULL, corpus TEXT NOT NULL,
  loss REAL NOT NULL, bits_per_byte REAL, standard_error REAL, PRIMARY KEY (run_id, step, corpus));

CREATE VIEW study_points AS
  SELECT cells.position, cells.study, cells.run_id, cells.family, cells.size, runs.state, runs.cause, cells.role,
         cells.cluster, cells.seed, cells.lr, runs.context, runs.d_model, runs.layers, runs.d_ff, runs.params_total,
         runs.params_non_embedding, runs.params_without_head, runs.params_active, cells.budget_flops, runs.tokens,
         runs.flops_per_token_paper * runs.tokens AS flops_paper,
         runs.flops_per_token_with_head * runs.tokens AS flops_with_head,
         runs.flops_per_token_executed * runs.tokens AS flops_executed,
         runs.flops_per_token_six_n * runs.tokens AS flops_six_n,
         runs.flops_per_token_with_head, runs.cache_bytes,
         last.loss AS validation_loss, last.bits_per_byte, last.standard_error, runs.busy_seconds
  FROM cells JOIN runs USING (run_id)
  LEFT JOIN evals AS last ON last.run_id = cells.run_id AND runs.state = 'done'
    AND last.step = (SELECT MAX(step) FROM evals WHERE evals.run_id = cells.run_id);
)sql",
                                                                 R"sql(
-- a cell is one of a budget of any kind and of a setting of the axes, too
DROP VIEW study_points;
ALTER TABLE cells RENAME TO old_cells;
CREATE TABLE cells (
  position INTEGER PRIMARY KEY,
  study TEXT NOT NULL REFERENCES studies (name) ON DELETE CASCADE, run_id TEXT NOT NULL REFERENCES runs (run_id),
  family TEXT NOT NULL, size TEXT NOT NULL, seed INTEGER NOT NULL, lr REAL NOT NULL, budget_flops REAL NOT NULL,
  budget_kind TEXT NOT NULL CHECK (budget_kind IN ('flops', 'tokens', 'tokens_per_parameter')),
  budget REAL NOT NULL, axes TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('trunk', 'branch', 'alone')), parent TEXT NOT NULL, cluster TEXT NOT NULL,
  branch_step INTEGER NOT NULL, branch_tokens INTEGER NOT NULL, checkpoint_at TEXT NOT NULL,
  UNIQUE (study, run_id, family, size, budget_kind, budget, axes));
INSERT INTO cells SELECT position, study, run_id, family, size, seed, lr, budget_flops, 'flops', budget_flops, '', role,
  parent, cluster, branch_step, branch_tokens, checkpoint_at FROM old_cells;
DROP TABLE old_cells;
CREATE INDEX cells_by_run ON cells (run_id);
ALTER TABLE rejected ADD COLUMN budget_kind TEXT NOT NULL DEFAULT 'flops';
ALTER TABLE rejected ADD COLUMN budget REAL NOT NULL DEFAULT 0;
ALTER TABLE rejected ADD COLUMN axes TEXT NOT NULL DEFAULT '';
ALTER TABLE rejected ADD COLUMN context INTEGER NOT NULL DEFAULT 0;
UPDATE rejected SET budget = budget_flops;

CREATE VIEW study_points AS
  SELECT cells.position, cells.study, cells.run_id, cells.family, cells.size, runs.state, runs.cause, cells.role,
         cells.cluster, cells.seed, cells.lr, runs.context, runs.d_model, runs.layers, runs.d_ff, runs.params_total,
         runs.params_non_embedding, runs.params_without_head, runs.params_active, cells.budget_flops, runs.tokens,
         runs.flops_per_token_paper * runs.tokens AS flops_paper,
         runs.flops_per_token_with_head * runs.tokens AS flops_with_head,
         runs.flops_per_token_executed * runs.tokens AS flops_executed,
         runs.flops_per_token_six_n * runs.tokens AS flops_six_n,
         runs.flops_per_token_with_head, runs.cache_bytes,
         last.loss AS validation_loss, last.bits_per_byte, last.standard_error, runs.busy_seconds,
         cells.budget_kind, cells.budget, cells.axes
  FROM cells JOIN runs USING (run_id)
  LEFT JOIN evals AS last ON last.run_id = cells.run_id AND runs.state = 'done'
    AND last.step = (SELECT MAX(step) FROM evals WHERE evals.run_id = cells.run_id);
)sql"};

}  // namespace

int schema_version(SQLite::Database& sql) { return sql.execAndGet("PRAGMA user_version").getInt(); }

void migrate(SQLite::Database& sql) {
  if (schema_version(sql) == kSchemaVersion) return;
  sql.exec("BEGIN IMMEDIATE");
  try {
    for (int version = schema_version(sql); version < kSchemaVersion; ++version)  // read again: now nobody else writes
      sql.exec(kMigrations[static_cast<size_t>(version)]);
    sql.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplicationId, kSchemaVersion));
    sql.exec("COMMIT");
  } catch (...) {
    sql.exec("ROLLBACK");
    throw;
  }
}

}  // namespace hyscale::storage
