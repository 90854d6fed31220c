#pragma once

#include "base/result.h"
#include "io/disk.h"
#include "journal/format.h"
#include "journal/position.h"
#include "journal/record.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ringpost::journal {

/// Something about the files that a person should know. Raised as it is found; also right before
/// `recover` gives up, so that the reason names its file.
struct Finding {
  enum class Kind : uint8_t {
    torn_tail,  ///< The newest segment's end: a write that a crash cut short and that was never
                ///< acknowledged, or damage, which looks the same there.
    damage,     ///< Bytes that were durable are not as they were written. The file is untouched.
    missing,    ///< A segment that must be there is not, or is empty, or has lost its end.
    refused,    ///< A file that does not belong there, or of a newer format.
    note,       ///< Something was rebuilt or left alone.
  };
  Kind kind{};
  std::string path;
  uint64_t offset = 0;  ///< In the file; 0 for the whole of it.
  uint64_t bytes = 0;
  std::string text;  ///< A sentence: what was found, and what to do about it.
};

std::string_view name(Finding::Kind kind);
/// For people, in one line: where, and the finding's text.
std::string describe(const Finding& finding);

/// Hears what the journals hold. Views are valid until the call returns.
class RecoveryVisitor {
 public:
  virtual ~RecoveryVisitor() = default;
  /// @param record  the bytes that `event` points into, for EventCodec::decode.
  virtual void on_event(Position position, const EventView& event, Bytes record) = 0;
  virtual void on_outcome(Position position, const OutcomeView& outcome) = 0;
  virtual void on_finding(const Finding& finding) = 0;
};

/// How a journal ended, and so where it goes on: always with a new segment.
struct JournalEnd {
  uint16_t journal = 0;
  uint32_t oldest = 1;        ///< Segments below it have expired; their files may be reused.
  uint32_t next_segment = 1;  ///< The number of the first segment to write.
  uint32_t previous = 0;      ///< The last segment with contents; 0 if there is none.
  PreviousEnd previous_kind = PreviousEnd::sealed;
  uint32_t previous_end = 0;
  std::vector<uint32_t>
      accepted;                  ///< Missing segments that an operator has accepted, now or before.
  std::vector<uint32_t> unused;  ///< Prepared, and never written: their files may be reused.
};

struct RecoveryReport {
  /// Those found, in order of their numbers, then those whose loss was accepted.
  std::vector<JournalEnd> journals;
  uint64_t segments = 0;
  uint64_t events = 0;
  uint64_t outcomes = 0;
  uint64_t records_skipped = 0;  ///< Of unknown, optional types.
  uint64_t records_lost = 0;     ///< By the numbering of the records, where damage left a gap.
  uint64_t damages = 0;          ///< Findings of that kind.
  uint64_t torn_tails = 0;
  uint64_t bytes_read = 0;
};

/// What is known from elsewhere of a journal that was begun: it must be there, whatever its folder
/// says.
struct BegunJournal {
  uint16_t journal = 0;
  uint32_t oldest = 1;  ///< The first segment that has not expired, if its mark does not tell.
  uint32_t used = 0;    ///< Segment numbers up to this one are not given again.
};

struct RecoveryOptions {
  uint64_t directory_id = 0;
  bool accept_loss = false;         ///< Go on although segments are missing.
  bool read_only = false;           ///< Opens files for reading only and syncs nothing: for tools.
  std::vector<BegunJournal> begun;  ///< Each journal once.
};

/// Reads all journals of a data directory: also those of shards that no longer exist. Blocking; it
/// writes nothing. Records of one journal come in order, journals in the order of their numbers: an
/// outcome may come before its event if that lies in another journal.
///
/// Damage does not stop it: every record whose checksum is right is visited, the ranges that are
/// not are findings. What does stop it, with a finding that names the file:
/// - Errc::not_found: a journal or a segment is missing, or empty, or has lost its end although
///   that is known to have been durable, be it the newest one or not (unless `accept_loss`);
/// - Errc::conflict: a segment under another's name, or of another data directory;
/// - Errc::unsupported: a newer format, or a required record of unknown type;
/// - the error of the file system.
///
/// @param journal_directory  `<data_dir>/journal`; that it does not exist is an empty report.
Result<RecoveryReport> recover(io::Disk& disk, const std::string& journal_directory,
                               const RecoveryOptions& options, RecoveryVisitor& visitor);

}  // namespace ringpost::journal
