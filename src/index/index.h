#pragma once

#include "index/file_part.h"
#include "index/id_group.h"
#include "index/open_part.h"
#include "index/part.h"
#include "index/totals.h"
#include "journal/recovery.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ringpost::index {

/// The place of a delivery in all lists, which begin with the largest: its event's uid, and the
/// number of its webhook. 0 is before all deliveries of the event.
struct DeliveryPlace {
  Ulid uid;
  uint32_t webhook_number = 0;

  friend auto operator<=>(const DeliveryPlace&, const DeliveryPlace&) = default;
};

/// Of webhooks by number: whether deliveries to them are wanted.
using WantsWebhook = std::function<bool(uint32_t webhook_number)>;

/// What answers look like (HTTP status codes), from one to another.
struct HttpStatusRange {
  uint16_t first = 0;
  uint16_t last = 0;

  bool has(uint16_t status) const { return status >= first && status <= last; }
  friend bool operator==(const HttpStatusRange&, const HttpStatusRange&) = default;
};

/// How far back the history goes for whoever asks: behind that there is only what is pending.
struct Horizon {
  WallTime since{};  ///< When an event was accepted, to a millisecond; the epoch: all is there.
  WallTime pending_since{};  ///< The same: nothing older is pending.

  /// Whatever became of its deliveries.
  bool shows(const EventFacts& event) const;
  bool shows(const EventFacts& event, const DeliveryState& state) const;
};

/// Asks for a page of deliveries, the newest event's first.
struct PageQuery {
  Horizon horizon;
  std::optional<uint32_t> webhook_number;  ///< Nothing: of all that are wanted.
  WantsWebhook wants_webhook;              ///< Without `webhook_number`. Empty: all.
  std::optional<DeliveryPlace> before;     ///< Only smaller ones; nothing: from the newest on.
  std::optional<DeliveryStatus> status;
  std::optional<uint32_t> type_hash;    ///< Index::hash().of(type).
  std::optional<uint32_t> source_hash;  ///< Likewise.
  std::optional<WallTime> since;  ///< The time of the event's uid, to a millisecond: not less.
  std::optional<WallTime> until;  ///< The same: less.
  // Of the newest attempt that has ended.
  std::optional<Errc> error;  ///< It failed, and why.
  std::optional<HttpStatusRange> http_statuses;
  uint32_t limit = 50;
  /// What a page may cost: deliveries passed over, and pages of index files read (one that is not
  /// in the page cache takes about 0.1 ms). It may read a few more to finish what it has begun.
  uint32_t entries_max = 20'000;
  uint64_t pages_max = 150;

  /// Whether a delivery may be in this state, as far as the query is about it.
  bool wants(const DeliveryState& state) const;
};

struct Page {
  std::vector<DeliveryFacts> items;
  /// Where the next page begins (PageQuery::before); nothing: there are no more.
  std::optional<DeliveryPlace> next_before;
  bool cut = false;     ///< There are fewer items than `limit` because of what a page may cost.
  uint32_t passed = 0;  ///< Deliveries looked at, and of a page of all webhooks events as well.
};

/// Asks for a page of events, the newest first. Members as PageQuery has them.
struct EventListQuery {
  Horizon horizon;
  std::optional<Ulid> before;  ///< Only smaller uids; nothing: from the newest on.
  std::optional<uint32_t> type_hash;
  std::optional<uint32_t> source_hash;
  std::optional<WallTime> since;
  std::optional<WallTime> until;
  uint32_t limit = 50;
  uint32_t entries_max = 20'000;
  uint64_t pages_max = 150;
};

struct EventList {
  std::vector<MatchedEvent> items;
  std::optional<Ulid> next_before;
  bool cut = false;
  uint32_t passed = 0;
};

/// Asks for the events of one id in an organization.
struct EventQuery {
  Horizon horizon;
  uint32_t id_hash = 0;  ///< Index::hash().of(organization, id).
  size_t limit = 1000;
  uint64_t pages_max = 2'000;
};

struct EventPage {
  std::vector<EventFacts> items;  ///< The newest first.
  bool cut = false;               ///< There may be older ones.
};

