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

Result<void> Index::gather(const std::vector<const Part*>& successors, const Part& home,
                           const LocalDelivery& delivery, std::vector<Outcome>& outcomes) {
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
  const auto [first, last] = unrecorded_.equal_range(key.hash());
  for (auto one = first; one != last; ++one) {
    if (one->second.delivery == key) outcomes.push_back(one->second);
  }
  return {};
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

// --- a page of deliveries ------------------------------------------------------------------------

Result<Page> Index::page(const PageQuery& query) {
  return answer<Page>([&] { return ask_page(query); });
}

/// Goes through the deliveries of a webhook in all segments at once, the newest event's first. A
/// segment is opened when its newest event may be the next.
class Index::Merge {
 public:
  Merge(Index& index, const PageQuery& query)
      : index_(index),
        webhook_number_(query.webhook_number),
        statuses_(query.status ? set_of(*query.status) : all_statuses),
        before_(bound(query)) {
    unopened_ = index.with_events();
    std::ranges::stable_sort(unopened_, std::greater{}, &Part::newest);
    std::erase_if(unopened_, [&](const Part* part) {
      return part->oldest() >= before_ || !part->may_have_webhook(webhook_number_);
    });
    std::ranges::reverse(unopened_);
  }

  struct Entry {
    const LocalDelivery* delivery;
    const Part* part;
  };
  /// What comes next, if its segment is open; nullptr in `delivery`: call `step` first.
  Entry current() const {
    if (!must_open() && !open_.empty()) return {open_.back().delivery, open_.back().part};
    return {nullptr, nullptr};
  }
  bool ended() const { return open_.empty() && unopened_.empty(); }
  /// Opens a segment, or goes on behind `current`.
  Result<void> step() { return must_open() ? open() : advance(); }

  /// All uids that are still to come are smaller. Only if not `ended`.
  Ulid end_of_rest() const {
    Ulid uid;
    if (!open_.empty()) uid = open_.back().delivery->event.uid;
    if (!unopened_.empty()) uid = std::max(uid, unopened_.back()->newest());
    return std::min(next_uid(uid), before_);
  }

 private:
  struct Open {
    const Part* part;
    std::unique_ptr<Part::Walk> walk;
    const LocalDelivery* delivery;
  };

  static Ulid bound(const PageQuery& query) {
    Ulid before;
    before.bytes.fill(0xff);
    if (query.before) before = *query.before;
    if (query.until) before = std::min(before, end_of_uids_until(*query.until));
    return before;
  }

  bool must_open() const {
    if (unopened_.empty()) return false;
    return open_.empty() || unopened_.back()->newest() >= open_.back().delivery->event.uid;
  }

  Result<void> open() {
    const Part* part = unopened_.back();
    auto walk = part->walk(webhook_number_, before_, statuses_);
    if (!index_.checked(*part, walk)) return walk.error();
    unopened_.pop_back();
    return insert({part, std::move(*walk), nullptr});
  }

  Result<void> advance() {
    Open next = std::move(open_.back());
    open_.pop_back();
    return insert(std::move(next));
  }

  /// Those with a larger uid stand behind.
  Result<void> insert(Open one) {
    const auto delivery = one.walk->next();
    if (!index_.checked(*one.part, delivery)) return delivery.error();
    if (*delivery == nullptr) return {};
    one.delivery = *delivery;
    const auto place =
        std::ranges::upper_bound(open_, one.delivery->event.uid, {},
                                 [](const Open& other) { return other.delivery->event.uid; });
    open_.insert(place, std::move(one));
    return {};
  }

  Index& index_;
  const uint32_t webhook_number_;
  const StatusSet statuses_;
  const Ulid before_;
  std::vector<const Part*> unopened_;  // The one with the newest event at the end.
  std::vector<Open> open_;             // Likewise.
};

namespace {

/// As far as the segment of the event tells.
bool may_be_wanted(const PageQuery& query, const LocalDelivery& delivery) {
  const bool delivered = delivery.told == LocalDelivery::Told::one &&
                         delivery.outcome.status == DeliveryStatus::delivered;
  if (query.status && delivered && *query.status != DeliveryStatus::delivered) return false;
  if (query.type_hash && *query.type_hash != delivery.event.type_hash) return false;
  return !query.source_hash || *query.source_hash == delivery.event.source_hash;
}

DeliveryFacts facts_of(const EventFacts& event, uint32_t webhook_number, DeliveryState state) {
  return {.id = journal::delivery_id(event.uid, webhook_number),
          .event = event,
          .webhook_number = webhook_number,
          .state = std::move(state)};
}

}  // namespace

Result<Page> Index::ask_page(const PageQuery& query) {
  Page page;
  Merge merge(*this, query);
  const uint64_t pages_end = pages_read() + query.pages_max;
  const Part* home = nullptr;
  std::vector<const Part*> successors;
  while (!merge.ended() && page.items.size() < query.limit) {
    if (query.since && merge.end_of_rest() <= first_uid_since(*query.since)) return page;
    if (page.passed >= query.entries_max || pages_read() >= pages_end) {
      page.cut = true;
      break;
    }
    const auto [delivery, part] = merge.current();
    if (delivery != nullptr) {
      ++page.passed;
      if (part != home) successors = this->successors(delivery->event.position);
      home = part;
      if (may_be_wanted(query, *delivery)) {
        auto state = state_of(successors, *part, *delivery);
        if (!state) return state.error();
        const bool wanted = !query.status || state->status == *query.status;
        if (wanted && !is_forgotten(delivery->event.position, *state)) {
          page.items.push_back(
              facts_of(delivery->event, delivery->webhook_number, std::move(*state)));
        }
      }
    }
    if (auto stepped = merge.step(); !stepped) return stepped.error();
  }
  if (!merge.ended()) page.next_before = merge.end_of_rest();
  return page;
}

// --- by id ---------------------------------------------------------------------------------------

Result<std::optional<DeliveryFacts>> Index::delivery(const Ulid& id) {
  return answer<std::optional<DeliveryFacts>>([&] { return ask_delivery(id); });
}

/// A delivery's id begins with the time of its event's uid: that finds the segments, and in them a
/// few events, whose deliveries' ids are derived and compared.
Result<std::optional<DeliveryFacts>> Index::ask_delivery(const Ulid& id) {
  const uint64_t time_ms = id.time_ms();
  for (const auto& [key, segment] : segments_) {
    const Part& part = *segment.part;
    if (!part.has_events()) continue;
    if (part.oldest().time_ms() > time_ms || part.newest().time_ms() < time_ms) continue;
    const auto events = checked(part, part.events_at(time_ms));
    if (!events) return events.error();
    for (const MatchedEvent& event : *events) {
      for (const uint32_t webhook : event.webhook_numbers) {
        const Ulid derived = journal::delivery_id(event.facts.uid, webhook);
        if (derived.as_uuid() != id.as_uuid()) continue;
        return ask_one(part, event.facts, webhook, successors(event.facts.position));
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
  for (const Part* part : with_events()) {
    page.cut = page.items.size() >= query.limit || pages_read() >= pages_end;
    if (page.cut) break;
    if (!part->may_have_id(query.id_hash)) continue;
    const auto found = checked(*part, part->events_of_id(query.id_hash, page.items));
    if (!found) return found.error();
  }
  std::ranges::sort(page.items, std::greater{}, &EventFacts::uid);
  if (page.items.size() > query.limit) {
    page.items.resize(query.limit);
    page.cut = true;
  }
  return page;
}

Result<std::vector<DeliveryFacts>> Index::deliveries_of(const EventFacts& event) {
  return answer<std::vector<DeliveryFacts>>([&] { return ask_deliveries(event); });
}

Result<std::vector<DeliveryFacts>> Index::ask_deliveries(const EventFacts& event) {
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
    if (*delivery) all.push_back(std::move(**delivery));
  }
  return all;
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

Result<std::vector<Index::PendingEvent>> Index::ask_pending(Key key) {
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
  for (const auto& [hash, outcome] : unrecorded_) {
    if (part.holds(outcome.delivery.event)) outcomes.push_back(outcome);
  }

  std::ranges::sort(open, {}, [](const LocalDelivery& one) { return index::key_of(one); });
  OutcomesByDelivery by_delivery(std::move(outcomes));
  std::vector<Outcome> of_one;
  for (const LocalDelivery& delivery : open) {
    of_one.clear();
    if (delivery.told == LocalDelivery::Told::one) of_one.push_back(delivery.outcome);
    by_delivery.append(index::key_of(delivery), of_one);
    const DeliveryState state = resolve(of_one);
    if (journal::is_end(state.status)) continue;
    const Position position = delivery.event.position;
    if (events.empty() || events.back().position != position) {
      events.push_back({.position = position, .uid = delivery.event.uid, .deliveries = {}});
    }
    events.back().deliveries.push_back(
        {delivery.webhook_number, state.attempts, state.next_attempt_at});
  }
  return events;
}

}  // namespace ringpost::index
