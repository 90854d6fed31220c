#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::control {

/// Maps a result code of SQLite, once. `system_errno` is 0 if no system call failed.
Error error_from_sqlite(int code, int system_errno);

/// A prepared statement. Made by Database::prepare, which must outlive it.
///
/// A failed bind is kept and reported by the next `step`, so that callers check in one place.
class Statement {
 public:
  enum class Step : uint8_t { row, done, failed };

  Statement() = default;

  /// Parameters count from 1; one that is not bound is null. Texts and blobs are borrowed until
  /// `reset`.
  void bind(int parameter, int64_t value);
  void bind(int parameter, std::string_view text);
  void bind(int parameter, Bytes blob);

  Step step();
  /// Makes the statement ready to run again and lets go of what was bound.
  void reset();

  /// Columns count from 0. Views live until the next `step` or `reset`.
  bool is_null(int column) const;
  int64_t integer(int column) const;
  std::string_view text(int column) const;
  Bytes blob(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  void keep(int code) {
    if (bind_code_ == SQLITE_OK) bind_code_ = code;
  }

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int bind_code_ = SQLITE_OK;
  int step_code_ = SQLITE_OK;
};

/// A connection to one file, for one thread at a time.
class Database {
 public:
  /// Opens a file that exists, or `:memory:`. Changes nothing on the disk, not even on destruction,
  /// until `allow_checkpoints`.
  /// @param busy_timeout_ms  how long to wait for another process's lock.
  Result<void> open(const std::string& path, int busy_timeout_ms);
  Result<void> allow_checkpoints();
  /// From now on every change fails with `because`.
  void refuse_changes(const Error& because);

  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(const std::string& sql);
  /// Runs a statement that gives no rows, and resets it.
  Result<void> run(Statement& statement);
  /// Runs `sql`, which gives one row with one column.
  Result<int64_t> query_integer(const std::string& sql);
  Result<std::string> query_text(const std::string& sql);

  int64_t last_insert_number() const { return sqlite3_last_insert_rowid(handle_.get()); }
  int64_t changed_rows() const { return sqlite3_changes64(handle_.get()); }
  /// Rows that this connection has changed since it was opened, also by what was rolled back.
  uint64_t changes() const { return static_cast<uint64_t>(sqlite3_total_changes64(handle_.get())); }
  bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

  /// Makes the error of the statement's failed step, and its text.
  Error fail(const Statement& statement);
  /// Makes an error with a text of the caller's.
  Error fail(Errc code, Side side, std::string problem);

  /// What went wrong last, as text. Never holds bound values.
  const std::string& last_problem() const { return problem_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  Error fail(int code);

  std::unique_ptr<sqlite3, Close> handle_;
  std::optional<Error> refusal_;  // Of every change.
  std::string problem_;
};

}  // namespace ringpost::control
