#pragma once

#include "base/result.h"
#include "io/disk.h"
#include "journal/position.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::journal {

/// What the file `oldest` of a journal's directory says, in one line of text: which segments there
/// must be. It is durable before an expired segment goes and before a new one is handed out, so
/// that one that is missing otherwise is noticed, even the last.
struct JournalMark {
  uint32_t oldest = 1;  ///< The first segment that has not expired.
  /// The last segment that was handed out; below `oldest` (or 0) if there is none. Later files were
  /// never written. Nothing: the mark is of a release that did not keep it.
  std::optional<uint32_t> newest;
  std::vector<uint32_t> accepted;  ///< Later ones whose loss an operator has accepted.

  friend bool operator==(const JournalMark&, const JournalMark&) = default;
};

inline constexpr const char* journal_mark_name = "oldest";
inline constexpr size_t accepted_losses_max = 1000;

/// @returns nothing if the file is absent or says nothing that makes sense.
Result<std::optional<JournalMark>> read_journal_mark(io::Disk& disk, const std::string& directory,
                                                     uint16_t journal);

/// The text of the file.
std::string journal_mark_text(uint16_t journal, const JournalMark& mark);

/// Replaces the file as a whole, durably.
Result<void> write_journal_mark(io::Disk& disk, const std::string& directory, uint16_t journal,
                                const JournalMark& mark);

/// The file `written` beside it: how far the journal was durable when it was last asked. It lags,
/// and after power loss it may be older still, or nothing; what it says has been true.
inline constexpr const char* written_name = "written";

/// The text of the file, for `journal`. Whatever stands behind its line end is not read, so that a
/// shorter text may be written over a longer one.
std::string written_text(uint16_t journal, const Written& written);
/// @param sync  first, so that what is read stays. @returns nothing if the file is absent or says
///              nothing that makes sense.
Result<std::optional<Written>> read_written(io::Disk& disk, const std::string& directory,
                                            uint16_t journal, bool sync);

}  // namespace ringpost::journal
