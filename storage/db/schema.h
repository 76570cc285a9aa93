#pragma once

#include <string>

namespace SQLite {
class Database;
}

namespace hyscale::storage {

inline constexpr int kSchemaVersion = 2;
inline constexpr int kApplicationId = 0x48795363;  // "HySc": marks the file as ours

int schema_version(SQLite::Database& sql);  // 0: an empty file
/// Brings a database of any older version to kSchemaVersion, in one transaction. Does nothing to a current one.
void migrate(SQLite::Database& sql);

}  // namespace hyscale::storage
