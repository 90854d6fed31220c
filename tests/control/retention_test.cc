// Goal: removing old segments never makes something settled pending again, and never takes anything
// that is pending, whatever journals and segments events and outcomes lie in, and whether or not
// there was room for an outcome's record.
// Method: random histories over several journals; remove whatever may go, at every chance; after
// each removal recover from what is left and compare with the model.

#include "control/retention.h"

#include "base/bytes.h"
#include "control/pending_table.h"
#include "control/pending_tally.h"
#include "control/store/store.h"
#include "control_fakes.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using journal::Position;
using testing::at;
using testing::FakeJournals;

Instant monotonic(int64_t seconds) {
  return Instant{std::chrono::seconds(seconds)};
}

/// A relay's journals in small: segments of a few records each.
class World {
 public:
  explicit World(uint64_t seed)
      : random_(seed),
        store_(Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store),
        retention_({.ledger = ledger_,
                    .carrier = carrier_,
                    .history = history_.index,
                    .journals = journals_,
                    .store = *store_},
                   {.age = Duration{0}, .bytes = 0}) {
    carrier_.set_allowance(uint64_t{1} << 40);
    for (uint32_t journal = 0; journal < journal_count; ++journal) open(journal);
  }

  void run() {
    for (int turn = 0; turn < 400; ++turn) {
      switch (random_.below(5)) {
        case 0: accept(); break;
        case 1:
        case 2: settle(); break;
        case 3: clean(); break;
        case 4: store_carried(); break;
      }
    }
  }
  size_t removed() const { return removed_; }
  uint64_t carried() const { return carrier_.events(); }

 private:
  static constexpr uint32_t journal_count = 3;
  static constexpr uint32_t records_per_segment = 6;

  struct Live {
    Ulid uid;
    Position position;
    std::set<uint32_t> open;
  };

  void open(uint32_t journal) {
    journals_.want(journal);
    const uint32_t number = journals_.take()->segment.number;
    ledger_.on_opened(journal, number);
    history_.index.begin(static_cast<uint16_t>(journal), number);
    written_[journal] = 0;
  }

  Position place() { return place(static_cast<uint32_t>(random_.below(journal_count))); }
  Position place(uint32_t journal) {
    if (written_[journal] == records_per_segment) {
      journals_.on_sealed(journal, journals_.next_segment[journal]);
      ledger_.on_sealed(journal, journals_.next_segment[journal]);
      history_.index.seal(static_cast<uint16_t>(journal), journals_.next_segment[journal]);
      open(journal);
    }
    ++written_[journal];
    return Position::make(journal, journals_.next_segment[journal], 4096 + 64 * written_[journal]);
  }

  void accept() {
    std::vector<uint32_t> numbers;
    for (uint32_t number = 1; number <= 3; ++number) {
      if (random_.chance(1, 2)) numbers.push_back(number);
    }
    const auto bytes = testing::pack_numbers(numbers);
    journal::EventView view;
    view.uid = Ulid::mint(at(++clock_), random_);
    view.accepted_at = at(clock_);
    const std::string id = view.uid.to_text();
    view.id = id;
    view.webhook_numbers = bytes;
    const Position position = place();
    journals_.put_event(view, position);
    on_event(view, position);
    if (!numbers.empty()) live_.push_back({view.uid, position, {numbers.begin(), numbers.end()}});
  }

  void on_event(const journal::EventView& view, Position record) {
    const auto replaced = pending_.on_event(view, record);
    if (replaced) history_.index.replace(*replaced);
    history_.index.on_event(view, record);
    pending_.check();
  }

  // What shards do with events that are carried forward. A crash may come before they have said so.
  void store_carried() {
    for (uint32_t journal = 0; journal < journal_count; ++journal) {
      const auto wanted = post_.take<StoreEvent>(journal);
      if (!wanted) continue;
      const auto& event = wanted->event;
      if (random_.chance(1, 8)) {
        carrier_.on_stored({wanted->ticket, true, Error{Errc::overloaded, Side::disk}, {}},
                           monotonic(clock_));
        continue;
      }
      const Position position = place(journal);
      journals_.put_event(event->view(), position);
      recover();
      const journal::EventView& view = event->view();
      on_event(view, position);
      carrier_.on_stored({wanted->ticket, false, {}, view.uid}, monotonic(clock_));
      recover();
    }
  }

