#include "journal/gap_audit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace ringpost::journal {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr WallTime start = from_unix_ns(1'900'000'000'000'000'000);

Position at(uint32_t journal, uint32_t segment, uint32_t offset) {
  return Position::make(journal, segment, offset);
}

/// An audit, the records that it hears, and what it says.
class Audited {
 public:
  explicit Audited(GapAudit::Options options = {.now = start + minutes{1}}) : audit_(options) {}

  void event(Position position, const std::vector<uint32_t>& webhooks, WallTime time = start) {
    std::vector<std::byte> numbers(webhooks.size() * 4);
    for (size_t index = 0; index < webhooks.size(); ++index) {
      store_le(numbers.data() + index * 4, webhooks[index]);
    }
    EventView view;
    view.accepted_at = time;
    view.uid.bytes[15] = static_cast<uint8_t>(position.offset());
    view.webhook_numbers = numbers;
    audit_.on_event(position, view);
  }
  /// `webhooks` are pending, with an attempt each.
  void carried(Position position, Position origin, const std::vector<uint32_t>& webhooks) {
    std::vector<std::byte> numbers(webhooks.size() * 4);
    for (size_t index = 0; index < webhooks.size(); ++index) {
      store_le(numbers.data() + index * 4, webhooks[index]);
    }
    const auto packed =
        pack({.origin = origin,
              .times = 1,
              .at = start,
              .states = std::vector<CarriedState>(webhooks.size(), CarriedState{1, {}}),
              .floors = {}});
    EventView view;
    view.accepted_at = start;
    view.uid.bytes[15] = static_cast<uint8_t>(origin.offset());
    view.webhook_numbers = numbers;
    view.carried = packed;
    audit_.on_event(position, view);
  }
  void outcome(Position position, Position event, uint32_t webhook, DeliveryStatus status,
               uint32_t attempt = 1, WallTime next = {}, WallTime time = start) {
    OutcomeView view;
    view.event = event;
    view.webhook_number = webhook;
    view.status = status;
    view.attempt = attempt;
    view.next_attempt_at = next;
    view.started_at = time;
    audit_.on_outcome(position, view);
  }
  /// How many there are of each fate; those of none are left out.
  std::map<std::string, uint64_t> finish(const RecoveryReport& report = {}) {
    audit_.finish(report, [this](const OpenDelivery& one) { open_.push_back(one); });
    std::map<std::string, uint64_t> fates;
    for (size_t index = 0; index < fate_count; ++index) {
      const uint64_t count = audit_.total()[index];
      if (count > 0) fates[std::string{name(static_cast<Fate>(index))}] = count;
    }
    return fates;
  }
  const std::vector<OpenDelivery>& open() const { return open_; }
  const GapAudit& audit() const { return audit_; }

 private:
  GapAudit audit_;
  std::vector<OpenDelivery> open_;
};

using Fates = std::map<std::string, uint64_t>;

TEST(GapAudit, TellsWhatBecameOfEachDelivery) {
  Audited audited;
  audited.event(at(0, 1, 10), {1, 2, 3});
  audited.event(at(0, 1, 20), {1});
  audited.event(at(0, 1, 30), {});
  audited.outcome(at(0, 1, 40), at(0, 1, 10), 1, DeliveryStatus::delivered);
  audited.outcome(at(0, 1, 50), at(0, 1, 10), 2, DeliveryStatus::dead, 8);
  audited.outcome(at(0, 1, 60), at(0, 1, 10), 3, DeliveryStatus::cancelled, 0);
  audited.outcome(at(0, 1, 70), at(0, 1, 20), 1, DeliveryStatus::in_flight);
  EXPECT_EQ(audited.finish(),
            (Fates{{"delivered", 1}, {"dead", 1}, {"cancelled", 1}, {"pending", 1}}));
  EXPECT_EQ(audited.audit().events(), 3u);
  EXPECT_EQ(audited.audit().events_without_webhook(), 1u);
  EXPECT_EQ(audited.audit().by_webhook().at(1)[static_cast<size_t>(Fate::delivered)], 1u);
  ASSERT_EQ(audited.open().size(), 1u);
  EXPECT_EQ(audited.open()[0].webhook_number, 1u);
  EXPECT_EQ(audited.open()[0].attempts, 1u);
  EXPECT_EQ(audited.open()[0].event_uid.bytes[15], 20);
}

