#pragma once

#include "base/result.h"
#include "control/segment_ledger.h"
#include "control/store/store.h"
#include "journal/recovery.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// What the control store says of the journals beside it: recovery misses what is not there.
struct StoredJournals {
  std::optional<uint64_t> directory_id;  ///< Nothing: a new store.
  std::vector<journal::BegunJournal> begun;
  SettledMarks settled;  ///< By journal: no delivery of this segment or before it is pending.
};

/// @returns the error of `meta`; Errc::corrupt if what it has makes no sense.
Result<StoredJournals> read_stored_journals(const ReadMeta& meta);
/// The same from the file at `path`, for a program that does not run the relay: needs no keys,
/// changes nothing, and may be called while a relay runs.
/// @returns nothing if there is no file; an error, with `problem` for people, if it cannot be read.
Result<std::optional<StoredJournals>> read_stored_journals(const std::string& path,
                                                           std::string& problem);

/// As the store keeps the id of the data directory, under `directory_id_name`.
inline constexpr std::string_view directory_id_name = "directory_id";
std::string directory_id_text(uint64_t id);

/// Why a start refuses journals beside a store that does not know them.
std::string unknown_journals(const std::string& journal_directory);

}  // namespace ringpost::control