  void settle() {
    if (live_.empty()) return;
    const size_t chosen = random_.below(live_.size());
    Live& event = live_[chosen];
    const uint32_t number = *event.open.begin();
    journal::OutcomeView view;
    view.delivery = journal::delivery_id(event.uid, number);
    view.event = event.position;
    view.webhook_number = number;
    view.attempt = 1;
    view.status = random_.chance(1, 4) ? DeliveryStatus::dead : DeliveryStatus::delivered;
    view.started_at = at(++clock_);
    Position position;  // None: the disk is full.
    if (random_.chance(7, 8)) {
      position = place();
      journals_.put_outcome(view, position);
    } else {
      unrecorded_.emplace(event.position.packed, number);
    }
    const index::Outcome outcome = index::to_outcome(view, position);
    const Position event_place = pending_.place_of(event.position);
    pending_.on_outcome(outcome);
    pending_.check();
    history_.index.on_outcome(outcome, event_place);
    event.open.erase(number);
    if (event.open.empty()) live_.erase(live_.begin() + static_cast<ptrdiff_t>(chosen));
  }

  void clean() {
    const size_t before = journals_.files.size();
    const bool more = retention_.step(at(clock_), monotonic(clock_));
    EXPECT_LE(before - journals_.files.size(), 1u);
    const bool went = journals_.files.size() < before;
    if (!went && !more) return;
    removed_ += went ? 1 : 0;
    recover();
  }

  // What a restart would find on the disk.
  void recover() {
    SegmentLedger ledger;
    journal::CarriedPlaces places;
    PendingTable table(ledger, places);
    FakeJournals journals = journals_;
    testing::FakeHistory history;
    testing::FakePost post(journal_count);
    PendingTally tally(ledger, places);
    Carrier carrier({tally, ledger, history.index, journals, post, journal_count});
    Retention retention({ledger, carrier, history.index, journals, *store_}, {});
    const bool outcomes_first = random_.chance(1, 2);
    if (outcomes_first) tell_outcomes(table);
    for (const auto& [packed, record] : journals_.events) {
      table.on_event(*journal::EventCodec::decode_view(record), Position{packed});
    }
    if (!outcomes_first) tell_outcomes(table);
    const auto marks = retention.load_marks();
    ASSERT_TRUE(marks);
    table.finish_recovery(*marks);

    std::set<std::pair<uint64_t, uint32_t>> expected;
    for (const Live& event : live_) {
      for (uint32_t number : event.open) expected.emplace(event.position.packed, number);
    }
    std::set<std::pair<uint64_t, uint32_t>> found;
    table.for_each([&](Position position, const Ulid&, const auto& pending) {
      for (const auto& one : pending) found.emplace(position.packed, one.webhook_number);
    });
    // An end without a record is forgotten, unless a record of the event that came later knows it.
    for (const auto& one : unrecorded_) found.erase(one);
    ASSERT_EQ(found, expected);
    table.check();
  }
  void tell_outcomes(PendingTable& table) {
    for (const auto& [packed, record] : journals_.outcomes) {
      table.on_outcome(index::to_outcome(*journal::decode_outcome(record), Position{packed}));
    }
  }

  Prng random_;
  FakeJournals journals_;
  SegmentLedger ledger_;
  journal::CarriedPlaces places_;
  PendingTally pending_{ledger_, places_};
  testing::FakePost post_{journal_count};
  testing::FakeHistory history_;
  Carrier carrier_{{pending_, ledger_, history_.index, journals_, post_, journal_count}};
  std::unique_ptr<Store> store_;
  Retention retention_;
  std::map<uint32_t, uint32_t> written_;
  std::vector<Live> live_;
  std::set<std::pair<uint64_t, uint32_t>> unrecorded_;  // Ended, by event and webhook.
  int64_t clock_ = 0;
  size_t removed_ = 0;
};

TEST(Retention, NeverMakesSettledEventsPendingNorLosesPendingOnes) {
  size_t removed = 0;
  uint64_t carried = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    world.run();
    removed += world.removed();
    carried += world.carried();
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(removed, 300u);  // Or nothing was tested.
  EXPECT_GT(carried, 300u);
}

