#pragma once

#include "base/result.h"
#include "control/store/sealer.h"
#include "control/store/sqlite.h"

namespace ringpost::control {

/// The schema that this build reads and writes; kept in the file's `user_version`.
inline constexpr int64_t schema_version = 8;

/// From this version on, secrets are sealed and the file knows its key (sealing.h).
inline constexpr int64_t schema_version_sealed = 2;

/// Marks the file as ours (`application_id`): "RPst".
inline constexpr int64_t application_id = 0x52507374;

/// Refuses, without changing anything, what is not ours or is from a newer ringpost.
/// @returns the file's schema version, 0 for a new file; Errc::unsupported, Errc::malformed, or
/// what
///          SQLite says. The database's `last_problem` says it for people.
Result<int64_t> check_schema(Database& database);

/// Brings the schema forward from `version`, all in one transaction. What versions before
/// `schema_version_sealed` kept readable is sealed, and a scrub is due then.
Result<void> migrate_schema(Database& database, int64_t version, const Sealer& sealer);

}  // namespace ringpost::control
