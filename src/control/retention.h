#pragma once

#include "base/clock.h"
#include "control/carrier.h"
#include "control/journal_access.h"
#include "control/organization_ages.h"
#include "control/segment_ledger.h"
#include "control/store/store.h"
#include "index/index.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ringpost::control {

/// Says when the wall clock may be trusted for deleting things: after it has gone along with the
/// monotonic clock for a while. A jump, by hand or by a bad time server, starts the wait again
/// (reliability rule 11). So does a restart.
class WallClockTrust {
 public:
  static constexpr Duration steady_for = std::chrono::hours(1);
  static constexpr Duration drift_max = std::chrono::minutes(1);  // NTP slews far less in an hour.

  /// @returns whether `wall` may be believed now.
  bool observe(WallTime wall, Instant now);

 private:
  std::optional<Instant> steady_since_;
  Duration offset_{};  // Wall minus monotonic, at steady_since_.
};

/// Removes old segments, one at a time: beyond an age, or beyond what all journals may take on the
/// disk; never one that a restart would miss (SegmentLedger). What is pending in them is carried
/// forward first.
class Retention {
 public:
  struct Options {
    Duration age = std::chrono::hours(7 * 24);
    uint64_t bytes = uint64_t{64} << 30;  ///< Of all segments together.
    OrganizationAges organization_ages;   ///< None is longer than `age`.
  };

  /// Who still needs events for something else than deliveries: age alone removes no segment that
  /// has some.
  struct Reader {
    std::function<bool(uint32_t journal, uint32_t segment)> needs;
    /// It goes all the same, for want of room; may be said more than once. May change the store.
    std::function<void(uint32_t journal, uint32_t segment)> on_removing;
  };

  /// All must outlive it.
  struct Parts {
    SegmentLedger& ledger;
    Carrier& carrier;
    index::Index& history;
    JournalAccess& journals;
    Store& store;
  };
  Retention(const Parts& parts, const Options& options);

  void set_reader(Reader reader) { reader_ = std::move(reader); }

  /// From the next step on.
  void set_options(const Options& options);

  /// The marks as of the last run, for PendingTable::finish_recovery. Call once, before `step`.
  Result<SettledMarks> load_marks();

  /// Removes at most one segment, or stores what its removal takes: the next step removes it.
  /// Everything stored is durable by now. @returns whether there may be more to do.
  bool step(WallTime wall_now, Instant now);
  /// Whether time alone can make something removable: there are sealed segments.
  bool pending() const;

 private:
  void carry(WallTime wall_now, Instant now, bool wall_trusted);
  std::optional<uint32_t> removable(WallTime wall_now, bool wall_trusted) const;
  bool expired(uint32_t journal, const SegmentLedger::Oldest& oldest, WallTime wall_now,
               bool wall_trusted) const;
  bool remove(uint32_t journal);
  bool raise_marks();

  SegmentLedger& ledger_;
  Carrier& carrier_;
  index::Index& history_;
  JournalAccess& journals_;
  Store& store_;
  Options options_;
  RecordAges ages_;  ///< Of `options_`.
  Reader reader_;    ///< Empty: nobody.

  WallClockTrust wall_clock_;
  SettledMarks stored_marks_;
};

/// Marks as the store keeps them: numbers with commas between. Nothing if the text is none.
std::string to_text(const SettledMarks& marks);
std::optional<SettledMarks> parse_settled_marks(std::string_view text);
/// Those that the store has; none in a new store. Errc::corrupt if they make no sense.
Result<SettledMarks> read_settled_marks(const ReadMeta& meta);

}  // namespace ringpost::control