// Goal: what has ended is never carried forward because the history lacks the segment that says so.
// Method: it goes in the middle of the work, as it does when a full disk takes no index.
TEST(Carrier, RestsWhileTheHistoryLacksASegment) {
  constexpr uint32_t events = 300;
  SegmentLedger ledger;
  journal::CarriedPlaces places;
  PendingTally tally(ledger, places);
  FakeJournals journals;
  testing::FakeHistory history;
  testing::FakePost post(1);
  Carrier carrier({tally, ledger, history.index, journals, post, 1});
  carrier.set_allowance(uint64_t{1} << 30);
  for (uint32_t segment = 1; segment <= 3; ++segment) {
    journals.want(0);
    journals.take();
    ledger.on_opened(0, segment);
    history.index.begin(0, segment);
  }
  Prng random(1);
  const auto numbers = testing::pack_numbers({1});
  for (uint32_t number = 0; number < events; ++number) {
    journal::EventView view;
    view.uid = Ulid::mint(at(number), random);
    view.webhook_numbers = numbers;
    const Position position = Position::make(0, 1, 4096 + 64 * number);
    journals.put_event(view, position);
    tally.on_event(view, position);
    history.index.on_event(view, position);
    if (number % 2 == 0) continue;
    const auto outcome = index::to_outcome({.delivery = journal::delivery_id(view.uid, 1),
                                            .event = position,
                                            .webhook_number = 1,
                                            .attempt = 1,
                                            .status = DeliveryStatus::delivered},
                                           Position::make(0, 2, 4096 + 64 * number));
    tally.on_outcome(outcome);
    history.index.on_outcome(outcome, position);
  }
  for (const uint32_t segment : {1u, 2u}) {
    ledger.on_sealed(0, segment);
    history.index.seal(0, segment);
  }
  const Position first = Position::make(0, 1, 0);
  carrier.carry(first, at(500), monotonic(500));
  uint32_t stored = 0;
  while (const auto wanted = post.take<StoreEvent>(0)) {
    const Position position = Position::make(0, 3, 4096 + 64 * ++stored);
    history.index.replace(*tally.on_event(wanted->event->view(), position));
    history.index.on_event(wanted->event->view(), position);
    carrier.on_stored({wanted->ticket, false, {}, wanted->event->view().uid}, monotonic(501));
    tally.check();
  }
  EXPECT_GT(stored, 10u);
  EXPECT_LT(stored, events / 2);
  history.index.drop(0, 2);
  carrier.carry(first, at(502), monotonic(502));
  EXPECT_FALSE(post.take<StoreEvent>(0));
  EXPECT_FALSE(carrier.busy());
  EXPECT_GT(carrier.due(), monotonic(502));
  EXPECT_EQ(tally.count(), events / 2);
}

TEST(SegmentLedger, LetsTwoJournalsGoThatSpeakOfEachOther) {
  SegmentLedger ledger;
  for (uint32_t journal : {0u, 1u}) {
    const Position event = Position::make(journal, 1, 4096);
    ledger.on_event(event, at(1));
    ledger.on_outcome(Position::make(1 - journal, 1, 8192), event, at(2));
  }
  for (uint32_t journal : {0u, 1u}) ledger.on_sealed(journal, 1);
  EXPECT_FALSE(ledger.outcomes_spent(0, {}));
  EXPECT_FALSE(ledger.outcomes_spent(1, {}));
  EXPECT_EQ(ledger.marks(), (SettledMarks{1, 1}));
  EXPECT_TRUE(ledger.outcomes_spent(0, ledger.marks()));
}

TEST(SegmentLedger, KeepsASegmentWithAPendingEventAndAllBehindIt) {
  SegmentLedger ledger;
  ledger.on_event(Position::make(0, 1, 4096), at(1));
  ledger.add_pending(Position::make(0, 1, 4096), 3);
  ledger.on_event(Position::make(0, 2, 4096), at(2));
  ledger.on_sealed(0, 1);
  ledger.on_sealed(0, 2);
  EXPECT_FALSE(ledger.oldest(0).settled);
  EXPECT_EQ(ledger.marks(), SettledMarks{0});
  ledger.settle(Position::make(0, 1, 4096), 2);
  EXPECT_FALSE(ledger.oldest(0).settled);
  EXPECT_EQ(ledger.pending(), 1u);
  ledger.settle(Position::make(0, 1, 4096), 1);
  EXPECT_TRUE(ledger.oldest(0).settled);
  EXPECT_EQ(ledger.marks(), SettledMarks{2});
}

