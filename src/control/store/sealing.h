#pragma once

#include "base/result.h"
#include "control/store/sealer.h"
#include "control/store/sqlite.h"

namespace ringpost::control {

// What the keys have to do with the whole file. A store knows its key by the `key_check` in `meta`:
// a known text, sealed. Each row of webhook, git_source, git_link and
// user is sealed by itself (rows.h).

/// Refuses a ring that this store was not sealed with; changes nothing.
/// @returns Errc::unauthenticated for a wrong ring; Errc::corrupt if the check itself is gone.
Result<void> check_key(Database& database, const Sealer& sealer);

/// Within a transaction: seals the check with the first key.
Result<void> write_key_check(Database& database, const Sealer& sealer);

/// Within a transaction: seals what schema version 1 kept readable. The column `headers` was
/// renamed to `plain_headers`, and a new `headers` awaits the sealed values.
Result<void> seal_version_1(Database& database, const Sealer& sealer);

/// Within a transaction: opens every sealed value and seals it again with the first key.
/// @returns Errc::corrupt, with the row named, if one cannot be opened.
Result<void> reseal_all(Database& database, const Sealer& sealer);

/// Within a transaction: notes that the file still holds, in pages that are free, what must go.
Result<void> demand_scrub(Database& database);

/// If a scrub is due: writes the whole file anew, so that nothing of old values is left in it or in
/// its write-ahead log, and takes the note away. Needs free space for a copy of the file. A crash
/// before the end leaves the note, so the next open does it again. Outside of any transaction.
Result<void> scrub_if_due(Database& database);

}  // namespace ringpost::control
