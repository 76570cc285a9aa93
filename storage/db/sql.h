#pragma once

// Inside storage/db only: binding and reading in column order.

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>
#include <cmath>
#include <cstdint>
#include <string>

#include "storage/db/database.h"

namespace hyscale::storage {

/// Reads the columns of the current row one after the other, left to right.
class Columns {
 public:
  explicit Columns(SQLite::Statement& statement) : statement_(statement) {}
  void read(std::string& to) { to = statement_.getColumn(next_++).getString(); }
  void read(int64_t& to) { to = statement_.getColumn(next_++).getInt64(); }
  void read(int& to) { to = statement_.getColumn(next_++).getInt(); }
  void read(bool& to) { to = statement_.getColumn(next_++).getInt() != 0; }
  void read(double& to) {
    const SQLite::Column column = statement_.getColumn(next_++);
    to = column.isNull() ? std::nan("") : column.getDouble();
  }
  template <class First, class Second, class... Rest>
  void read(First& first, Second& second, Rest&... rest) {
    read(first);
    read(second, rest...);
  }

 private:
  SQLite::Statement& statement_;
  int next_ = 0;
};

inline void bind_next(SQLite::Statement& statement, int index, bool value) { statement.bind(index, value ? 1 : 0); }
template <class T>
void bind_next(SQLite::Statement& statement, int index, const T& value) {
  statement.bind(index, value);
}

/// A prepared statement with its values.
template <class... Values>
SQLite::Statement prepared(SQLite::Database& sql, const char* text, const Values&... values) {
  SQLite::Statement statement(sql, text);
  int index = 0;
  (bind_next(statement, ++index, values), ...);
  return statement;
}

/// Turns what SQLite says into an Error with the remedy.
[[noreturn]] void rethrow(const SQLite::Exception& exception, const std::string& path);

template <class Body>
auto Database::guarded(Body body) const -> decltype(body()) {
  try {
    return body();
  } catch (const SQLite::Exception& exception) {
    rethrow(exception, path_);
  }
}

}  // namespace hyscale::storage