TEST(SegmentLedger, DoesNotTouchTheSegmentThatIsBeingWritten) {
  SegmentLedger ledger;
  ledger.on_opened(0, 1);
  EXPECT_EQ(ledger.oldest(0).segment, 0u);
  EXPECT_EQ(ledger.marks(), SettledMarks{0});
}

using std::chrono::hours;

OrganizationKey organization(int number) {
  return key_of_organization("organization-" + std::to_string(number));
}

TEST(NewestRecords, ExpireWithTheLastOfThem) {
  NewestRecords records;
  const RecordAges ages{.age = hours{10}, .special = {{organization(1), hours{1}}}};
  records.note(organization(1), at(7200));
  records.note(organization(1), at(0));  // Shards' clocks and messages are in no order.
  EXPECT_EQ(records.expires_at(ages), at(7200) + hours{1});
  EXPECT_EQ(records.expires_at({.age = hours{10}, .special = {}}), at(7200) + hours{10});
  records.note(organization(2), at(0));
  EXPECT_EQ(records.expires_at(ages), at(0) + hours{10});
  records.note(OrganizationKey::unknown, at(60));
  EXPECT_EQ(records.expires_at(ages), at(60) + hours{10});
  EXPECT_EQ(records.newest(), at(7200));
  records.note(organization(2), WallTime::max());
  EXPECT_EQ(records.expires_at(ages), WallTime::max());
}

// Of more organizations than there is room for, nobody's records go too soon.
TEST(NewestRecords, KeepsOfManyOrganizationsTheLongestAge) {
  NewestRecords records;
  RecordAges ages{.age = hours{10}, .special = {}};
  for (int number = 0; number < 200; ++number) {
    records.note(organization(number), at(number));
    ages.special[organization(number)] = hours{1};
  }
  EXPECT_EQ(records.expires_at(ages), at(199) + hours{10});
}

// Goal: a segment goes by age as soon as all in it is beyond the age of its organization, and not
// sooner. Method: random records of a few organizations in random segments, with random ages; a
// plain list of the records says when each segment may go.
TEST(Retention, RemovesASegmentWhenAllInItIsOldForItsOrganization) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Prng random(seed);
    const auto store = Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store;
    SegmentLedger ledger;
    testing::FakeHistory history;
    FakeJournals journals;
    journal::CarriedPlaces places;
    PendingTally tally(ledger, places);
    tally.set_owner_of([](uint32_t number) {
      return number == 9 ? OrganizationKey::unknown : organization(static_cast<int>(number));
    });
    testing::FakePost post(1);
    Carrier carrier({tally, ledger, history.index, journals, post, 1});
    Retention::Options options{
        .age = hours{20}, .bytes = uint64_t{1} << 40, .organization_ages = {}};
    for (int number = 0; number < 3; ++number) {
      if (random.chance(1, 3)) continue;
      options.organization_ages["organization-" + std::to_string(number)] =
          hours{random.between(1, 20)};
    }
    Retention retention({ledger, carrier, history.index, journals, *store}, options);
    ASSERT_TRUE(retention.load_marks());
    const auto age_of = [&](uint32_t number) {
      const auto found = options.organization_ages.find("organization-" + std::to_string(number));
      return found == options.organization_ages.end() ? options.age : found->second;
    };

    int64_t clock = 0;
    std::vector<WallTime> expected;  // Of each segment; the oldest goes first.
    for (int segment = 0; segment < 5; ++segment) {
      journals.want(0);
      const uint32_t number = journals.take()->segment.number;
      ledger.on_opened(0, number);
      WallTime end = expected.empty() ? WallTime{} : expected.back();
      for (uint32_t record = 0; record < random.between(1, 8); ++record) {
        const auto owner = static_cast<uint32_t>(random.below(3));
        const std::string name = "organization-" + std::to_string(owner);
        const auto numbers = testing::pack_numbers({random.chance(1, 10) ? 9 : owner});
        journal::EventView view;
        view.uid = Ulid::mint(at(++clock), random);
        view.accepted_at = at(clock);
        view.organization = name;
        view.webhook_numbers = numbers;
        const Position position = Position::make(0, number, 4096 + 128 * record);
        tally.on_event(view, position);
        end = std::max(end, view.accepted_at + age_of(owner));
        const journal::OutcomeView outcome{
            .delivery = journal::delivery_id(view.uid, view.webhook_number(0)),
            .event = position,
            .webhook_number = view.webhook_number(0),
            .attempt = 1,
            .status = DeliveryStatus::delivered,
            .started_at = at(clock += static_cast<int64_t>(random.below(5000)))};
        tally.on_outcome(
            index::to_outcome(outcome, Position::make(0, number, 4096 + 128 * record + 64)));
        end = std::max(end, outcome.started_at + age_of(outcome.webhook_number));
      }
      expected.push_back(end);
      ledger.on_sealed(0, number);
      journals.on_sealed(0, number);
    }
    const int64_t end = clock + 21 * 3600;
    for (int64_t second = clock; second < end; second += 500) {
      while (retention.step(at(second), monotonic(second))) {
      }
      const bool trusted = second - clock >= 3600;
      const auto left = std::ranges::count_if(
          expected, [&](WallTime time) { return !trusted || at(second) <= time; });
      ASSERT_EQ(journals.files.size(), static_cast<size_t>(left)) << second;
    }
  }
}

