// Goal: the index answers what the records say, whatever is sealed, restarted, removed, damaged or
// missing in between.
// Method: random histories of several journals. The generator keeps each delivery's state as it
// makes the records, in plain maps, and asks the index the same questions. 200 seeds;
// INDEX_SEEDS for more, INDEX_SEED for one.

#include "index/file_image.h"
#include "index/index.h"
#include "segment_maker.h"
#include "sim/disk.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ringpost::index {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::SegmentMaker;

constexpr WallTime start = from_unix_ns(1'900'000'000'000'000'000);

struct ModelDelivery {
  DeliveryStatus status = DeliveryStatus::pending;
  uint32_t attempts = 0;
  WallTime due{};
  bool begun = false;  // An attempt is under way.
  std::map<uint32_t, Position> records;
  struct End {
    bool failed = false;
    Errc error{};
    uint16_t http_status = 0;
  };
  std::map<uint32_t, End> ends;  // By attempt.

  End newest_end() const { return ends.empty() ? End{} : ends.rbegin()->second; }
};

struct ModelEvent {
  Ulid uid;
  Position position;
  std::string organization;
  std::string id;
  std::string type;
  std::string source;
  WallTime accepted_at{};
  std::map<uint32_t, ModelDelivery> deliveries;
};

int rank(DeliveryStatus status) {
  if (status == DeliveryStatus::delivered) return 3;
  if (status == DeliveryStatus::dead) return 2;
  return status == DeliveryStatus::cancelled ? 1 : 0;
}

/// How a delivery ended, as one segment tells.
struct ModelEnd {
  DeliveryStatus status{};
  uint32_t hour = 0;
  uint8_t latency = 0;
};

