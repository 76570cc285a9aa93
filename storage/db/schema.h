#pragma once

#include <string>

namespace SQLite {
class Database;
}

namespace hyscale::storage {

inline constexpr int kSchemaVersion = 3;
inline constexpr int kSchemaWithMixtures = 2;      // knows eval_corpora
inline constexpr int kSchemaWithAxes = 3;          // cells know their axes and budgets of every kind
inline constexpr int kApplicationId = 0x48795363;  // "HySc": marks the file as ours

int schema_version(SQLite::Database& sql);  // 0: an empty file
/// Brings a database of any older version to kSchemaVersion, in one transaction. Does nothing to a current one.
void migrate(SQLite::Database& sql);

}  // namespace hyscale::storage