/// Asks for what happened in some hours.
struct TotalsQuery {
  Horizon horizon;                         ///< The hour that it is in counts as a whole.
  std::optional<uint32_t> webhook_number;  ///< Nothing: of all that are wanted.
  WantsWebhook wants_webhook;              ///< As in PageQuery.
  HourRange hours;
  bool by_webhook = false;     ///< One for each webhook; otherwise one for each step of time.
  uint32_t step_hours = 1;     ///< Steps begin with `hours`.
  uint64_t pages_max = 1'000;  ///< As in PageQuery.
};

struct TotalsAnswer {
  /// By the number of the webhook, or by the first hour of the step. What has none is not there.
  std::map<uint32_t, Totals> items;
  /// From which hour on all is told: later than asked for if that would cost too much. The begin of
  /// a step.
  uint32_t complete_from = 0;
  std::optional<uint32_t> oldest_hour;  ///< That anything is known of.
};

/// Someone an event still has to reach.
struct PendingDelivery {
  uint32_t webhook_number = 0;
  uint32_t attempts = 0;       ///< Made so far.
  WallTime next_attempt_at{};  ///< Whole seconds; the epoch: at once.
};

/// An event that is pending for somebody.
struct PendingEvent {
  Position position;  ///< Of its first record.
  Ulid uid;
  std::vector<PendingDelivery> deliveries;  ///< By rising webhook number.
};

/// Asks what is pending of a segment's events, the newest event's first.
struct PendingQuery {
  uint16_t journal = 0;
  uint32_t segment = 0;
  std::optional<Ulid> before;     ///< Only smaller uids; nothing: from the newest on.
  uint32_t limit = 50;            ///< Events.
  uint32_t entries_max = 20'000;  ///< Deliveries passed over; those of one event more at most.
};

struct PendingPage {
  std::vector<PendingEvent> items;
  /// Where the next page begins (PendingQuery::before); nothing: there are no more.
  std::optional<Ulid> next_before;
};

/// The history of events and deliveries: what the segments of all journals tell, each by an index
/// file beside it, those that are being written from memory. It holds places, not contents, and
/// begins where the oldest segment begins.
///
/// An index file that is missing, damaged or of another format is said (`report`), and made again
/// from its segment. If that cannot be read either, its events are left out, which is said too.
///
/// One thread at a time. Queries block: they read files. Their errors are passing ones (too many
/// open files, a full disk): ask again later.
class Index {
 public:
  struct Options {
    std::string journal_directory;  ///< `<data_dir>/journal`.
    uint64_t directory_id = 0;
    /// Of all segments together. Filters are halved to keep it: questions then read more.
    uint64_t memory_max = 64 * 1024 * 1024;
  };
  using Report = std::function<void(const journal::Finding&)>;

  Index(io::Disk& disk, const Options& options, Report report);

  const TextHash& hash() const { return hash_; }

  // --- segments ---------------------------------------------------------------------------------

  /// At start, for each segment that holds something and will not be written any more, in any
  /// order. Opens its index; makes it if there is none. Errors: the segment cannot be read, or the
  /// index neither written nor kept in memory (Errc::out_of_space).
  Result<void> adopt(uint16_t journal, uint32_t segment);
  /// The same without making one. What is of no use (`is_of_no_use`) is for `rebuild_index` to make
  /// again, on another thread; until `indexed`, the segment is left out of all answers.
  /// @param earlier  Outcome::of_earlier_run.
  Result<void> open(uint16_t journal, uint32_t segment, bool earlier);
  /// Which segments of a group (index/id_group.h) a file of ids is to be made of: none if there is
  /// one of them all, if some are still in memory, or if there are too few. Knows the segments that
  /// were opened only.
  SegmentMask wants_ids(uint16_t journal, uint32_t last) const;
  /// The file of a group's ids is there, or (at start, best before `adopt`) may be. Errors: as
  /// Part.
  Result<void> open_ids(uint16_t journal, uint32_t last);
  /// Removes index files of a journal whose segments, and files of ids whose groups, were not
  /// opened: call once, behind `open_ids`.
  Result<void> remove_leftovers(uint16_t journal);

