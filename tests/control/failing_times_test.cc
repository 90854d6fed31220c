// Goal: how long every delivery to a webhook has failed survives restarts, counts only the time in
// which the relay ran, and costs the store no write for each delivery.

#include "control/failing_times.h"

#include "control/store/store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>

namespace ringpost::control {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class FailingTimesTest : public ::testing::Test {
 protected:
  FailingTimesTest()
      : store_(Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store) {}

  uint32_t add_webhook() {
    subscription::Webhook webhook;
    webhook.id.bytes[15] = ++last_id_;
    EXPECT_TRUE(store_->insert_webhook(webhook)) << store_->last_problem();
    return webhook.number;
  }
  std::map<uint32_t, Duration> stored() {
    std::map<uint32_t, Duration> found;
    EXPECT_TRUE(
        store_->load_failing([&](uint32_t number, Duration time) { found.emplace(number, time); }));
    return found;
  }
  static Instant at(Duration time) { return Instant{hours(1000) + time}; }

  std::unique_ptr<Store> store_;
  uint8_t last_id_ = 0;
};

TEST_F(FailingTimesTest, GrowsFromTheFirstFailureToASuccess) {
  FailingTimes times(*store_);
  EXPECT_EQ(times.on_failure(1, at(seconds(0))), seconds(0));
  EXPECT_EQ(times.on_failure(1, at(hours(5))), hours(5));
  EXPECT_EQ(times.on_failure(2, at(hours(6))), seconds(0));
  times.clear(1);
  EXPECT_EQ(times.on_failure(1, at(hours(7))), seconds(0));
  EXPECT_EQ(times.on_failure(2, at(hours(8))), hours(2));
}

TEST_F(FailingTimesTest, WritesBehindAndOnceForManyDeliveries) {
  const uint32_t number = add_webhook();
  FailingTimes times(*store_);
  EXPECT_FALSE(times.due());  // At rest: no wake-ups.
  for (int count = 0; count < 100; ++count) times.on_failure(number, at(seconds(count)));
  EXPECT_EQ(times.due(), at(FailingTimes::write_interval));
  EXPECT_FALSE(times.step(at(minutes(4))));
  EXPECT_TRUE(stored().empty());
  EXPECT_FALSE(times.step(at(minutes(5))));
  EXPECT_EQ(stored(), (std::map<uint32_t, Duration>{{number, minutes(5)}}));
  EXPECT_FALSE(times.due());
}

TEST_F(FailingTimesTest, NeverWritesWhatRecoversSoon) {
  const uint32_t number = add_webhook();
  FailingTimes times(*store_);
  times.on_failure(number, at(seconds(0)));
  times.clear(number);
  times.step(at(minutes(5)));
  EXPECT_TRUE(stored().empty());
}

TEST_F(FailingTimesTest, CountsOnlyTheTimeInWhichTheRelayRan) {
  const uint32_t number = add_webhook();
  {
    FailingTimes times(*store_);
    times.on_failure(number, at(seconds(0)));
    times.step(at(minutes(60)));
  }
  // Another life on another clock, which begins anywhere.
  FailingTimes times(*store_);
  ASSERT_TRUE(times.load());
  times.begin(Instant{seconds(100)});
  EXPECT_EQ(times.on_failure(number, Instant{seconds(100) + minutes(10)}), minutes(70));
  times.step(Instant{seconds(100) + minutes(20)});
  EXPECT_EQ(stored().at(number), minutes(80));
}

TEST_F(FailingTimesTest, ForgetsInTheStoreWhatRecovered) {
  const uint32_t number = add_webhook();
  FailingTimes times(*store_);
  times.on_failure(number, at(seconds(0)));
  times.step(at(minutes(5)));
  ASSERT_EQ(stored().size(), 1u);
  times.clear(number);
  EXPECT_EQ(stored().size(), 1u);  // Written behind, too.
  EXPECT_EQ(times.on_failure(number, at(minutes(6))), seconds(0));
  times.clear(number);
  times.step(at(minutes(10)));
  EXPECT_TRUE(stored().empty());
  times.forget(number);
}

TEST_F(FailingTimesTest, WritesManyInPieces) {
  FailingTimes times(*store_);
  for (size_t count = 0; count < FailingTimes::writes_at_once + 10; ++count) {
    subscription::Webhook webhook;
    webhook.id.bytes[0] = static_cast<uint8_t>(count >> 8);
    webhook.id.bytes[1] = static_cast<uint8_t>(count);
    ASSERT_TRUE(store_->insert_webhook(webhook));
    times.on_failure(webhook.number, at(seconds(0)));
  }
  EXPECT_TRUE(times.step(at(minutes(5))));
  EXPECT_EQ(stored().size(), FailingTimes::writes_at_once);
  EXPECT_FALSE(times.step(at(minutes(5))));
  EXPECT_EQ(stored().size(), FailingTimes::writes_at_once + 10);
}

TEST_F(FailingTimesTest, TriesAgainLaterWhatTheStoreRefused) {
  FailingTimes times(*store_);
  times.on_failure(77, at(seconds(0)));  // The store knows no such webhook.
  EXPECT_FALSE(times.step(at(minutes(5))));
  EXPECT_EQ(times.due(), at(minutes(10)));
  times.forget(77);
  EXPECT_FALSE(times.step(at(minutes(10))));
  EXPECT_FALSE(times.due());
}

}  // namespace
}  // namespace ringpost::control
