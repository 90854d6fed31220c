#include "base/assert.h"
#include "index/index.h"

#include <algorithm>
#include <utility>

namespace ringpost::index {
namespace {

constexpr StatusSet all_statuses = 0xff;

/// The uid that comes right behind `uid`; itself if it is the last of all.
Ulid next_uid(Ulid uid) {
  const Ulid last = uid;
  for (size_t place = uid.bytes.size(); place-- > 0;) {
    if (++uid.bytes[place] != 0) return uid;
  }
  return last;
}

// An event's uid tells when it was accepted, to a millisecond.

/// Not larger than the uid of any event at `time` or later.
Ulid first_uid_since(WallTime time) {
  const auto ms = static_cast<uint64_t>(std::max<int64_t>(to_unix_ns(time), 0) / 1'000'000);
  return uid_of({ms << 16, 0});
}

/// Larger than the uid of any event before `time`.
Ulid end_of_uids_until(WallTime time) {
  const int64_t ns = std::max<int64_t>(to_unix_ns(time), 0);
  const auto ms = static_cast<uint64_t>(ns / 1'000'000 + (ns % 1'000'000 != 0 ? 1 : 0));
  return uid_of({ms << 16, 0});
}

}  // namespace

// --- how far back --------------------------------------------------------------------------------

bool Horizon::shows(const EventFacts& event) const {
  return event.uid >= first_uid_since(since);
}

bool Horizon::shows(const EventFacts& event, const DeliveryState& state) const {
  return shows(event) || !journal::is_end(state.status);
}

// --- asking again when an index file turns out to be bad -----------------------------------------

template <typename T>
const Result<T>& Index::checked(const Part& part, const Result<T>& result) {
  if (!result) failed_ = key_of(part);
  return result;
}

/// True: ask again.
bool Index::repair(const Error& error) {
  if (!failed_ || !is_of_no_use(error)) return false;
  const Key key = *std::exchange(failed_, std::nullopt);
  const auto found = segments_.find(key);
  if (found == segments_.end() || found->second.file == nullptr) return false;
  const auto [journal, segment] =
      std::pair{found->second.part->journal(), found->second.part->segment()};
  const bool earlier = found->second.earlier;
  forget(key);
  // What is not read again is left out; `make_again` has said so.
  static_cast<void>(make_again(journal, segment, error, earlier));
  return true;
}

template <typename Answer, typename Ask>
Result<Answer> Index::answer(Ask ask) {
  while (true) {
    failed_.reset();
    Result<Answer> result = ask();
    if (result || !repair(result.error())) return result;
  }
}

// --- one delivery --------------------------------------------------------------------------------

/// Those in memory before those in files, these by their newest event.
std::vector<const Part*> Index::with_events() const {
  std::vector<const Part*> parts;
  for (const OpenPart* part : in_memory_) {
    if (part->has_events()) parts.push_back(part);
  }
  parts.insert(parts.end(), by_newest_.begin(), by_newest_.end());
  return parts;
}

/// Other segments that may have outcomes of events in the segment of `event`.
std::vector<const Part*> Index::successors(Position event) const {
  std::vector<const Part*> parts;
  for (const auto& [key, segment] : segments_) {
    const Part& part = *segment.part;
    if (!part.holds(event) && part.may_have_outcomes_of_segment(event)) parts.push_back(&part);
  }
  return parts;
}

/// All segments that may have outcomes of an event that was carried forward, that of its first
/// record as well while it is there.
std::vector<const Part*> Index::tellers(const EventFacts& event) const {
  std::vector<const Part*> parts;
  for (const auto& [key, segment] : segments_) {
    const Part& part = *segment.part;
    if (part.holds(event.origin) || part.may_have_outcomes_of_segment(event.origin)) {
      parts.push_back(&part);
    }
  }
  return parts;
}

/// @param successors  of `home`.
Result<void> Index::gather(const std::vector<const Part*>& successors, const Part& home,
                           const LocalDelivery& delivery, std::vector<Outcome>& outcomes) {
  if (delivery.event.is_carried()) return gather_all(delivery, outcomes);
  const DeliveryKey key{delivery.event.position, delivery.webhook_number};
  if (delivery.told == LocalDelivery::Told::one) outcomes.push_back(delivery.outcome);
  if (delivery.told == LocalDelivery::Told::several) {
    const auto told =
        checked(home, home.outcomes_of(delivery.event, delivery.webhook_number, outcomes));
    if (!told) return told;
  }
  for (const Part* part : successors) {
    if (!part->may_have_outcomes(key)) continue;
    const auto told =
        checked(*part, part->outcomes_of(delivery.event, delivery.webhook_number, outcomes));
    if (!told) return told;
  }
  add_unrecorded(key, outcomes);
  return {};
}

Result<void> Index::gather_all(const LocalDelivery& delivery, std::vector<Outcome>& outcomes) {
  const DeliveryKey key{delivery.event.origin, delivery.webhook_number};
  for (const Part* part : tellers(delivery.event)) {
    if (!part->holds(key.event) && !part->may_have_outcomes(key)) continue;
    const auto told =
        checked(*part, part->outcomes_of(delivery.event, delivery.webhook_number, outcomes));
    if (!told) return told;
  }
  add_unrecorded(key, outcomes);
  return {};
}

void Index::add_unrecorded(const DeliveryKey& key, std::vector<Outcome>& outcomes) const {
  const auto [first, last] = unrecorded_.equal_range(key.hash());
  for (auto one = first; one != last; ++one) {
    if (one->second.outcome.delivery == key) outcomes.push_back(one->second.outcome);
  }
}

/// Nothing that comes later changes a success.
Result<DeliveryState> Index::state_of(const std::vector<const Part*>& successors, const Part& home,
                                      const LocalDelivery& delivery) {
  std::vector<Outcome> outcomes;
  const bool done = delivery.told == LocalDelivery::Told::one &&
                    delivery.outcome.status == DeliveryStatus::delivered &&
                    delivery.outcome.attempt == 1;
  if (done) {
    outcomes.push_back(delivery.outcome);
  } else if (auto told = gather(successors, home, delivery, outcomes); !told) {
    return told.error();
  }
  return resolve(outcomes);
}

bool Index::is_settled(Position event) const {
  return event.journal() < settled_through_.size() &&
         event.segment() <= settled_through_[event.journal()];
}

/// Its end was in a segment that has gone.
bool Index::is_forgotten(Position event, const DeliveryState& state) const {
  return !journal::is_end(state.status) && is_settled(event);
}

// --- lists ---------------------------------------------------------------------------------------

namespace {

const Ulid& uid_of(const LocalDelivery& delivery) {
  return delivery.event.uid;
}
const Ulid& uid_of(const MatchedEvent& event) {
  return event.facts.uid;
}

/// All uids that are wanted are smaller.
Ulid end_of_uids(const std::optional<Ulid>& before, const std::optional<WallTime>& until) {
  Ulid end;
  end.bytes.fill(0xff);
  if (before) end = *before;
  if (until) end = std::min(end, end_of_uids_until(*until));
  return end;
}

Ulid end_of_uids(const PageQuery& query) {
  if (!query.before) return end_of_uids(std::nullopt, query.until);
  const auto& [uid, webhook_number] = *query.before;
  return end_of_uids(webhook_number > 0 ? next_uid(uid) : uid, query.until);
}

/// Where the page behind this one begins: never before it, however little was looked at.
/// @param end_of_rest  of the merge, all of an event's deliveries in one.
DeliveryPlace next_place(const Ulid& end_of_rest, const PageQuery& query) {
  const DeliveryPlace next{end_of_rest};
  return query.before ? std::min(next, *query.before) : next;
}

}  // namespace

/// Goes through all segments at once, in each with a walk, the newest event first. A segment is
/// opened when its newest event may be the next.
template <typename Walk>
class Index::Merge {
 public:
  using Item = typename Walk::Item;
  using Begin = std::function<Result<std::unique_ptr<Walk>>(const Part&)>;

