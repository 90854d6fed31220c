#include "control/store/sealing.h"

#include "control/store/git_link_table.h"
#include "control/store/rows.h"
#include "control/store/user_table.h"
#include "crypto/base64.h"

#include <optional>
#include <utility>

namespace ringpost::control {
namespace {

constexpr std::string_view check_name = "key_check";
constexpr std::string_view check_text = "ringpost secrets";
constexpr std::string_view scrub_name = "scrub_due";
constexpr Sealer::Place check_place{.table = "meta", .column = "value", .row = check_name};

Result<std::optional<std::string>> read_meta(Database& database, std::string_view name) {
  auto row = database.prepare("SELECT value FROM meta WHERE name = ?1");
  if (!row) return row.error();
  row->bind(1, name);
  const Statement::Step step = row->step();
  if (step == Statement::Step::failed) return database.fail(*row);
  if (step == Statement::Step::done) return std::optional<std::string>{};
  return std::optional{std::string{row->text(0)}};
}

Result<void> write_meta(Database& database, std::string_view name, std::string_view value) {
  auto row = database.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)");
  if (!row) return row.error();
  row->bind(1, name);
  row->bind(2, value);
  return database.run(*row);
}

/// Sets the columns to new values, one row after the other. `select` gives the first row beyond
/// number ?1: number, id and the old values. `make` makes the new value of the column with an
/// index, or says what is wrong.
/// @param what  what a row is, for people.
template <typename Make>
Result<void> change_each_row(Database& database, std::string_view what, const std::string& select,
                             const std::string& update, size_t column_count, Make make) {
  auto rows = database.prepare(select);
  if (!rows) return rows.error();
  auto change = database.prepare(update);
  if (!change) return change.error();
  for (int64_t number = 0;;) {
    rows->bind(1, number);
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database.fail(*rows);
    if (step == Statement::Step::done) return {};
    number = rows->integer(0);
    std::vector<std::string> values;
    for (size_t index = 0; index < column_count; ++index) {
      std::string problem;
      values.push_back(
          make(index, rows->text(1), rows->blob(static_cast<int>(index) + 2), problem));
      if (!problem.empty()) {
        return database.fail(Errc::corrupt, Side::disk,
                             std::string{what} + ' ' + std::to_string(number) + ": " + problem);
      }
    }
    rows->reset();
    change->bind(1, number);
    for (size_t index = 0; index < column_count; ++index) {
      change->bind(static_cast<int>(index) + 2, as_bytes(values[index]));
    }
    if (auto changed = database.run(*change); !changed) return changed;
  }
}

Result<void> empty_write_ahead_log(Database& database) {
  const auto busy = database.query_integer("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!busy) return busy.error();
  if (*busy == 0) return {};
  return database.fail(Errc::locked, Side::operator_,
                       "another program is reading this file; close that program");
}

}  // namespace

Result<void> check_key(Database& database, const Sealer& sealer) {
  const auto check = read_meta(database, check_name);
  if (!check) return check.error();
  const auto sealed = *check ? crypto::base64_decode(**check) : Error{Errc::corrupt, Side::disk};
  if (!sealed || Sealer::key_of(as_bytes(*sealed)).empty()) {
    return database.fail(Errc::corrupt, Side::disk,
                         "the file is damaged: its key check is missing or invalid");
  }
  const auto opened = sealer.open(check_place, as_bytes(*sealed));
  if (opened && *opened == check_text) return {};
  const std::string key = "key " + Sealer::key_of(as_bytes(*sealed));
  const bool absent = !opened && opened.error().code == Errc::not_found;
  return database.fail(
      Errc::unauthenticated, Side::operator_,
      "wrong key: the secrets in it are encrypted with " + key + ", " +
          (absent ? "which the key file does not have"
                  : "and that key of the key file is another") +
          "; restore the key file that belongs to this data directory; nothing was changed");
}

Result<void> write_key_check(Database& database, const Sealer& sealer) {
  const std::string sealed = sealer.seal(check_place, check_text);
  return write_meta(database, check_name, crypto::base64_encode(as_bytes(sealed)));
}

Result<void> seal_version_1(Database& database, const Sealer& sealer) {
  // The last two came empty with this migration.
  constexpr std::string_view columns[] = {"secret", "headers", "previous_secret", "settings"};
  return change_each_row(
      database, "webhook",
      "SELECT number, id, secret, plain_headers, previous_secret, settings FROM webhook"
      " WHERE number > ?1 ORDER BY number LIMIT 1",
      "UPDATE webhook SET (secret, headers, previous_secret, settings) = (?2, ?3, ?4, ?5)"
      " WHERE number = ?1",
      std::size(columns), [&](size_t index, std::string_view id, Bytes plain, std::string&) {
        return sealer.seal(webhook_place(columns[index], id), as_text(plain));
      });
}

namespace {

/// Opens what is sealed of a table's rows and seals it again with the first key.
/// @param place  where the value of a row's column is: webhook_place, for example.
Result<void> reseal_table(Database& database, const Sealer& sealer, const std::string& table,
                          std::string_view what, std::span<const std::string_view> columns,
                          Sealer::Place (*place)(std::string_view column, std::string_view id)) {
  std::string names;
  std::string settings;
  for (size_t index = 0; index < columns.size(); ++index) {
    const std::string name{columns[index]};
    names += ", " + name;
    settings += (index == 0 ? "" : ", ") + name + " = ?" + std::to_string(index + 2);
  }
  return change_each_row(
      database, what,
      "SELECT number, id" + names + " FROM " + table + " WHERE number > ?1 ORDER BY number LIMIT 1",
      "UPDATE " + table + " SET " + settings + " WHERE number = ?1", columns.size(),
      [&](size_t index, std::string_view id, Bytes sealed, std::string& problem) {
        const Sealer::Place where = place(columns[index], id);
        const auto plain = sealer.open(where, sealed);
        if (plain) return sealer.seal(where, *plain);
        problem = "column '" + std::string{columns[index]} + "' cannot be opened";
        return std::string{};
      });
}

}  // namespace

Result<void> reseal_all(Database& database, const Sealer& sealer) {
  auto done =
      reseal_table(database, sealer, "webhook", "webhook", sealed_webhook_columns(), webhook_place);
  if (!done) return done;
  done = reseal_table(database, sealer, "git_source", "git source", sealed_git_source_columns(),
                      git_source_place);
  if (!done) return done;
  done = reseal_table(database, sealer, "git_link", "repository of git source",
                      sealed_git_link_columns(), git_link_place);
  if (!done) return done;
  return reseal_table(database, sealer, "user", "user", sealed_user_columns(), user_place);
}

Result<void> demand_scrub(Database& database) {
  return write_meta(database, scrub_name, "1");
}

// VACUUM writes the used pages alone, by way of a temporary file: all of it is sealed by now, and
// it may be larger than the memory. The first emptying of the log puts them into the file and cuts
// it, the second one is for the note's end.
Result<void> scrub_if_due(Database& database) {
  const auto due = read_meta(database, scrub_name);
  if (!due) return due.error();
  if (!*due) return {};
  const auto run = [&]() -> Result<void> {
    if (auto written = database.execute("PRAGMA temp_store = FILE; VACUUM"); !written) {
      return written;
    }
    if (auto emptied = empty_write_ahead_log(database); !emptied) return emptied;
    auto done = database.execute("DELETE FROM meta WHERE name = '" + std::string{scrub_name} + "'");
    return done ? empty_write_ahead_log(database) : done;
  };
  const auto scrubbed = run();
  if (scrubbed) return {};
  const Error error = scrubbed.error();
  static_cast<void>(database.fail(
      error.code, error.side,
      "old secrets could not be overwritten (this needs as much free space as the file has): " +
          database.last_problem()));
  return error;
}

}  // namespace ringpost::control
