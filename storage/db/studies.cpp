#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>

#include "storage/db/schema.h"
#include "storage/db/sql.h"

namespace hyscale::storage {
namespace {

constexpr const char* kStudies =
    "SELECT name, spec, spec_sha256, base, commit_, settings, created, updated FROM studies ";

StudyRow read_study(SQLite::Statement& query) {
  StudyRow row;
  Columns(query).read(row.name, row.spec, row.spec_sha256, row.base, row.commit, row.settings, row.created,
                      row.updated);
  return row;
}

/// Columns that a database of an older schema, which is only read, does not have: then what they would hold.
const char* kind_of_cell(SQLite::Database& sql) {
  return schema_version(sql) < kSchemaWithAxes ? "'flops', budget_flops, ''" : "budget_kind, budget, axes";
}

std::vector<int64_t> split(const std::string& text) {
  std::vector<int64_t> numbers;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) numbers.push_back(std::stoll(word));
  return numbers;
}

std::string select_cells(SQLite::Database& sql, const char* rest) {
  return fmt::format(
      "SELECT study, run_id, family, size, seed, lr, budget_flops, {}, role, parent, cluster, branch_step, "
      "branch_tokens, checkpoint_at FROM cells {}",
      kind_of_cell(sql), rest);
}

CellRow read_cell(SQLite::Statement& query) {
  CellRow row;
  std::string checkpoints;
  Columns(query).read(row.study, row.run_id, row.family, row.size, row.seed, row.lr, row.budget_flops, row.budget_kind,
                      row.budget, row.axes, row.role, row.parent, row.cluster, row.branch_step, row.branch_tokens,
                      checkpoints);
  row.checkpoint_at = split(checkpoints);
  return row;
}

}  // namespace

void Database::put_study(const StudyRow& row) {
  transaction([&] {
    guarded([&] {
      prepared(
          *sql_,
          "INSERT INTO studies (name, spec, spec_sha256, base, commit_, settings, created, updated) VALUES "
          "(?,?,?,?,?,?,?,?) "
          "ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, spec_sha256 = excluded.spec_sha256, "
          "base = excluded.base, commit_ = excluded.commit_, settings = excluded.settings, updated = excluded.updated",
          row.name, row.spec, row.spec_sha256, row.base, row.commit, row.settings, row.created, row.updated)
          .exec();
    });
  });
}

std::vector<StudyRow> Database::studies() const {
  return guarded([&] {
    std::vector<StudyRow> rows;
    auto query = prepared(*sql_, (std::string(kStudies) + "ORDER BY name").c_str());
    while (query.executeStep()) rows.push_back(read_study(query));
    return rows;
  });
}

std::optional<StudyRow> Database::study(const std::string& name) const {
  return guarded([&]() -> std::optional<StudyRow> {
    auto query = prepared(*sql_, (std::string(kStudies) + "WHERE name = ?").c_str(), name);
    if (!query.executeStep()) return std::nullopt;
    return read_study(query);
  });
}

void Database::put_cell(const CellRow& row) {
  transaction([&] {
    guarded([&] {
      prepared(
          *sql_,
          "INSERT INTO cells (study, run_id, family, size, seed, lr, budget_flops, budget_kind, budget, axes, role, "
          "parent, cluster, branch_step, branch_tokens, checkpoint_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
          "ON CONFLICT (study, run_id, family, size, budget_kind, budget, axes) DO UPDATE SET "
          "budget_flops = excluded.budget_flops, role = excluded.role, parent = excluded.parent, cluster = "
          "excluded.cluster, branch_step = excluded.branch_step, "
          "branch_tokens = excluded.branch_tokens, "
          "checkpoint_at = excluded.checkpoint_at",
          row.study, row.run_id, row.family, row.size, row.seed, row.lr, row.budget_flops, row.budget_kind, row.budget,
          row.axes, row.role, row.parent, row.cluster, row.branch_step, row.branch_tokens,
          fmt::format("{}", fmt::join(row.checkpoint_at, ",")))
          .exec();
    });
  });
}

std::vector<CellRow> Database::cells(const std::string& study) const {
  return guarded([&] {
    std::vector<CellRow> rows;
    // The plus keeps SQLite from the index: one walk in the order of the table beats as many look-ups and a sort.
    auto query = prepared(*sql_, select_cells(*sql_, "WHERE +study = ? ORDER BY position").c_str(), study);
    while (query.executeStep()) rows.push_back(read_cell(query));
    return rows;
  });
}

CellRow Database::first_cell(const std::string& study, const std::string& run_id) const {
  return guarded([&] {
    auto query = prepared(
        *sql_, select_cells(*sql_, "WHERE study = ? AND run_id = ? ORDER BY position LIMIT 1").c_str(), study, run_id);
    return query.executeStep() ? read_cell(query) : CellRow{};
  });
}

void Database::put_rejected(const std::string& study, const std::vector<RejectedRow>& rejected) {
  transaction([&] {
    guarded([&] {
      prepared(*sql_, "DELETE FROM rejected WHERE study = ?", study).exec();
      for (const RejectedRow& row : rejected)
        prepared(*sql_,
                 "INSERT INTO rejected (study, family, size, budget_flops, seed, reason, budget_kind, budget, axes, "
                 "context) VALUES (?,?,?,?,?,?,?,?,?,?)",
                 study, row.family, row.size, row.budget_flops, row.seed, row.reason, row.budget_kind, row.budget,
                 row.axes, row.context)
            .exec();
    });
  });
}

std::vector<RejectedRow> Database::rejected(const std::string& study) const {
  return guarded([&] {
    std::vector<RejectedRow> rows;
    auto query = prepared(
        *sql_,
        fmt::format("SELECT study, family, size, reason, budget_flops, seed, {}, {} FROM rejected WHERE study = ? "
                    "ORDER BY rowid",
                    kind_of_cell(*sql_), schema_version(*sql_) < kSchemaWithAxes ? "0" : "context")
            .c_str(),
        study);
    while (query.executeStep()) {
      RejectedRow row;
      Columns(query).read(row.study, row.family, row.size, row.reason, row.budget_flops, row.seed, row.budget_kind,
                          row.budget, row.axes, row.context);
      rows.push_back(std::move(row));
    }
    return rows;
  });
}

}  // namespace hyscale::storage