  /// @param parts  those of `with_events` that may have something.
  /// @param end    the walks of `begin` give smaller uids only.
  Merge(Index& index, std::vector<const Part*> parts, const Ulid& end, Begin begin)
      : index_(index), end_(end), begin_(std::move(begin)), unopened_(std::move(parts)) {
    std::erase_if(unopened_, [&](const Part* part) { return part->oldest() >= end_; });
    std::ranges::stable_sort(unopened_, std::greater{}, &Part::newest);
    std::ranges::reverse(unopened_);
  }

  struct Reached {
    const Item* item = nullptr;
    const Part* part = nullptr;
    Walk* walk = nullptr;
    const std::vector<const Part*>* successors = nullptr;  ///< Of `part`.
  };
  /// What comes next, if its segment is open; nothing: call `step` first.
  std::optional<Reached> current() {
    if (must_open() || open_.empty()) return std::nullopt;
    Open& next = open_.back();
    if (!next.successors) next.successors = index_.successors(position_of(*next.part));
    return Reached{next.item, next.part, next.walk.get(), &*next.successors};
  }
  bool ended() const { return open_.empty() && unopened_.empty(); }
  /// Opens a segment, or goes on behind `current`.
  Result<void> step() { return must_open() ? open() : advance(); }

  /// All uids that are still to come are smaller. Only if not `ended`.
  Ulid end_of_rest() const {
    Ulid uid;
    if (!open_.empty()) uid = uid_of(*open_.back().item);
    if (!unopened_.empty()) uid = std::max(uid, unopened_.back()->newest());
    return std::min(next_uid(uid), end_);
  }