  /// A segment is written from now on.
  void begin(uint16_t journal, uint32_t segment);
  /// A record of a segment that was begun. Records of one segment come in their order; of several,
  /// in any.
  void on_event(const journal::EventView& event, Position position);
  /// This record of an event counts no more: it was carried forward.
  void replace(Position record) { replaced_.insert(record.packed); }
  /// @param outcome  of to_outcome. Without a valid record, it is known until the restart, or until
  ///                 the segment goes that has the record of its event.
  /// @param place    where that is: the event's own position, unless it was carried forward.
  void on_outcome(const Outcome& outcome, Position place);

  /// The segment is full: nothing is added any more. Its part, for another thread to write
  /// (`write_index`); it stays in memory until `open` finds its file, or `drop`.
  std::shared_ptr<const OpenPart> seal(uint16_t journal, uint32_t segment);

  /// The segment goes: nothing is known of it any more. The file is its owner's to remove.
  void forget(uint16_t journal, uint32_t segment);
  /// Its file could not be written: what is in memory of it goes, for want of room. Until `open`,
  /// it is left out of all answers.
  void drop(uint16_t journal, uint32_t segment);

  /// By journal: events in this segment or before it are pending for nobody, whatever outcomes are
  /// still there to say so. Deliveries of them whose end is not known any more are left out.
  void set_settled_through(std::vector<uint32_t> segments);

  // --- questions --------------------------------------------------------------------------------

  Result<Page> page(const PageQuery& query);
  Result<EventList> event_list(const EventListQuery& query);
  /// By its id in either spelling.
  Result<std::optional<DeliveryFacts>> delivery(const Ulid& id, const Horizon& horizon = {});
  Result<EventPage> events(const EventQuery& query);
  /// By rising webhook number. @param event  of an answer of this index.
  Result<std::vector<DeliveryFacts>> deliveries_of(const EventFacts& event,
                                                   const Horizon& horizon = {});

  /// Each delivery counts in the hour of its end, each attempt likewise, and each event in the hour
  /// of its acceptance. A delivery with ends of different kinds in several segments counts once in
  /// each of them.
  Result<TotalsAnswer> totals(const TotalsQuery& query);

  /// Visits the events that are pending for somebody, in the order of their positions.
  /// Errc::corrupt if a segment cannot be read any more: what was visited is then not all, or too
  /// much.
  using VisitPending =
      std::function<void(Position, const Ulid& uid, const std::vector<PendingDelivery>&)>;
  Result<void> for_each_pending(const VisitPending& visit);

  /// Of one segment, as it is now. Errc::not_found: it is not known, or not indexed yet.
  /// Errc::corrupt if a segment cannot be read any more: an end that it told of would be missing.
  Result<PendingPage> pending(const PendingQuery& query);

  uint64_t memory_bytes() const;
  /// Of all segments. One that two segments tell of counts once.
  uint64_t delivery_count() const;
  size_t segment_count() const { return segments_.size(); }
  /// In a segment; 0 if it is not known, or not indexed yet.
  uint64_t event_count(uint16_t journal, uint32_t segment) const;
  bool has(uint16_t journal, uint32_t segment) const {
    return segments_.contains(key_of(journal, segment));
  }
  uint64_t pages_read() const { return files_.pages_read(); }
  /// Forgets what was read of files, as after a start.
  void close_files() { files_.close_all(); }

 private:
  template <typename Walk>
  class Merge;

  /// Of a segment without an index file, by the time they take: a full disk, at a start.
  static constexpr size_t rebuilt_in_memory_max = 8;

  struct Segment {
    std::shared_ptr<Part> part;  // Shared with who writes the file of one that is sealed.
    OpenPart* open = nullptr;    ///< `part`, while it is in memory.
    FilePart* file = nullptr;    ///< Otherwise.
    bool begun = false;          ///< It is being written.
    bool earlier = false;        ///< Outcome::of_earlier_run.
  };
  using Key = uint64_t;  // Position of the segment's first byte.

  static Key key_of(uint16_t journal, uint32_t segment);
  static Key key_of(const Part& part) { return key_of(part.journal(), part.segment()); }
  Segment& at(uint16_t journal, uint32_t segment);

