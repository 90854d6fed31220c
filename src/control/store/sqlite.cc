#include "control/store/sqlite.h"

#include "base/assert.h"

#include <cerrno>
#include <utility>

namespace ringpost::control {

Error error_from_sqlite(int code, int system_errno) {
  switch (code & 0xFF) {
    case SQLITE_FULL: return {Errc::out_of_space, Side::disk, ENOSPC};
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return {Errc::locked, Side::operator_};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {Errc::corrupt, Side::disk};
    case SQLITE_CONSTRAINT: return {Errc::conflict, Side::self};
    case SQLITE_TOOBIG: return {Errc::too_large, Side::self};
    case SQLITE_NOMEM: return {Errc::overloaded, Side::self, ENOMEM};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return {Errc::io_failed, Side::operator_, EACCES};
    default: break;
  }
  if (system_errno != 0) return error_from_errno(system_errno, Side::disk);
  return {Errc::io_failed, Side::disk};
}

void Statement::bind(int parameter, int64_t value) {
  keep(sqlite3_bind_int64(handle_.get(), parameter, value));
}

void Statement::bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL, not the empty text.
  const char* data = text.data() == nullptr ? "" : text.data();
  keep(sqlite3_bind_text64(handle_.get(), parameter, data, text.size(), nullptr, SQLITE_UTF8));
}

void Statement::bind(int parameter, Bytes blob) {
  const void* data = blob.data() == nullptr ? static_cast<const void*>("") : blob.data();
  keep(sqlite3_bind_blob64(handle_.get(), parameter, data, blob.size(), nullptr));
}

Statement::Step Statement::step() {
  step_code_ = bind_code_ != SQLITE_OK ? bind_code_ : sqlite3_step(handle_.get());
  if (step_code_ == SQLITE_ROW) return Step::row;
  return step_code_ == SQLITE_DONE ? Step::done : Step::failed;
}

void Statement::reset() {
  sqlite3_reset(handle_.get());  // Returns the code of the step before once more.
  sqlite3_clear_bindings(handle_.get());
  bind_code_ = SQLITE_OK;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::string_view Statement::text(int column) const {
  return as_text(blob(column));
}

Bytes Statement::blob(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(handle_.get(), column));
  const int size = sqlite3_column_bytes(handle_.get(), column);
  if (data == nullptr) return {};
  return {data, static_cast<size_t>(size)};
}

Result<void> Database::open(const std::string& path, int busy_timeout_ms) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                       SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                                   nullptr);
  handle_.reset(opened);  // Also when it failed: the handle then has the message.
  if (code != SQLITE_OK) return fail(code);
  for (const auto& [option, value] :
       {std::pair{SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1}, std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
        std::pair{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        std::pair{SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0}}) {
    if (const int set = sqlite3_db_config(opened, option, value, nullptr); set != SQLITE_OK) {
      return fail(set);
    }
  }
  if (const int set = sqlite3_busy_timeout(opened, busy_timeout_ms); set != SQLITE_OK) {
    return fail(set);
  }
  return {};
}

Result<void> Database::allow_checkpoints() {
  const int code = sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  if (code != SQLITE_OK) return fail(code);
  return {};
}

void Database::refuse_changes(const Error& because) {
  const auto set = execute("PRAGMA query_only = ON");
  RINGPOST_ASSERT(set.has_value());
  refusal_ = because;
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(code);
  return {};
}

Result<Statement> Database::prepare(const std::string& sql) {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return fail(code);
  Statement statement;
  statement.handle_.reset(prepared);
  return statement;
}

Result<void> Database::run(Statement& statement) {
  const Statement::Step step = statement.step();
  RINGPOST_ASSERT(step != Statement::Step::row);
  Result<void> result;
  if (step == Statement::Step::failed) result = fail(statement);
  statement.reset();
  return result;
}

Result<int64_t> Database::query_integer(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  if (statement->step() == Statement::Step::failed) return fail(*statement);
  return statement->integer(0);
}

Result<std::string> Database::query_text(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  if (statement->step() == Statement::Step::failed) return fail(*statement);
  return std::string{statement->text(0)};
}

Error Database::fail(const Statement& statement) {
  return fail(statement.step_code_);
}

Error Database::fail(int code) {
  sqlite3* handle = handle_.get();
  // The connection's message is of its last call, which is the one that failed, but for bindings.
  const bool is_its_own = handle != nullptr && sqlite3_extended_errcode(handle) == code;
  problem_ = is_its_own ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  if (refusal_ && (code & 0xFF) == SQLITE_READONLY) return *refusal_;
  const bool is_system = (code & 0xFF) == SQLITE_IOERR || (code & 0xFF) == SQLITE_CANTOPEN;
  const int system_errno = is_its_own && is_system ? sqlite3_system_errno(handle) : 0;
  const Error error = error_from_sqlite(code, system_errno);
  if (system_errno != 0) problem_ += ": " + describe(error);
  if (error.code == Errc::corrupt) problem_ += "; restore it from a backup";
  return error;
}

Error Database::fail(Errc code, Side side, std::string problem) {
  problem_ = std::move(problem);
  return {code, side};
}

}  // namespace ringpost::control