 private:
  struct Open {
    const Part* part;
    std::unique_ptr<Walk> walk;
    const Item* item;
    std::optional<std::vector<const Part*>> successors;
  };

  static Position position_of(const Part& part) { return {key_of(part)}; }

  bool must_open() const {
    if (unopened_.empty()) return false;
    return open_.empty() || unopened_.back()->newest() >= uid_of(*open_.back().item);
  }

  Result<void> open() {
    const Part* part = unopened_.back();
    auto walk = begin_(*part);
    if (!index_.checked(*part, walk)) return walk.error();
    unopened_.pop_back();
    return insert({part, std::move(*walk), nullptr, std::nullopt});
  }

  Result<void> advance() {
    Open next = std::move(open_.back());
    open_.pop_back();
    return insert(std::move(next));
  }

  /// Those with a larger uid stand behind.
  Result<void> insert(Open one) {
    const auto item = one.walk->next();
    if (!index_.checked(*one.part, item)) return item.error();
    if (*item == nullptr) return {};
    one.item = *item;
    const auto place = std::ranges::upper_bound(
        open_, uid_of(*one.item), {}, [](const Open& other) { return uid_of(*other.item); });
    open_.insert(place, std::move(one));
    return {};
  }

  Index& index_;
  const Ulid end_;
  const Begin begin_;
  std::vector<const Part*> unopened_;  // The one with the newest event at the end.
  std::vector<Open> open_;             // Likewise.
};

namespace {

/// No smaller uids are wanted.
template <typename Query>
Ulid begin_of_uids(const Query& query) {
  const Horizon& horizon = query.horizon;
  const Ulid visible = first_uid_since(std::min(horizon.since, horizon.pending_since));
  return std::max(visible, first_uid_since(query.since.value_or(WallTime{})));
}

template <typename Query>
bool may_be_wanted(const Query& query, const EventFacts& event) {
  if (query.type_hash && *query.type_hash != event.type_hash) return false;
  return !query.source_hash || *query.source_hash == event.source_hash;
}

/// Statuses that a wanted delivery may have.
StatusSet statuses_of(const PageQuery& query) {
  if (query.status) return set_of(*query.status);
  constexpr StatusSet all_but_delivered = all_statuses ^ set_of(DeliveryStatus::delivered);
  return query.error ? all_but_delivered : all_statuses;
}

/// As far as the segment of the event tells.
bool may_be_wanted(const PageQuery& query, const LocalDelivery& delivery) {
  const bool delivered = delivery.told == LocalDelivery::Told::one &&
                         delivery.outcome.status == DeliveryStatus::delivered;
  const bool wants_delivered = (statuses_of(query) & set_of(DeliveryStatus::delivered)) != 0 &&
                               query.horizon.shows(delivery.event);
  return (!delivered || wants_delivered) && may_be_wanted(query, delivery.event);
}

DeliveryFacts facts_of(const EventFacts& event, uint32_t webhook_number, DeliveryState state) {
  return {.id = journal::delivery_id(event.uid, webhook_number),
          .event = event,
          .webhook_number = webhook_number,
          .state = std::move(state)};
}

}  // namespace

bool PageQuery::wants(const DeliveryState& state) const {
  if (status && state.status != *status) return false;
  if (error && !(state.failed && state.error == *error)) return false;
  return !http_statuses || http_statuses->has(state.http_status);
}

Result<Page> Index::page(const PageQuery& query) {
  return answer<Page>([&] { return ask_page(query); });
}

Result<Page> Index::ask_page(const PageQuery& query) {
  return query.webhook_number ? ask_webhook(query, *query.webhook_number) : ask_all(query);
}

/// Adds the delivery to the page if it is wanted.
Result<void> Index::consider(const PageQuery& query, const LocalDelivery& delivery,
                             const Part& home, const std::vector<const Part*>& successors,
                             Page& page) {
  if (!may_be_wanted(query, delivery) || is_replaced(delivery.event.position)) return {};
  auto state = state_of(successors, home, delivery);
  if (!state) return state.error();
  if (!query.wants(*state) || is_forgotten(delivery.event.position, *state)) return {};
  if (!query.horizon.shows(delivery.event, *state)) return {};
  page.items.push_back(facts_of(delivery.event, delivery.webhook_number, std::move(*state)));
  return {};
}

/// Goes on until the page is full, its costs are used up, or nothing of the time is left.
/// @param visit  of what comes next, and the count of index pages at which it has cost enough; its
///               answer: whether to go on.
/// @returns whether there is more behind `merge`; otherwise all is there, or `visit` has said where
///          the next page begins.
template <typename Merging, typename Query, typename PageOf, typename Visit>
Result<bool> Index::go_through(Merging& merge, const Query& query, PageOf& page, Visit visit) {
  const uint64_t pages_end = pages_read() + query.pages_max;
  const Ulid begin = begin_of_uids(query);
  while (!merge.ended() && page.items.size() < query.limit) {
    if (merge.end_of_rest() <= begin) return false;
    page.cut = page.passed >= query.entries_max || pages_read() >= pages_end;
    if (page.cut) break;
    if (const auto next = merge.current()) {
      ++page.passed;
      const Result<bool> goes_on = visit(*next, pages_end);
      if (!goes_on || !*goes_on) return goes_on;
    }
    if (auto stepped = merge.step(); !stepped) return stepped.error();
  }
  return !merge.ended();
}

Result<Page> Index::ask_webhook(const PageQuery& query, uint32_t webhook_number) {
  Page page;
  const Ulid end = end_of_uids(query);
  auto parts = with_events();
  std::erase_if(parts, [&](const Part* part) { return !part->may_have_webhook(webhook_number); });
  Merge<Part::Walk> merge(*this, std::move(parts), end, [&](const Part& part) {
    return part.walk(webhook_number, end, statuses_of(query));
  });
  const auto visit = [&](const auto& next, uint64_t) -> Result<bool> {
    const DeliveryPlace place{uid_of(*next.item), webhook_number};
    if (query.before && place >= *query.before) return true;
    const auto considered = consider(query, *next.item, *next.part, *next.successors, page);
    if (!considered) return considered.error();
    return true;
  };
  const auto rest = go_through(merge, query, page, visit);
  if (!rest) return rest.error();
  if (*rest) page.next_before = next_place(merge.end_of_rest(), query);
  return page;
}

Result<Page> Index::ask_all(const PageQuery& query) {
  Page page;
  const Ulid end = end_of_uids(query);
  Merge<Part::EventWalk> merge(*this, with_events(), end,
                               [&](const Part& part) { return part.walk_events(end); });
  const auto rest = go_through(merge, query, page, [&](const auto& next, uint64_t pages_end) {
    return add_deliveries(query, next, pages_end, page);
  });
  if (!rest) return rest.error();
  if (*rest) page.next_before = next_place(merge.end_of_rest(), query);
  return page;
}

/// The wanted deliveries of one event. @returns false if the page ends among them.
template <typename Reached>
Result<bool> Index::add_deliveries(const PageQuery& query, const Reached& event, uint64_t pages_end,
                                   Page& page) {
  const auto& [facts, webhook_numbers] = *event.item;
  if (!may_be_wanted(query, facts)) return true;
  const uint32_t passed_before = page.passed;
  for (size_t left = webhook_numbers.size(); left > 0; --left) {
    const uint32_t number = webhook_numbers[left - 1];
    if (query.before && DeliveryPlace{facts.uid, number} >= *query.before) continue;
    if (query.wants_webhook && !query.wants_webhook(number)) continue;
    const bool spent = page.passed > passed_before &&  // However little it may cost, it gets on.
                       (page.passed >= query.entries_max || pages_read() >= pages_end);
    if (spent || page.items.size() == query.limit) {
      page.cut = page.items.size() < query.limit;
      page.next_before = DeliveryPlace{facts.uid, number + 1};
      return false;
    }
    ++page.passed;
    const auto delivery = event.walk->delivery(number, statuses_of(query));
    if (!checked(*event.part, delivery)) return delivery.error();
    if (*delivery == nullptr) continue;
    const auto considered = consider(query, **delivery, *event.part, *event.successors, page);
    if (!considered) return considered.error();
  }
  return true;
}

Result<EventList> Index::event_list(const EventListQuery& query) {
  return answer<EventList>([&] { return ask_event_list(query); });
}

Result<EventList> Index::ask_event_list(const EventListQuery& query) {
  EventList page;
  const Ulid end = end_of_uids(query.before, query.until);
  Merge<Part::EventWalk> merge(*this, with_events(), end,
                               [&](const Part& part) { return part.walk_events(end); });
  const auto rest = go_through(merge, query, page, [&](const auto& next, uint64_t) -> Result<bool> {
    const EventFacts& facts = next.item->facts;
    if (!may_be_wanted(query, facts) || is_replaced(facts.position)) return true;
    const auto shown = shows(query.horizon, facts);
    if (!shown) return shown.error();
    if (*shown) page.items.push_back(*next.item);
    return true;
  });
  if (!rest) return rest.error();
  if (*rest) page.next_before = merge.end_of_rest();
  return page;
}

// --- by id ---------------------------------------------------------------------------------------

Result<std::optional<DeliveryFacts>> Index::delivery(const Ulid& id, const Horizon& horizon) {
  return answer<std::optional<DeliveryFacts>>([&] { return ask_delivery(id, horizon); });
}

/// A delivery's id begins with the time of its event's uid: that finds the segments, and in them a
/// few events, whose deliveries' ids are derived and compared.
Result<std::optional<DeliveryFacts>> Index::ask_delivery(const Ulid& id, const Horizon& horizon) {
  const uint64_t time_ms = id.time_ms();
  for (const auto& [key, segment] : segments_) {
    const Part& part = *segment.part;
    if (!part.has_events()) continue;
    if (part.oldest().time_ms() > time_ms || part.newest().time_ms() < time_ms) continue;
    const auto events = checked(part, part.events_at(time_ms));
    if (!events) return events.error();
    for (const MatchedEvent& event : *events) {
      if (is_replaced(event.facts.position)) continue;
      for (const uint32_t webhook : event.webhook_numbers) {
        const Ulid derived = journal::delivery_id(event.facts.uid, webhook);
        if (derived.as_uuid() != id.as_uuid()) continue;
        auto found = ask_one(part, event.facts, webhook, successors(event.facts.position));
        if (!found || !*found || horizon.shows(event.facts, (*found)->state)) return found;
        return std::optional<DeliveryFacts>{};
      }
    }
  }
  return std::optional<DeliveryFacts>{};
}

Result<std::optional<DeliveryFacts>> Index::ask_one(const Part& home, const EventFacts& event,
                                                    uint32_t webhook_number,
                                                    const std::vector<const Part*>& successors) {
  const LocalDelivery delivery{.event = event,
                               .webhook_number = webhook_number,
                               .told = LocalDelivery::Told::several,
                               .outcome = {}};
  auto state = state_of(successors, home, delivery);
  if (!state) return state.error();
  if (is_forgotten(event.position, *state)) return std::optional<DeliveryFacts>{};
  return std::optional{facts_of(event, webhook_number, std::move(*state))};
}

Result<EventPage> Index::events(const EventQuery& query) {
  return answer<EventPage>([&] { return ask_events(query); });
}

Result<EventPage> Index::ask_events(const EventQuery& query) {
  EventPage page;
  const uint64_t pages_end = pages_read() + query.pages_max;
  const auto parts = that_may_have_id(query.id_hash);
  if (!parts) return parts.error();
  for (const Part* part : *parts) {
    page.cut = page.items.size() >= query.limit || pages_read() >= pages_end;
    if (page.cut) break;
    if (auto added = add_events(query, *part, page.items); !added) return added.error();
  }
  std::erase_if(page.items, [this](const auto& event) { return is_replaced(event.position); });
  std::ranges::sort(page.items, std::greater{}, &EventFacts::uid);
  if (page.items.size() > query.limit) {
    page.items.resize(query.limit);
    page.cut = true;
  }
  return page;
}

/// In the order of `with_events`. A file of ids that is of no use is left out from now on: its
/// segments may have any id.
Result<std::vector<const Part*>> Index::that_may_have_id(uint32_t id_hash) {
  std::map<Key, SegmentMask> excluded;  // By group: segments that do not have it.
  for (auto group = id_groups_.begin(); group != id_groups_.end();) {
    const auto found = group->second.may_have(files_, id_hash);
    if (found) {
      excluded[group->first] = group->second.segments() & ~*found;
      ++group;
      continue;
    }
    if (!is_of_no_use(found.error())) return found.error();
    const Position last{group->first};
    report_({journal::Finding::Kind::damage,
             group_key(static_cast<uint16_t>(last.journal()), last.segment()).path(), 0, 0,
             "the file of ids cannot be used (" + describe(found.error()) +
                 "); it is made again, and until then events are found by their ids more slowly"});
    group = id_groups_.erase(group);
  }
  std::vector<const Part*> parts;
  for (const Part* part : with_events()) {
    const auto group = excluded.find(key_of(part->journal(), last_of_group(part->segment())));
    const bool is_excluded =
        group != excluded.end() && (group->second & mask_of(part->segment())) != 0;
    if (!is_excluded && part->may_have_id(id_hash)) parts.push_back(part);
  }
  return parts;
}

/// Those of one segment.
Result<void> Index::add_events(const EventQuery& query, const Part& part,
                               std::vector<EventFacts>& found) {
  std::vector<EventFacts> candidates;
  auto told = checked(part, part.events_of_id(query.id_hash, candidates));
  if (!told) return told;
  for (const EventFacts& event : candidates) {
    const auto shown = shows(query.horizon, event);
    if (!shown) return shown.error();
    if (*shown) found.push_back(event);
  }
  return {};
}

/// Because of one of its deliveries, if of nothing else.
Result<bool> Index::shows(const Horizon& horizon, const EventFacts& event) {
  if (horizon.shows(event)) return true;
  const auto pending = ask_deliveries(event, horizon);
  if (!pending) return pending.error();
  return !pending->empty();
}

Result<std::vector<DeliveryFacts>> Index::deliveries_of(const EventFacts& event,
                                                        const Horizon& horizon) {
  return answer<std::vector<DeliveryFacts>>([&] { return ask_deliveries(event, horizon); });
}

Result<std::vector<DeliveryFacts>> Index::ask_deliveries(const EventFacts& event,
                                                         const Horizon& horizon) {
  std::vector<DeliveryFacts> all;
  const auto home = segments_.find(
      key_of(static_cast<uint16_t>(event.position.journal()), event.position.segment()));
  if (home == segments_.end()) return all;
  const Part& part = *home->second.part;
  const auto found = checked(part, part.event(event.uid));
  if (!found) return found.error();
  if (!*found) return all;
  const std::vector<const Part*> later = successors(event.position);
  for (const uint32_t webhook : (*found)->webhook_numbers) {
    auto delivery = ask_one(part, (*found)->facts, webhook, later);
    if (!delivery) return delivery.error();
    const bool shown = *delivery && horizon.shows((*found)->facts, (*delivery)->state);
    if (shown) all.push_back(std::move(**delivery));
  }
  return all;
}

// --- totals --------------------------------------------------------------------------------------

namespace {

/// The newest hours first.
std::vector<const Part*> by_newest_hour(std::vector<const Part*> parts) {
  std::ranges::sort(parts, std::greater{}, [](const Part* part) { return part->hours().end; });
  return parts;
}

}  // namespace

Result<TotalsAnswer> Index::totals(const TotalsQuery& query) {
  return answer<TotalsAnswer>([&] { return ask_totals(query); });
}

/// When it has cost enough, what is left tells of nothing newer than its newest hour: the question
/// becomes that for the steps behind it, which have been read. Of those at least one is answered.
Result<TotalsAnswer> Index::ask_totals(const TotalsQuery& query) {
  TotalsAnswer answer{.items = {}, .complete_from = query.hours.begin, .oldest_hour = {}};
  const uint64_t pages_end = pages_read() + query.pages_max;
  const uint32_t first = hour_of(query.horizon.since);
  std::vector<const Part*> parts;
  for (const auto& [key, segment] : segments_) {
    const HourRange hours = segment.part->hours();
    if (hours.empty() || hours.end <= first) continue;
    const uint32_t oldest = std::max(hours.begin, first);
    answer.oldest_hour = std::min(answer.oldest_hour.value_or(oldest), oldest);
    if (hours.meets(query.hours)) parts.push_back(segment.part.get());
  }
  const auto steps_before = [&](uint32_t hour) {
    return (hour - query.hours.begin) / query.step_hours * query.step_hours;
  };
  const auto add = [&](const TotalsKey& key, const Totals& totals) {
    if (key.hour < first) return;
    if (query.wants_webhook && !query.wants_webhook(key.webhook_number)) return;
    const uint32_t step = query.hours.begin + steps_before(key.hour);
    answer.items[query.by_webhook ? key.webhook_number : step].add(totals);
  };
  for (const Part* part : by_newest_hour(std::move(parts))) {
    const uint32_t behind =
        query.hours.begin + steps_before(part->hours().end - 1) + query.step_hours;
    if (pages_read() >= pages_end && behind < query.hours.end) {
      TotalsQuery rest = query;
      rest.hours.begin = behind;
      rest.pages_max = UINT32_MAX;
      return ask_totals(rest);
    }
    const auto told = checked(*part, part->totals(query.webhook_number, query.hours, add));
    if (!told) return told.error();
  }
  return answer;
}

// --- what is pending -----------------------------------------------------------------------------

Result<void> Index::for_each_pending(const VisitPending& visit) {
  std::vector<Key> keys;
  for (const auto& [key, segment] : segments_) {
    const Part& part = *segment.part;
    if (part.has_events() && part.open_count() > 0 && !is_settled({key})) keys.push_back(key);
  }
  const size_t count = segments_.size();
  for (const Key key : keys) {
    const auto pending = answer<std::vector<PendingEvent>>([&] { return ask_pending(key); });
    if (!pending) return pending.error();
    if (segments_.size() < count) return Error{Errc::corrupt, Side::disk};
    for (const PendingEvent& event : *pending) visit(event.position, event.uid, event.deliveries);
  }
  return {};
}

namespace {

bool in_order(const Outcome& a, const Outcome& b) {
  return a.delivery < b.delivery;
}

DeliveryKey key_of(const LocalDelivery& delivery) {
  return {delivery.event.position, delivery.webhook_number};
}

/// Outcomes of deliveries, asked in the order of their keys.
class OutcomesByDelivery {
 public:
  explicit OutcomesByDelivery(std::vector<Outcome> outcomes) : outcomes_(std::move(outcomes)) {
    std::ranges::sort(outcomes_, in_order);
  }