class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed), world_({.seed = seed}) {
    journals_ = static_cast<uint32_t>(random_.between(1, 3));
    webhooks_ = static_cast<uint32_t>(random_.between(1, 6));
    EXPECT_TRUE(disk().make_directory("/data"));
    EXPECT_TRUE(disk().make_directory(testing::journal_directory));
    begin_run();
  }

  void run() {
    const uint64_t steps = random_.between(20, 250);
    for (uint64_t step = 0; step < steps && !::testing::Test::HasFailure(); ++step) one_step();
    check_all();
    restart();
    check_all();
  }

  uint32_t groups_made() const { return groups_made_; }

 private:
  sim::Disk& disk() { return world_.disk(); }

  void one_step() {
    switch (random_.below(20)) {
      case 0: return seal(random_journal());
      case 1: return random_.chance(1, 3) ? restart() : spoil();
      case 2: return remove_oldest(random_journal());
      case 3: return check_page();
      case 4: return check_ids();
      case 5: return random_.chance(1, 2) ? check_event_list() : check_totals();
      case 6:
      case 7:
      case 8:
      case 9:
      case 10: return add_event();
      default: return add_outcome();
    }
  }

  // --- the relay -------------------------------------------------------------------------------

  void begin_run() {
    index_ = std::make_unique<Index>(
        disk(),
        Index::Options{.journal_directory = testing::journal_directory,
                       .directory_id = testing::directory_id,
                       .memory_max = random_.chance(1, 3) ? 3000u : 64u << 20},
        [this](const journal::Finding& finding) { findings_.push_back(finding.text); });
    std::vector<std::pair<uint16_t, uint32_t>> old(old_.begin(), old_.end());
    for (size_t left = old.size(); left > 0; --left) {  // In any order.
      std::swap(old[left - 1], old[random_.below(left)]);
      EXPECT_TRUE(index_->adopt(old[left - 1].first, old[left - 1].second));
    }
    for (uint32_t journal = 0; journal < 3; ++journal) {
      EXPECT_TRUE(disk().make_directory(directory(journal)));
      if (random_.chance(2, 3)) open_all_ids(static_cast<uint16_t>(journal));
      EXPECT_TRUE(index_->remove_leftovers(static_cast<uint16_t>(journal)));
      if (journal < journals_) begin_segment(static_cast<uint16_t>(journal));
    }
  }

  std::set<uint32_t> groups(uint16_t journal) const {
    std::set<uint32_t> lasts;
    for (const auto& [of, segment] : old_) {
      if (of == journal) lasts.insert(last_of_group(segment));
    }
    return lasts;
  }

  /// What is there of them, damaged or not.
  void open_all_ids(uint16_t journal) {
    for (const uint32_t last : groups(journal)) {
      static_cast<void>(index_->open_ids(journal, last));
    }
  }

  void make_ids(uint16_t journal) {
    for (const uint32_t last : groups(journal)) {
      const SegmentMask wanted = index_->wants_ids(journal, last);
      if (wanted == 0) continue;
      IdGroupWriter writer(
          disk(), {testing::journal_directory, testing::directory_id, journal, last}, wanted);
      Result<bool> done = false;
      while (done && !*done) done = writer.step();
      EXPECT_TRUE(done && index_->open_ids(journal, last));
      ++groups_made_;
    }
  }

  void begin_segment(uint16_t journal) {
    numbers_[journal] += static_cast<uint32_t>(random_.chance(1, 6) ? random_.between(1, 60) : 1);
    makers_.insert_or_assign(journal, SegmentMaker(journal, numbers_[journal]));
    index_->begin(journal, numbers_[journal]);
  }

  void seal(uint16_t journal) {
    const SegmentMaker& maker = makers_.at(journal);
    write_segment(maker, true);
    old_.insert({journal, maker.segment()});
    const auto part = index_->seal(journal, maker.segment());
    if (random_.chance(1, 2)) check_page();  // Until it is written, memory answers.
    EXPECT_TRUE(write_index(disk(), testing::journal_directory, testing::directory_id, *part));
    EXPECT_TRUE(index_->open(journal, maker.segment(), false));
    begin_segment(journal);
    if (random_.chance(1, 2)) make_ids(journal);
  }

  void restart() {
    for (const auto& [journal, maker] : makers_) {
      write_segment(maker, random_.chance(1, 2));
      old_.insert({journal, maker.segment()});
    }
    index_.reset();
    makers_.clear();
    for (const std::string& path : disk().files()) {
      if (!is_of_index(path)) continue;
      if (random_.chance(1, 10)) spoil_file(path);
      if (random_.chance(1, 5)) disk().erase(path);
    }
    if (random_.chance(1, 3)) {
      disk().write_file(directory(0) + "/00009999.idx", "left over");
      disk().write_file(directory(0) + "/00000001.idx.new", "unfinished");
    }
    for (auto& [position, event] : events_) {
      for (auto& [webhook, delivery] : event.deliveries) interrupt(delivery);
    }
    journals_ = static_cast<uint32_t>(random_.between(1, 3));
    begin_run();
    EXPECT_FALSE(disk().exists(directory(0) + "/00009999.idx"));
    EXPECT_FALSE(disk().exists(directory(0) + "/00000001.idx.new"));
    check_pending();
  }

  /// What was under way died with its process.
  static void interrupt(ModelDelivery& delivery) {
    if (delivery.status == DeliveryStatus::in_flight) {
      delivery.status = DeliveryStatus::pending;
      delivery.due = {};
    }
    delivery.begun = false;
  }

  void write_segment(const SegmentMaker& maker, bool sealed) {
    disk().write_file(
        journal::segment_path(testing::journal_directory, maker.journal(), maker.segment()),
        maker.file(sealed));
  }

  /// While the relay runs.
  void spoil() {
    for (const std::string& path : disk().files()) {
      if (is_of_index(path) && random_.chance(1, 4)) spoil_file(path);
    }
    if (random_.chance(1, 2)) index_->close_files();
  }

  static bool is_of_index(const std::string& path) {
    return path.ends_with(".idx") || path.ends_with(".ids");
  }

  void spoil_file(const std::string& path) {
    const uint64_t size = disk().read_file(path).size();
    switch (random_.below(4)) {
      case 0: return disk().truncate(path, random_.below(size + 1));
      case 1: return disk().write_file(path, std::string(random_.below(9000), '#'));
      case 2: {
        for (const std::string& other : disk().files()) {
          if (is_of_index(other) && other != path) return disk().copy(other, path);
        }
        return;
      }
      default:
        if (size > 0) {
          disk().flip_bit(path, random_.below(size), static_cast<unsigned>(random_.below(8)));
        }
    }
  }

  /// The oldest segment of a journal goes when nothing in it is needed any more.
  void remove_oldest(uint16_t journal) {
    const auto oldest = old_.lower_bound({journal, 0});
    if (oldest == old_.end() || oldest->first != journal || !may_go(*oldest)) return;
    index_->forget(journal, oldest->second);
    static_cast<void>(
        disk().remove(index_path(testing::journal_directory, journal, oldest->second)));
    disk().erase(journal::segment_path(testing::journal_directory, journal, oldest->second));
    std::erase_if(events_, [&](const auto& entry) { return is_in(entry.first, *oldest); });
    counts_.erase(*oldest);
    ends_.erase(*oldest);
    old_.erase(oldest);
  }

  using SegmentName = std::pair<uint16_t, uint32_t>;
  static bool is_in(Position position, const SegmentName& segment) {
    return position.journal() == segment.first && position.segment() == segment.second;
  }
  bool may_go(const SegmentName& segment) const {
    for (const auto& [position, event] : events_) {
      for (const auto& [webhook, delivery] : event.deliveries) {
        if (is_in(position, segment) && (rank(delivery.status) == 0 || delivery.begun))
          return false;
        if (is_in(position, segment)) continue;
        for (const auto& [attempt, record] : delivery.records) {
          if (is_in(record, segment)) return false;
        }
        if (touched_.contains({position, segment})) return false;
      }
    }
    return true;
  }

  // --- records ---------------------------------------------------------------------------------

  uint16_t random_journal() { return static_cast<uint16_t>(random_.below(journals_)); }
  std::string directory(uint32_t journal) const {
    return journal::journal_path(testing::journal_directory, static_cast<uint16_t>(journal));
  }

  void add_event() {
    now_ += milliseconds(random_.below(40));
    if (random_.chance(1, 50)) now_ += std::chrono::minutes(random_.below(100));
    if (random_.chance(1, 50)) now_ -= seconds(random_.below(3));  // The clock is set back.
    SegmentMaker& maker = makers_.at(random_journal());
    ModelEvent event{.uid = Ulid::mint(now_, random_),
                     .position = maker.next(),
                     .organization = random_.chance(1, 4) ? "acme" : "default",
                     .id = std::to_string(random_.below(60)),
                     .type = random_.chance(1, 3) ? "build/failed" : "build/finished",
                     .source = "app/" + std::to_string(random_.below(3)),
                     .accepted_at = now_,
                     .deliveries = {}};
    std::vector<uint32_t> numbers;
    for (uint32_t webhook = 1; webhook <= webhooks_; ++webhook) {
      if (random_.chance(1, 2)) numbers.push_back(webhook * 1000);
    }
    for (const uint32_t number : numbers) {
      event.deliveries[number];
      ++counts_of(maker, number, now_).events;
    }
    journal::EventView view;
    view.uid = event.uid;
    view.accepted_at = now_;
    view.organization = event.organization;
    view.id = event.id;
    view.type = event.type;
    view.source = event.source;
    view.webhook_numbers = std::as_bytes(std::span{numbers});
    index_->on_event(view, event.position);
    maker.append(view);
    events_[event.position] = std::move(event);
  }

  void add_outcome() {
    now_ += milliseconds(random_.below(20));
    std::vector<std::pair<Position, uint32_t>> open;
    for (const auto& [position, event] : events_) {
      for (const auto& [webhook, delivery] : event.deliveries) {
        if (rank(delivery.status) == 0 || delivery.begun) open.emplace_back(position, webhook);
      }
    }
    if (open.empty()) return;
    // Mostly a new one; sometimes one that has waited long.
    const size_t newest = open.size() - 1 - random_.below(std::min<size_t>(open.size(), 8));
    const auto [position, webhook] =
        random_.chance(4, 5) ? open[newest] : open[random_.below(open.size())];
    tell(events_[position], webhook);
  }

  void tell(ModelEvent& event, uint32_t webhook) {
    ModelDelivery& delivery = event.deliveries[webhook];
    journal::OutcomeView outcome;
    outcome.event = event.position;
    outcome.delivery = journal::delivery_id(event.uid, webhook);
    outcome.webhook_number = webhook;
    outcome.started_at = now_;
    SegmentMaker& maker = makers_.at(static_cast<uint16_t>(webhook / 1000 % journals_));
    const Position record = maker.next();
    const uint64_t what = random_.below(12);
    if (!delivery.begun && what < 4) {
      begin_attempt(delivery, outcome, record);
    } else if (delivery.begun && what == 4 && rank(delivery.status) == 0) {
      take_back(delivery, outcome);
    } else if (what == 5 && rank(delivery.status) == 0) {
      outcome.status = DeliveryStatus::cancelled;  // What is under way may still arrive.
      delivery.status = DeliveryStatus::cancelled;
    } else {
      end_attempt(delivery, outcome, record);
    }
    outcome.duration = milliseconds(random_.below(random_.chance(1, 10) ? 4'000'000 : 40));
    count(maker, event, outcome);
    maker.append(outcome);
    index_->on_outcome(to_outcome(outcome, record), outcome.event);
    touched_.insert({event.position, {maker.journal(), maker.segment()}});
  }

  Totals& counts_of(const SegmentMaker& maker, uint32_t webhook, WallTime time) {
    const auto hour = std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count();
    return counts_[{maker.journal(), maker.segment()}][{webhook, static_cast<uint32_t>(hour)}];
  }

  void count(const SegmentMaker& maker, const ModelEvent& event,
             const journal::OutcomeView& outcome) {
    const WallTime ended_at =
        std::chrono::floor<std::chrono::microseconds>(outcome.started_at) + outcome.duration;
    if (outcome.failed) ++counts_of(maker, outcome.webhook_number, ended_at).failed;
    if (rank(outcome.status) == 0) return;
    ModelEnd& end =
        ends_[{maker.journal(), maker.segment()}][{outcome.event, outcome.webhook_number}];
    if (rank(outcome.status) <= rank(end.status)) return;
    const Duration latency = ended_at - std::chrono::floor<milliseconds>(event.accepted_at);
    end = {outcome.status, hour_of(ended_at), LatencyHistogram::range_of(latency)};
  }

  void begin_attempt(ModelDelivery& delivery, journal::OutcomeView& outcome, Position record) {
    outcome.attempt = ++delivery.attempts;
    outcome.status = DeliveryStatus::in_flight;
    delivery.begun = true;
    delivery.status = DeliveryStatus::in_flight;
    delivery.due = {};
    delivery.records[outcome.attempt] = record;
  }

  void take_back(ModelDelivery& delivery, journal::OutcomeView& outcome) {
    delivery.records.erase(delivery.attempts--);
    delivery.begun = false;
    delivery.status = outcome.status = DeliveryStatus::pending;
    delivery.due = outcome.next_attempt_at = whole_second(now_ + seconds(1));
  }

  void end_attempt(ModelDelivery& delivery, journal::OutcomeView& outcome, Position record) {
    if (!delivery.begun) ++delivery.attempts;
    delivery.begun = false;
    outcome.attempt = delivery.attempts;
    delivery.records[outcome.attempt] = record;
    const uint64_t how = random_.below(10);
    outcome.status = how < 6   ? DeliveryStatus::delivered
                     : how < 9 ? DeliveryStatus::pending
                               : DeliveryStatus::dead;
    outcome.failed = how >= 6;
    outcome.error = {how >= 8 ? Errc::timed_out : Errc::bad_status, Side::endpoint, 503};
    outcome.http_status = how >= 6 ? 503 : 200;
    delivery.ends[outcome.attempt] = {outcome.failed, outcome.error.code, outcome.http_status};
    if (outcome.status == DeliveryStatus::pending) {
      outcome.next_attempt_at = whole_second(now_ + seconds(random_.between(1, 90'000)));
    }
    if (rank(outcome.status) > rank(delivery.status)) delivery.status = outcome.status;
    if (rank(delivery.status) > 0) return;
    delivery.status = outcome.status;
    delivery.due = outcome.next_attempt_at;
  }

  static WallTime whole_second(WallTime time) {
    return std::chrono::ceil<std::chrono::seconds>(time);
  }

  // --- questions -------------------------------------------------------------------------------

  void check_all() {
    for (int round = 0; round < 10; ++round) check_page();
    for (int round = 0; round < 3; ++round) check_event_list();
    for (int round = 0; round < 3; ++round) check_totals();
    check_ids();
    check_pending();
  }

  static WallTime ms(WallTime time) { return std::chrono::floor<milliseconds>(time); }

  /// That of an event, as a rule; the bound of what is pending is left out, or as close as it may
  /// be.
  Horizon random_horizon() {
    if (events_.empty() || random_.chance(1, 2)) return {};
    const auto place = std::next(events_.begin(), random_.below(events_.size()));
    Horizon horizon{.since = place->second.accepted_at, .pending_since = {}};
    if (random_.chance(1, 2)) return horizon;
    horizon.pending_since = WallTime::max();
    for (const auto& [position, event] : events_) {
      for (const auto& [webhook, delivery] : event.deliveries) {
        if (rank(delivery.status) > 0) continue;
        horizon.pending_since = std::min(horizon.pending_since, ms(event.accepted_at));
      }
    }
    return horizon;
  }

  static bool is_visible(const Horizon& horizon, const ModelEvent& event) {
    return ms(event.accepted_at) >= ms(horizon.since) ||
           std::ranges::any_of(event.deliveries,
                               [](const auto& entry) { return rank(entry.second.status) == 0; });
  }
  static bool is_visible(const Horizon& horizon, const ModelEvent& event, uint32_t webhook) {
    return ms(event.accepted_at) >= ms(horizon.since) ||
           rank(event.deliveries.at(webhook).status) == 0;
  }

  /// Of one webhook, of all, or of every other one.
  PageQuery random_query() {
    PageQuery query;
    query.horizon = random_horizon();
    if (random_.chance(1, 2)) {
      query.webhook_number = static_cast<uint32_t>(random_.between(1, webhooks_ + 1) * 1000);
    } else if (random_.chance(1, 2)) {
      query.wants_webhook = [](uint32_t number) { return number % 2000 == 0; };
    }
    const auto at = [&] { return start + milliseconds(random_.below(8000)); };
    if (random_.chance(1, 3)) query.status = static_cast<DeliveryStatus>(random_.below(5));
    if (random_.chance(1, 4)) query.type_hash = index_->hash().of("build/failed");
    if (random_.chance(1, 8)) query.source_hash = index_->hash().of("app/1");
    if (random_.chance(1, 4)) query.since = at();
    if (random_.chance(1, 4)) query.until = at();
    if (random_.chance(1, 6)) {
      query.error = random_.chance(1, 2) ? Errc::timed_out : Errc::bad_status;
    }
    if (random_.chance(1, 6)) {
      query.http_statuses =
          random_.chance(1, 2) ? HttpStatusRange{500, 599} : HttpStatusRange{0, 200};
    }
    query.limit = static_cast<uint32_t>(random_.between(1, 20));
    if (random_.chance(1, 3)) query.entries_max = static_cast<uint32_t>(random_.between(1, 10));
    if (random_.chance(1, 3)) query.pages_max = random_.between(1, 10);
    return query;
  }

  bool is_wanted(const PageQuery& query, const ModelEvent& event, uint32_t webhook) const {
    if (query.webhook_number && webhook != *query.webhook_number) return false;
    if (query.wants_webhook && !query.wants_webhook(webhook)) return false;
    if (!is_visible(query.horizon, event, webhook)) return false;
    const ModelDelivery& delivery = event.deliveries.at(webhook);
    const auto end = delivery.newest_end();
    if (query.status && delivery.status != *query.status) return false;
    if (query.error && !(end.failed && end.error == *query.error)) return false;
    if (query.http_statuses && !query.http_statuses->has(end.http_status)) return false;
    return is_wanted(query, event);
  }

  template <typename Query>
  bool is_wanted(const Query& query, const ModelEvent& event) const {
    if (query.type_hash && event.type != "build/failed") return false;
    if (query.source_hash && event.source != "app/1") return false;
    if (query.since && ms(event.accepted_at) < ms(*query.since)) return false;
    return !query.until || ms(event.accepted_at) < *query.until;
  }

  void check_page() {
    PageQuery query = random_query();
    std::map<DeliveryPlace, const ModelEvent*, std::greater<>> expected;
    for (const auto& [position, event] : events_) {
      for (const auto& [webhook, delivery] : event.deliveries) {
        if (is_wanted(query, event, webhook)) expected[{event.uid, webhook}] = &event;
      }
    }
    std::vector<DeliveryFacts> found;
    for (size_t pages = 0; pages < 10'000; ++pages) {
      const auto page = index_->page(query);
      ASSERT_TRUE(page) << describe(page.error());
      ASSERT_TRUE(page->cut || !page->next_before || page->items.size() == query.limit);
      ASSERT_LE(page->items.size(), query.limit);
      found.insert(found.end(), page->items.begin(), page->items.end());
      if (!page->next_before) break;
      ASSERT_TRUE(!query.before || *page->next_before < *query.before ||
                  (page->cut && *page->next_before == *query.before));
      if (page->cut && query.before == page->next_before) query.pages_max = 1000;
      query.before = page->next_before;
    }
    ASSERT_EQ(found.size(), expected.size());
    auto next = found.begin();
    for (const auto& [place, event] : expected) check(*next++, *event, place.webhook_number);
  }

  void check_event_list() {
    EventListQuery query;
    query.horizon = random_horizon();
    if (random_.chance(1, 4)) query.type_hash = index_->hash().of("build/failed");
    if (random_.chance(1, 4)) query.source_hash = index_->hash().of("app/1");
    if (random_.chance(1, 4)) query.since = start + milliseconds(random_.below(8000));
    if (random_.chance(1, 4)) query.until = start + milliseconds(random_.below(8000));
    query.limit = static_cast<uint32_t>(random_.between(1, 20));
    if (random_.chance(1, 3)) query.entries_max = static_cast<uint32_t>(random_.between(1, 10));
    std::map<Ulid, const ModelEvent*, std::greater<>> expected;
    for (const auto& [position, event] : events_) {
      if (is_wanted(query, event) && is_visible(query.horizon, event)) expected[event.uid] = &event;
    }
    std::vector<MatchedEvent> found;
    do {
      const auto page = index_->event_list(query);
      ASSERT_TRUE(page) << describe(page.error());
      ASSERT_TRUE(page->cut || !page->next_before || page->items.size() == query.limit);
      found.insert(found.end(), page->items.begin(), page->items.end());
      query.before = page->next_before;
    } while (query.before);
    ASSERT_EQ(found.size(), expected.size());
    auto next = found.begin();
    for (const auto& [uid, event] : expected) {
      EXPECT_EQ(next->facts.uid, uid);
      EXPECT_EQ(next->facts.position, event->position);
      std::vector<uint32_t> webhooks;
      for (const auto& [webhook, delivery] : event->deliveries) webhooks.push_back(webhook);
      EXPECT_EQ((next++)->webhook_numbers, webhooks);
    }
  }

  /// By webhook and hour, of all segments that are there.
  std::map<TotalsKey, Totals> all_totals() const {
    std::map<TotalsKey, Totals> all;
    for (const auto& [segment, counts] : counts_) {
      for (const auto& [key, totals] : counts) all[key].add(totals);
    }
    for (const auto& [segment, ends] : ends_) {
      for (const auto& [delivery, end] : ends) {
        Totals one;
        if (end.status == DeliveryStatus::cancelled) one.cancelled = 1;
        if (end.status == DeliveryStatus::dead) one.dead = 1;
        if (end.status == DeliveryStatus::delivered) {
          one.delivered = 1;
          one.latencies.add(end.latency);
        }
        all[{delivery.webhook_number, end.hour}].add(one);
      }
    }
    return all;
  }

  void check_totals() {
    const uint32_t first = hour_of(start) - 2;
    TotalsQuery query;
    query.horizon = random_horizon();
    query.step_hours = random_.chance(1, 3) ? 24 : 1;
    query.by_webhook = random_.chance(1, 3);
    query.hours.begin = first + static_cast<uint32_t>(random_.below(8));
    query.hours.end =
        query.hours.begin + query.step_hours * static_cast<uint32_t>(random_.below(60));
    if (random_.chance(1, 3)) {
      query.webhook_number = static_cast<uint32_t>(random_.between(1, webhooks_ + 1) * 1000);
    } else if (random_.chance(1, 2)) {
      query.wants_webhook = [](uint32_t number) { return number % 2000 == 0; };
    }
    if (random_.chance(1, 3)) query.pages_max = random_.below(5);
    const auto all = all_totals();
    const uint32_t asked_from = query.hours.begin;
    while (!query.hours.empty()) {  // What was left out is asked for, until all is told.
      const auto found = index_->totals(query);
      ASSERT_TRUE(found) << describe(found.error());
      ASSERT_GE(found->complete_from, query.hours.begin);
      ASSERT_LT(found->complete_from, query.hours.end);
      ASSERT_EQ((found->complete_from - query.hours.begin) % query.step_hours, 0u);
      std::map<uint32_t, Totals> expected;
      for (const auto& [key, totals] : all) {
        if (key.hour < hour_of(query.horizon.since)) continue;
        if (key.hour < found->complete_from || key.hour >= query.hours.end) continue;
        if (query.webhook_number && key.webhook_number != *query.webhook_number) continue;
        if (query.wants_webhook && !query.wants_webhook(key.webhook_number)) continue;
        const uint32_t behind = (key.hour - asked_from) % query.step_hours;
        expected[query.by_webhook ? key.webhook_number : key.hour - behind].add(totals);
      }
      ASSERT_EQ(found->items, expected);
      EXPECT_GE(found->oldest_hour.value_or(UINT32_MAX), hour_of(query.horizon.since));
      if (found->complete_from == query.hours.begin) return;
      query.hours.end = found->complete_from;
    }
  }

  void check(const DeliveryFacts& facts, const ModelEvent& event, uint32_t webhook) {
    const ModelDelivery& delivery = event.deliveries.at(webhook);
    EXPECT_EQ(facts.id, journal::delivery_id(event.uid, webhook));
    EXPECT_EQ(facts.webhook_number, webhook);
    EXPECT_EQ(facts.event.uid, event.uid);
    EXPECT_EQ(facts.event.position, event.position);
    EXPECT_EQ(facts.event.type_hash, index_->hash().of(event.type));
    EXPECT_EQ(facts.state.status, delivery.status) << name(delivery.status);
    EXPECT_EQ(facts.state.attempts, delivery.attempts);
    EXPECT_EQ(facts.state.failed, delivery.newest_end().failed);
    EXPECT_EQ(facts.state.error,
              delivery.newest_end().failed ? delivery.newest_end().error : Errc{});
    EXPECT_EQ(facts.state.http_status, delivery.newest_end().http_status);
    if (delivery.status == DeliveryStatus::pending) {
      EXPECT_EQ(facts.state.next_attempt_at, delivery.due);
    }
    std::vector<Position> records;
    for (auto one = delivery.records.rbegin(); one != delivery.records.rend(); ++one) {
      records.push_back(one->second);
    }
    EXPECT_EQ(facts.state.records, records);
  }

  void check_ids() {
    if (events_.empty()) return;
    const auto place = std::next(events_.begin(), random_.below(events_.size()));
    const ModelEvent& event = place->second;
    const Horizon horizon = random_horizon();
    std::set<Ulid> same_id;
    for (const auto& [position, other] : events_) {
      if (!is_visible(horizon, other)) continue;
      if (other.id == event.id && other.organization == event.organization) {
        same_id.insert(other.uid);
      }
    }
    const auto page = index_->events(
        {.horizon = horizon, .id_hash = index_->hash().of(event.organization, event.id)});
    ASSERT_TRUE(page);
    EXPECT_FALSE(page->cut);
    std::set<Ulid> found;
    for (const EventFacts& facts : page->items) found.insert(facts.uid);
    EXPECT_EQ(found, same_id);
    EXPECT_TRUE(std::ranges::is_sorted(page->items, std::greater{}, &EventFacts::uid));
    const auto unknown = index_->events({.id_hash = index_->hash().of("acme", "none")});
    EXPECT_TRUE(unknown && unknown->items.empty());

    const auto all = index_->deliveries_of({.uid = event.uid, .position = event.position}, horizon);
    ASSERT_TRUE(all);
    size_t next = 0;
    for (const auto& [webhook, delivery] : event.deliveries) {
      const auto one = index_->delivery(journal::delivery_id(event.uid, webhook), horizon);
      ASSERT_TRUE(one);
      ASSERT_EQ(one->has_value(), is_visible(horizon, event, webhook));
      if (!*one) continue;
      ASSERT_LT(next, all->size());
      EXPECT_EQ((*one)->state.status, (*all)[next].state.status);
      check((*all)[next++], event, webhook);
      const auto as_uuid = index_->delivery(journal::delivery_id(event.uid, webhook).as_uuid());
      EXPECT_TRUE(as_uuid && *as_uuid);
    }
    EXPECT_EQ(next, all->size());
    const auto none = index_->delivery(journal::delivery_id(event.uid, 77));
    EXPECT_TRUE(none && !*none);
  }

  static std::string line(Position event, uint32_t webhook, uint32_t attempts, WallTime due) {
    return std::to_string(event.packed) + " to " + std::to_string(webhook) + ": " +
           std::to_string(attempts) + " attempts, due " + to_rfc3339(due) + '\n';
  }

  void check_pending() {
    std::string expected;
    for (const auto& [position, event] : events_) {
      for (const auto& [webhook, delivery] : event.deliveries) {
        if (rank(delivery.status) > 0) continue;
        expected += line(position, webhook, delivery.attempts, delivery.due);
      }
    }
    std::string found;
    const auto visited = index_->for_each_pending(
        [&](Position position, const Ulid& uid, const std::vector<PendingDelivery>& pending) {
          EXPECT_EQ(uid, events_.at(position).uid);
          for (const PendingDelivery& one : pending) {
            found += line(position, one.webhook_number, one.attempts, one.next_attempt_at);
          }
        });
    ASSERT_TRUE(visited);
    EXPECT_EQ(found, expected);
    EXPECT_EQ(pending_by_pages(), expected);
  }

  /// The same, asked segment by segment in pages of all sizes.
  std::string pending_by_pages() {
    Prng sizes(events_.size());
    std::set<std::pair<uint32_t, uint32_t>> segments;
    for (const auto& [position, event] : events_) {
      segments.emplace(position.journal(), position.segment());
    }
    std::map<Position, std::string> lines;
    for (const auto& [journal, segment] : segments) {
      PendingQuery query{
          .journal = static_cast<uint16_t>(journal), .segment = segment, .before = {}};
      do {
        query.limit = static_cast<uint32_t>(1 + sizes.below(4));
        query.entries_max = static_cast<uint32_t>(1 + sizes.below(20));
        const auto page = index_->pending(query);
        EXPECT_TRUE(page);
        if (!page) return "";
        EXPECT_LE(page->items.size(), query.limit);
        for (const PendingEvent& event : page->items) {
          EXPECT_EQ(event.uid, events_.at(event.position).uid);
          EXPECT_TRUE(lines[event.position].empty());
          for (const PendingDelivery& one : event.deliveries) {
            lines[event.position] +=
                line(event.position, one.webhook_number, one.attempts, one.next_attempt_at);
          }
        }
        query.before = page->next_before;
      } while (query.before);
    }
    std::string all;
    for (const auto& [position, text] : lines) all += text;
    return all;
  }

  Prng random_;
  sim::World world_;
  WallTime now_ = start;
  uint32_t journals_ = 1;
  uint32_t webhooks_ = 1;
  uint32_t groups_made_ = 0;
  std::map<uint16_t, uint32_t> numbers_;
  std::map<uint16_t, SegmentMaker> makers_;
  std::set<SegmentName> old_;
  std::map<Position, ModelEvent> events_;
  std::set<std::pair<Position, SegmentName>> touched_;  // Events and where their outcomes are.
  std::map<SegmentName, std::map<TotalsKey, Totals>> counts_;  // But for how deliveries ended.
  std::map<SegmentName, std::map<DeliveryKey, ModelEnd>> ends_;
  std::vector<std::string> findings_;
  std::unique_ptr<Index> index_;
};

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Model, IndexAnswersWhatTheRecordsSay) {
  const uint64_t only = number_from_environment("INDEX_SEED", 0);
  const uint64_t seeds = number_from_environment("INDEX_SEEDS", 200);
  uint32_t groups_made = 0;
  for (uint64_t seed = only > 0 ? only : 1; seed <= (only > 0 ? only : seeds); ++seed) {
    SCOPED_TRACE("INDEX_SEED=" + std::to_string(seed));
    Model model(seed);
    model.run();
    groups_made += model.groups_made();
    if (HasFailure()) return;
  }
  if (only == 0 && seeds >= 100) {
    EXPECT_GT(groups_made, 20u);
  }
}

}  // namespace
}  // namespace ringpost::index