TEST(WallClockTrust, WaitsAnHourAndAgainAfterAJump) {
  WallClockTrust trust;
  EXPECT_FALSE(trust.observe(at(0), monotonic(10)));
  EXPECT_FALSE(trust.observe(at(3599), monotonic(3609)));
  EXPECT_TRUE(trust.observe(at(3600), monotonic(3610)));
  EXPECT_FALSE(trust.observe(at(3601 + 2 * 86400), monotonic(3611)));  // Two days in a second.
  EXPECT_FALSE(trust.observe(at(3700), monotonic(3710)));              // And back.
  EXPECT_TRUE(trust.observe(at(7301), monotonic(7311)));
}

TEST(SettledMarks, SurviveTheStore) {
  for (const SettledMarks& marks :
       {SettledMarks{}, SettledMarks{0}, SettledMarks{3, 0, 268435455}}) {
    EXPECT_EQ(parse_settled_marks(to_text(marks)), marks);
  }
  for (const char* bad : {",", "1,", ",1", "1,,2", "x", "1 ", "-1", "4294967296"}) {
    EXPECT_FALSE(parse_settled_marks(bad)) << bad;
  }
}

/// What is old stays while somebody has still to read it, but not beyond the room that there is.
TEST(Retention, KeepsWhatSomebodyNeedsAsLongAsThereIsRoom) {
  const auto store = Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store;
  SegmentLedger ledger;
  testing::FakeHistory history;
  FakeJournals journals;
  constexpr uint64_t plenty = uint64_t{1} << 40;
  const Duration age = std::chrono::seconds(1);
  journal::CarriedPlaces places;
  PendingTally pending(ledger, places);
  testing::FakePost post(1);
  Carrier carrier({pending, ledger, history.index, journals, post, 1});
  Retention retention({ledger, carrier, history.index, journals, *store},
                      {.age = age, .bytes = plenty});
  bool needed = true;
  int told = 0;
  retention.set_reader({.needs = [&](uint32_t, uint32_t) { return needed; },
                        .on_removing = [&](uint32_t, uint32_t) { ++told; }});
  ASSERT_TRUE(retention.load_marks());
  const auto add_segment = [&] {
    journals.want(0);
    const uint32_t number = journals.take()->segment.number;
    ledger.on_opened(0, number);
    const Position event = Position::make(0, number, 4096);
    ledger.on_event(event, at(0));
    ledger.on_sealed(0, number);
    journals.on_sealed(0, number);
  };
  int64_t seconds = 0;
  const auto segments_after_steps = [&] {
    for (int step = 0; step < 5; ++step) {
      retention.step(at(seconds), monotonic(seconds));
      seconds += 1000;
    }
    return journals.files.size();
  };
  add_segment();
  EXPECT_EQ(segments_after_steps(), 1u);
  EXPECT_EQ(told, 0);
  needed = false;
  EXPECT_EQ(segments_after_steps(), 0u);
  needed = true;
  add_segment();
  retention.set_options({.age = age, .bytes = 0});
  told = 0;
  EXPECT_EQ(segments_after_steps(), 0u);
  EXPECT_GT(told, 0);
}

}  // namespace
}  // namespace ringpost::control
