#pragma once

#include "base/result.h"
#include "control/forward_item.h"
#include "control/journal_access.h"
#include "index/index.h"
#include "journal/record.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::control {

/// How far a journal was gone through.
struct ForwardPlace {
  journal::Position reached;  ///< Events that begin here or before are done.
  uint64_t passed = 0;        ///< How many events of its segment these are.

  friend bool operator==(const ForwardPlace&, const ForwardPlace&) = default;
};
/// By journal.
using ForwardPlaces = std::map<uint32_t, ForwardPlace>;

/// As the store keeps them: `0:4097:3 1:…`. Nothing if the text is none.
std::string to_text(const ForwardPlaces& places);
std::optional<ForwardPlaces> parse_forward_places(std::string_view text);

/// Gives the events of all journals one after the other, by their uids: so those of one source come
/// in the order in which the relay took them, whichever shard took each.
///
/// Of each journal a small piece is read ahead. An event is given once everything before it is
/// known here: what a shard took earlier may still be on its way to the control thread.
class ForwardReader {
 public:
  /// How long an event may be on its way.
  static constexpr Duration settle_time = std::chrono::milliseconds(50);

  using Wants = std::function<bool(const journal::EventView& event)>;

  ForwardReader(JournalAccess& journals, const index::Index& history)
      : journals_(journals), history_(history) {}

  /// A shard took it; of each journal in its order.
  void on_event(const journal::EventView& event, journal::Position position);

  /// Where each journal ends.
  ForwardPlaces ends() const;
  /// Gives what is behind these places; of a journal that is not among them, all.
  void begin(ForwardPlaces places);

  /// Reads ahead; one bounded piece of work. @returns whether there is more to do at once; an error
  /// if a journal cannot be read, which may pass.
  Result<bool> read(const Wants& wants, Instant now);
  /// The next event, if there is one by now.
  const ForwardItem* next() const;
  ForwardItem take();
  /// When `next` may have another answer without an event or a `read` before.
  std::optional<Instant> due() const;

  /// What is done when everything that was taken is done. What nobody wants is.
  ForwardPlaces taken() const;
  /// Events behind these places.
  uint64_t count_behind(const ForwardPlaces& places) const;
  /// Whether there is an event in the segment or before it that is behind these places.
  bool needs(const ForwardPlaces& places, uint32_t journal, uint32_t segment) const;
  /// The segment goes. What was read of it is given all the same. @returns how many events of it
  /// that are wanted were not read.
  uint64_t skip(uint32_t journal, uint32_t segment, const Wants& wants);
  /// Events that were read and not given, of segments that are gone.
  uint64_t count_only_here() const;
  /// Whether parts of journals were gone before they were read, since the last call.
  bool take_gap() { return std::exchange(gap_, false); }

 private:
  struct Journal {
    ForwardPlace read;   ///< Up to here everything is in `queue`, or was taken.
    ForwardPlace taken;  ///< Of the last event that was taken.
    std::deque<ForwardItem> queue;
  };
  struct Told {
    journal::Position first;
    journal::Position last;
  };

  Journal& journal_of(uint32_t number);
  bool find_segment(Journal& journal, journal::Position end);
  Result<void> read_piece(Journal& journal, journal::Position end, const Wants& wants);
  const Journal* first() const;
  bool is_settled(const ForwardItem& item) const;
  void look(Instant now);

  JournalAccess& journals_;
  const index::Index& history_;
  std::map<uint32_t, Journal> reading_;
  std::map<uint32_t, Told> told_;
  bool complete_ = false;  ///< Each journal has something in its queue, or nothing more.
  bool gap_ = false;
  Ulid newest_{};   ///< That was told of.
  Ulid seen_{};     ///< The newest at `seen_at_`.
  Ulid settled_{};  ///< Everything up to it has been told.
  Instant seen_at_{};
};

}  // namespace ringpost::control