  void append(const DeliveryKey& key, std::vector<Outcome>& found) {
    while (at_ < outcomes_.size() && outcomes_[at_].delivery < key) ++at_;
    for (; at_ < outcomes_.size() && outcomes_[at_].delivery == key; ++at_) {
      found.push_back(outcomes_[at_]);
    }
  }

 private:
  std::vector<Outcome> outcomes_;
  size_t at_ = 0;
};

}  // namespace

Result<std::vector<PendingEvent>> Index::ask_pending(Key key) {
  std::vector<PendingEvent> events;
  const auto home = segments_.find(key);
  if (home == segments_.end()) return events;
  const Part& part = *home->second.part;
  std::vector<LocalDelivery> open;
  std::vector<Outcome> outcomes;
  const auto found = checked(part, part.open_deliveries(open));
  if (!found) return found.error();
  auto told = checked(part, part.outcomes_of_segment({key}, outcomes));
  if (!told) return told.error();
  for (const Part* later : successors({key})) {
    told = checked(*later, later->outcomes_of_segment({key}, outcomes));
    if (!told) return told.error();
  }
  for (const auto& [hash, unrecorded] : unrecorded_) {
    const Outcome& outcome = unrecorded.outcome;
    if (part.holds(outcome.delivery.event)) outcomes.push_back(outcome);
  }

  std::ranges::sort(open, {}, [](const LocalDelivery& one) { return index::key_of(one); });
  OutcomesByDelivery by_delivery(std::move(outcomes));
  std::vector<Outcome> of_one;
  for (const LocalDelivery& delivery : open) {
    if (is_replaced(delivery.event.position)) continue;
    of_one.clear();
    if (delivery.told == LocalDelivery::Told::one) of_one.push_back(delivery.outcome);
    by_delivery.append(index::key_of(delivery), of_one);
    if (delivery.event.is_carried()) {
      told = gather_all(delivery, of_one);
      if (!told) return told.error();
    }
    const DeliveryState state = resolve(of_one);
    if (journal::is_end(state.status)) continue;
    const Position position = delivery.event.first().position;
    if (events.empty() || events.back().position != position) {
      events.push_back({.position = position, .uid = delivery.event.uid, .deliveries = {}});
    }
    events.back().deliveries.push_back(
        {delivery.webhook_number, state.attempts, state.next_attempt_at});
  }
  return events;
}

Result<PendingPage> Index::pending(const PendingQuery& query) {
  const size_t count = segments_.size();
  auto page = answer<PendingPage>([&] { return ask_pending(query); });
  if (segments_.size() < count) return Error{Errc::corrupt, Side::disk};
  return page;
}

Result<PendingPage> Index::ask_pending(const PendingQuery& query) {
  const auto home = segments_.find(key_of(query.journal, query.segment));
  if (home == segments_.end()) return Error{Errc::not_found, Side::disk};
  const Part& part = *home->second.part;
  PendingPage page;
  if (!part.has_events() || part.open_count() == 0) return page;
  const std::vector<const Part*> later = successors(Position{home->first});
  const auto walk = part.walk_events(end_of_uids(query.before, std::nullopt));
  if (!checked(part, walk)) return walk.error();
  for (uint64_t passed = 0; page.items.size() < query.limit && passed < query.entries_max;) {
    const auto next = (*walk)->next();
    if (!checked(part, next)) return next.error();
    if (*next == nullptr) {
      page.next_before.reset();
      return page;
    }
    const MatchedEvent& event = **next;
    page.next_before = event.facts.uid;
    passed += event.webhook_numbers.size() + 1;
    if (is_replaced(event.facts.position)) continue;
    auto pending = pending_of(part, event, **walk, later);
    if (!pending) return pending.error();
    if (!pending->deliveries.empty()) page.items.push_back(std::move(*pending));
  }
  return page;
}

/// @param walk  stands at the event.
Result<PendingEvent> Index::pending_of(const Part& home, const MatchedEvent& event,
                                       Part::EventWalk& walk,
                                       const std::vector<const Part*>& successors) {
  PendingEvent pending{
      .position = event.facts.first().position, .uid = event.facts.uid, .deliveries = {}};
  for (const uint32_t number : event.webhook_numbers) {
    const auto delivery = walk.delivery(number, open_statuses);
    if (!checked(home, delivery)) return delivery.error();
    if (*delivery == nullptr) continue;
    const auto state = state_of(successors, home, **delivery);
    if (!state) return state.error();
    if (journal::is_end(state->status)) continue;
    pending.deliveries.push_back({number, state->attempts, state->next_attempt_at});
  }
  return pending;
}

}  // namespace ringpost::index