TEST(GapAudit, CallsOverdueWhatShouldHaveBeenTried) {
  Audited audited({.now = start + hours{1}, .overdue_after = minutes{5}});
  audited.event(at(0, 1, 10), {1, 2, 3});
  audited.outcome(at(0, 1, 20), at(0, 1, 10), 1, DeliveryStatus::pending, 1, start + minutes{54});
  audited.outcome(at(0, 1, 30), at(0, 1, 10), 2, DeliveryStatus::pending, 1, start + minutes{56});
  EXPECT_EQ(audited.finish(), (Fates{{"overdue", 2}, {"pending", 1}}));  // 3: never tried.
}

TEST(GapAudit, FindsALossWhereTheRelayTakesItForEnded) {
  Audited audited({.now = start, .settled_through = {1}});
  audited.event(at(0, 1, 10), {1, 2});
  audited.event(at(0, 2, 10), {1});
  audited.event(at(1, 1, 10), {1});
  audited.outcome(at(0, 1, 20), at(0, 1, 10), 1, DeliveryStatus::delivered);
  audited.outcome(at(0, 1, 30), at(0, 1, 10), 2, DeliveryStatus::pending, 1);
  EXPECT_EQ(audited.finish(), (Fates{{"delivered", 1}, {"missing", 1}, {"pending", 2}}));
  ASSERT_FALSE(audited.open().empty());
  EXPECT_EQ(audited.open()[0].fate, Fate::missing);
  EXPECT_EQ(audited.open()[0].webhook_number, 2u);
}

TEST(GapAudit, DoesNotCallMissingWhoseEndMayHaveExpired) {
  for (const auto& [first_left, fate] :
       {std::pair{start - seconds{1}, "missing"}, {start + seconds{1}, "expired"}}) {
    Audited audited({.now = start, .settled_through = {1}});
    audited.event(at(0, 1, 10), {1});
    audited.event(at(1, 5, 10), {}, first_left);  // Journal 1 has lost what was before.
    RecoveryReport report;
    report.journals = {{.journal = 0, .oldest = 1}, {.journal = 1, .oldest = 5}};
    EXPECT_EQ(audited.finish(report), (Fates{{fate, 1}}));
  }
}

TEST(GapAudit, TakesOnlyEventsOfItsRange) {
  Audited audited({.since = start, .until = start + hours{1}, .now = start});
  audited.event(at(0, 1, 10), {1}, start - seconds{1});
  audited.event(at(0, 1, 20), {1}, start);
  audited.event(at(0, 1, 30), {1}, start + hours{1});
  for (const uint32_t offset : {10, 20, 30}) {
    audited.outcome(at(0, 1, offset + 100), at(0, 1, offset), 1, DeliveryStatus::delivered);
  }
  EXPECT_EQ(audited.finish(), (Fates{{"delivered", 1}}));
  EXPECT_EQ(audited.audit().events(), 1u);
}

// An outcome is in the journal of the endpoint's shard, which may be read before the event's.
TEST(GapAudit, CountsOnceWhatWasCarriedForward) {
  Audited audited;
  audited.event(at(0, 1, 16), {1, 2, 3});
  audited.outcome(at(0, 1, 24), at(0, 1, 16), 1, DeliveryStatus::delivered);
  audited.carried(at(0, 2, 16), at(0, 1, 16), {2, 3});
  audited.outcome(at(0, 2, 24), at(0, 1, 16), 2, DeliveryStatus::dead, 2);
  EXPECT_EQ(audited.finish(), (Fates{{"dead", 1}, {"delivered", 1}, {"pending", 1}}));
  EXPECT_EQ(audited.audit().events(), 1u);
}