  Result<void> make_again(uint16_t journal, uint32_t segment, const Error& why, bool earlier);
  void put(Segment segment);
  void forget(Key key);
  IdGroupKey group_key(uint16_t journal, uint32_t last) const {
    return {options_.journal_directory, options_.directory_id, journal, last};
  }
  void release_ids(FilePart& file);
  void forget_ids(uint16_t journal, uint32_t segment);
  Result<std::vector<const Part*>> that_may_have_id(uint32_t id_hash);
  struct Unrecorded {
    Outcome outcome;
    Position place;  ///< Of its event's record.
  };
  void keep_unrecorded(const Unrecorded& unrecorded);
  void move_unrecorded(const journal::EventView& event, Position place);
  void keep_memory_max();
  FilePart* largest_in_memory() const;
  size_t rebuilt_in_memory() const;
  void say(journal::Finding::Kind kind, uint16_t journal, uint32_t segment, std::string text);

  // Questions that meet a bad index file are asked again when it has been made anew.
  template <typename Answer, typename Ask>
  Result<Answer> answer(Ask ask);
  template <typename T>
  const Result<T>& checked(const Part& part, const Result<T>& result);
  bool repair(const Error& error);

  std::vector<const Part*> with_events() const;
  std::vector<const Part*> successors(Position event) const;
  std::vector<const Part*> tellers(const EventFacts& event) const;
  bool is_replaced(Position record) const { return replaced_.contains(record.packed); }
  Result<void> gather(const std::vector<const Part*>& successors, const Part& home,
                      const LocalDelivery& delivery, std::vector<Outcome>& outcomes);
  Result<void> gather_all(const LocalDelivery& delivery, std::vector<Outcome>& outcomes);
  void add_unrecorded(const DeliveryKey& key, std::vector<Outcome>& outcomes) const;
  Result<DeliveryState> state_of(const std::vector<const Part*>& successors, const Part& home,
                                 const LocalDelivery& delivery);
  bool is_forgotten(Position event, const DeliveryState& state) const;
  bool is_settled(Position event) const;

  Result<Page> ask_page(const PageQuery& query);
  Result<Page> ask_webhook(const PageQuery& query, uint32_t webhook_number);
  Result<Page> ask_all(const PageQuery& query);
  template <typename Merging, typename Query, typename PageOf, typename Visit>
  Result<bool> go_through(Merging& merge, const Query& query, PageOf& page, Visit visit);
  template <typename Reached>
  Result<bool> add_deliveries(const PageQuery& query, const Reached& event, uint64_t pages_end,
                              Page& page);
  Result<void> consider(const PageQuery& query, const LocalDelivery& delivery, const Part& home,
                        const std::vector<const Part*>& successors, Page& page);
  Result<EventList> ask_event_list(const EventListQuery& query);
  Result<std::optional<DeliveryFacts>> ask_delivery(const Ulid& id, const Horizon& horizon);
  Result<EventPage> ask_events(const EventQuery& query);
  Result<void> add_events(const EventQuery& query, const Part& part,
                          std::vector<EventFacts>& found);
  Result<bool> shows(const Horizon& horizon, const EventFacts& event);
  Result<std::vector<DeliveryFacts>> ask_deliveries(const EventFacts& event,
                                                    const Horizon& horizon);
  Result<std::optional<DeliveryFacts>> ask_one(const Part& home, const EventFacts& event,
                                               uint32_t webhook_number,
                                               const std::vector<const Part*>& successors);
  Result<TotalsAnswer> ask_totals(const TotalsQuery& query);
  Result<std::vector<PendingEvent>> ask_pending(Key key);
  Result<PendingPage> ask_pending(const PendingQuery& query);
  Result<PendingEvent> pending_of(const Part& home, const MatchedEvent& event,
                                  Part::EventWalk& walk,
                                  const std::vector<const Part*>& successors);

  io::Disk& disk_;
  const Options options_;
  const Report report_;
  const TextHash hash_;
  OpenFiles files_;
  std::map<Key, Segment> segments_;
  std::map<Key, IdGroup> id_groups_;  // By the last segment.
  std::vector<const OpenPart*> in_memory_;
  std::vector<const Part*> by_newest_;  // Those with a file and events; the newest uid first.
  std::unordered_multimap<uint64_t, Unrecorded> unrecorded_;  // By DeliveryKey::hash.
  std::vector<uint32_t> settled_through_;
  std::unordered_set<uint64_t> replaced_;  // Records, while their segments are there.
  std::optional<Key> failed_;              // The segment whose part gave the error.
  uint64_t file_parts_bytes_ = 0;
};

}  // namespace ringpost::index
