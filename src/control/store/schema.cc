#include "control/store/schema.h"

#include "base/assert.h"
#include "control/store/sealing.h"

#include <array>
#include <string>

namespace ringpost::control {
namespace {

/// Leads from one version to the next. A migration that was released never changes.
struct Migration {
  const char* sql;
  Result<void> (*then)(Database&, const Sealer&) = nullptr;  ///< What SQL cannot do.
  const char* last_sql = "";
};

Result<void> seal_first_version(Database& database, const Sealer& sealer) {
  if (auto sealed = seal_version_1(database, sealer); !sealed) return sealed;
  if (auto written = write_key_check(database, sealer); !written) return written;
  return demand_scrub(database);
}

// migrations[v] leads from version v to v + 1.
//
// Numbers are 32 bits wide in memory and in the journal, and AUTOINCREMENT never gives one twice.
// An id is a ULID as text; times are nanoseconds since 1970; lists are JSON. What is sealed is a
// blob. A token without `expires_at` does not expire. `failing_ns` is not part of what was set up:
// see FailingTimes.
constexpr std::array<Migration, schema_version> migrations{{{R"sql(
CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE webhook (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number BETWEEN 1 AND 4294967295),
  id TEXT NOT NULL UNIQUE,
  dialect TEXT NOT NULL,
  description TEXT NOT NULL,
  organization TEXT NOT NULL,
  url TEXT NOT NULL,
  tls INTEGER NOT NULL,
  host TEXT NOT NULL,
  port INTEGER NOT NULL,
  target TEXT NOT NULL,
  sources TEXT NOT NULL,
  events TEXT NOT NULL,
  headers TEXT NOT NULL,
  secret BLOB NOT NULL,
  tls_verify INTEGER NOT NULL,
  tls_ca TEXT NOT NULL,
  schedule TEXT NOT NULL,
  timeout_ms INTEGER NOT NULL,
  concurrency_max INTEGER NOT NULL,
  state TEXT NOT NULL,
  state_reason TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE TABLE token (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number BETWEEN 1 AND 4294967295),
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  organization TEXT NOT NULL,
  scopes INTEGER NOT NULL,
  sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  created_at INTEGER NOT NULL
) STRICT;
)sql"},
                                                            {R"sql(
ALTER TABLE webhook RENAME COLUMN headers TO plain_headers;
ALTER TABLE webhook ADD COLUMN headers BLOB NOT NULL DEFAULT x'';
ALTER TABLE webhook ADD COLUMN filter TEXT NOT NULL DEFAULT '{}';
ALTER TABLE webhook ADD COLUMN previous_secret BLOB NOT NULL DEFAULT x'';
ALTER TABLE webhook ADD COLUMN previous_secret_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook ADD COLUMN settings BLOB NOT NULL DEFAULT x'';
ALTER TABLE webhook ADD COLUMN rate_per_second INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook ADD COLUMN failing_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN sources TEXT NOT NULL DEFAULT '[]';
ALTER TABLE token ADD COLUMN expires_at INTEGER;
CREATE TABLE audit (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  organization TEXT NOT NULL,
  token TEXT NOT NULL,
  token_name TEXT NOT NULL,
  token_organization TEXT NOT NULL,
  operation TEXT NOT NULL,
  object TEXT NOT NULL,
  members TEXT NOT NULL,
  peer TEXT NOT NULL,
  status INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (organization, at);
)sql",
                                                             seal_first_version, R"sql(
ALTER TABLE webhook DROP COLUMN plain_headers;
)sql"},
                                                            {R"sql(
CREATE TABLE replay (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  organization TEXT NOT NULL,
  token_sources TEXT NOT NULL,
  webhook_number INTEGER NOT NULL,
  webhook TEXT NOT NULL,
  into_number INTEGER NOT NULL,
  into_webhook TEXT NOT NULL,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  error TEXT NOT NULL,
  response_status TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  dry_run INTEGER NOT NULL,
  again INTEGER NOT NULL,
  state TEXT NOT NULL,
  state_reason TEXT NOT NULL,
  done_uid TEXT NOT NULL,
  done_webhook INTEGER NOT NULL,
  planned_uid TEXT NOT NULL,
  planned_webhook INTEGER NOT NULL,
  matched INTEGER NOT NULL,
  sent INTEGER NOT NULL,
  skipped INTEGER NOT NULL,
  sample TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE TABLE git_source (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number BETWEEN 1 AND 4294967295),
  id TEXT NOT NULL UNIQUE,
  organization TEXT NOT NULL,
  host TEXT NOT NULL,
  description TEXT NOT NULL,
  path_token BLOB NOT NULL,
  secret BLOB NOT NULL,
  previous_secret BLOB NOT NULL,
  previous_secret_until INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
)sql"},
                                                            {R"sql(
ALTER TABLE webhook ADD COLUMN is_listener INTEGER NOT NULL DEFAULT 0;
)sql"},
                                                            {R"sql(
CREATE TABLE git_link (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL,
  token BLOB NOT NULL,
  hook TEXT NOT NULL,
  secret_pending INTEGER NOT NULL,
  registered_at INTEGER NOT NULL,
  result TEXT NOT NULL,
  failed INTEGER NOT NULL,
  result_at INTEGER NOT NULL,
  log_number TEXT NOT NULL,
  log_read_at INTEGER NOT NULL
) STRICT;
CREATE TABLE git_gap (
  source INTEGER NOT NULL,
  delivery TEXT NOT NULL,
  number TEXT NOT NULL,
  event TEXT NOT NULL,
  at INTEGER NOT NULL,
  status INTEGER NOT NULL,
  state TEXT NOT NULL,
  asks INTEGER NOT NULL,
  asked_at INTEGER NOT NULL,
  found_at INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (source, delivery)
) STRICT;
)sql"},
                                                            {R"sql(
CREATE TABLE user (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number BETWEEN 1 AND 2147483647),
  id TEXT NOT NULL UNIQUE,
  organization TEXT NOT NULL,
  name TEXT NOT NULL,
  scopes INTEGER NOT NULL CHECK (scopes BETWEEN 0 AND 255),
  sources TEXT NOT NULL,
  password BLOB NOT NULL,
  enabled INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (organization, name)
) STRICT;
)sql"},
                                                            {R"sql(
CREATE TABLE forward_aside (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  uid TEXT NOT NULL UNIQUE,
  organization TEXT NOT NULL,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  set_aside_at INTEGER NOT NULL,
  status INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;
)sql"},
                                                            {R"sql(
ALTER TABLE forward_aside ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
)sql"}}};

Result<void> run(Database& database, const Sealer& sealer, const Migration& migration) {
  if (auto first = database.execute(migration.sql); !first) return first;
  if (migration.then == nullptr) return {};
  if (auto then = migration.then(database, sealer); !then) return then;
  return database.execute(migration.last_sql);
}

}  // namespace

Result<int64_t> check_schema(Database& database) {
  const auto version = database.query_integer("PRAGMA user_version");
  if (!version) return version.error();
  const auto owner = database.query_integer("PRAGMA application_id");
  if (!owner) return owner.error();
  const auto tables = database.query_integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  const bool is_new = *owner == 0 && *version == 0 && *tables == 0;
  if (!is_new && (*owner != application_id || *version < 1)) {
    return database.fail(Errc::malformed, Side::operator_,
                         "this SQLite file is not a ringpost control store; it was not changed");
  }
  if (*version > schema_version) {
    return database.fail(Errc::unsupported, Side::operator_,
                         "the control store has schema version " + std::to_string(*version) +
                             ", and this ringpost supports versions up to " +
                             std::to_string(schema_version) +
                             "; start the newer ringpost, or restore a backup from before its "
                             "first start; the file was not changed");
  }
  return *version;
}

Result<void> migrate_schema(Database& database, int64_t version, const Sealer& sealer) {
  RINGPOST_ASSERT(version >= 0 && version <= schema_version);
  if (version == schema_version) return {};
  // An error ends the transaction with the connection.
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
  for (int64_t from = version; from < schema_version; ++from) {
    const Migration& migration = migrations[static_cast<size_t>(from)];
    if (auto migrated = run(database, sealer, migration); !migrated) return migrated;
  }
  return database.execute("PRAGMA application_id = " + std::to_string(application_id) +
                          "; PRAGMA user_version = " + std::to_string(schema_version) + ";COMMIT");
}

}  // namespace ringpost::control