// Its first record has gone: what is known of it begins with the next one.
TEST(GapAudit, TellsOfWhatWasCarriedForwardByItsNewestRecord) {
  Audited audited({.now = start + minutes{1}, .settled_through = {1}});
  audited.event(at(0, 2, 8), {});
  audited.outcome(at(0, 2, 16), at(0, 1, 16), 2, DeliveryStatus::delivered, 2);
  audited.carried(at(0, 2, 24), at(0, 1, 16), {2, 3, 4});
  audited.outcome(at(0, 2, 32), at(0, 1, 16), 4, DeliveryStatus::delivered, 2);
  RecoveryReport report;
  report.journals = {{.journal = 0, .oldest = 2}};
  EXPECT_EQ(audited.finish(report), (Fates{{"delivered", 2}, {"pending", 1}}));
  ASSERT_EQ(audited.open().size(), 1u);
  EXPECT_EQ(audited.open()[0].attempts, 1u);
}

TEST(GapAudit, ReadsOutcomesBeforeTheirEvents) {
  Audited audited;
  audited.outcome(at(0, 1, 10), at(1, 1, 10), 1, DeliveryStatus::pending, 3, start + hours{9});
  audited.outcome(at(0, 1, 20), at(1, 1, 10), 2, DeliveryStatus::delivered);
  audited.outcome(at(0, 1, 30), at(1, 1, 99), 1, DeliveryStatus::delivered);  // Its event expired.
  audited.event(at(1, 1, 10), {1, 2});
  EXPECT_EQ(audited.finish(), (Fates{{"delivered", 1}, {"pending", 1}}));
  ASSERT_EQ(audited.open().size(), 1u);
  EXPECT_EQ(audited.open()[0].attempts, 3u);
  EXPECT_EQ(audited.open()[0].next_attempt_at, start + hours{9});
}

// Goal: the counts are right whatever the order. Method: random courses of deliveries over three
// journals, told in the order of recovery; the model keeps the last word of each.
TEST(GapAudit, AgreesWithAModelOverRandomCourses) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](uint32_t limit) {
      return static_cast<uint32_t>(random() % limit);
    };
    struct Told {
      Position position;
      Position event;
      uint32_t webhook = 0;  // 0: the event's record.
      DeliveryStatus status{};
    };
    std::vector<Told> records;
    std::map<std::pair<Position, uint32_t>, DeliveryStatus> model;
    std::vector<uint32_t> offsets(3, 8);
    const auto next_at = [&](uint32_t journal) { return at(journal, 1, offsets[journal] += 8); };
    for (int count = 0; count < 50; ++count) {
      const Position event = next_at(below(3));
      records.push_back({event, event});
      for (uint32_t webhook = 1; webhook <= 3; ++webhook) {
        auto& last = model[{event, webhook}] = DeliveryStatus::pending;
        const uint32_t owner = below(3);
        // In an event's own journal what is told of it comes behind it.
        for (uint32_t attempts = below(3); attempts > 0; --attempts) {
          last = attempts > 1 ? DeliveryStatus::pending : static_cast<DeliveryStatus>(below(5));
          records.push_back({next_at(owner), event, webhook, last});
        }
      }
    }
    std::ranges::sort(records, {}, &Told::position);
    Audited audited({.now = start});
    for (const Told& one : records) {
      if (one.webhook == 0) {
        audited.event(one.position, {1, 2, 3});
      } else {
        audited.outcome(one.position, one.event, one.webhook, one.status);
      }
    }
    Fates wanted;
    for (const auto& [key, status] : model) {
      const bool open = status == DeliveryStatus::pending || status == DeliveryStatus::in_flight;
      ++wanted[open ? "pending" : std::string{name(status)}];
    }
    EXPECT_EQ(audited.finish(), wanted) << "seed " << seed;
  }
}

}  // namespace
}  // namespace ringpost::journal
