// Goal: a webhook is given up after a week of failures while the relay ran, and not before.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::monotonic;

class BrokenTest : public ControlTest {
 protected:
  static constexpr int64_t hour_s = 3600;
  static constexpr int64_t bearable_s = 7 * 24 * hour_s;

  BrokenTest() : id_(make_webhook(R"(, "dialect": "buildkite")")), number_(number_of(id_)) {}

  std::string state() { return Json(ask("GET", "/v1/webhooks/" + id_).body).text("/state"); }
  void fail() { settle_delivery(accept(number_), DeliveryStatus::pending, 1, 500); }

  const std::string id_;
  const uint32_t number_;
};

TEST_F(BrokenTest, BreaksAfterAWeekOfFailures) {
  fail();
  for (int64_t day = 1; day < 7; ++day) {
    clock_ = day * 24 * hour_s;
    fail();
    EXPECT_EQ(state(), "active") << day;
  }
  clock_ = bearable_s + 60;
  fail();
  settle();
  EXPECT_EQ(state(), "broken");
  const std::set<uint32_t> ended(ended_.begin(), ended_.end());  // Each shard is told.
  EXPECT_EQ(ended, std::set<uint32_t>{number_});
  EXPECT_EQ(matches(), 0u);
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks/" + id_).body).text("/state_reason"),
            "every delivery failed for 168 hours");
}

TEST_F(BrokenTest, BeginsAnewAfterASuccess) {
  fail();
  clock_ = bearable_s - hour_s;
  settle_delivery(accept(number_), DeliveryStatus::delivered);
  clock_ = bearable_s + hour_s;
  fail();
  EXPECT_EQ(state(), "active");
  clock_ = 2 * bearable_s;
  fail();
  EXPECT_EQ(state(), "active");
  clock_ = 2 * bearable_s + 2 * hour_s;
  fail();
  EXPECT_EQ(state(), "broken");
}

TEST_F(BrokenTest, BeginsAnewWhenItIsEnabled) {
  fail();
  clock_ = bearable_s + hour_s;
  fail();
  EXPECT_EQ(state(), "broken");
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + id_ + "/enable").status, 200);
  fail();
  EXPECT_EQ(state(), "active");
  clock_ += bearable_s - hour_s;
  fail();
  EXPECT_EQ(state(), "active");
}

TEST_F(BrokenTest, RemembersAcrossARestartAndCountsOnlyTheTimeItRan) {
  fail();
  clock_ = bearable_s / 2;
  fail();
  control_->step(at(clock_), monotonic(clock_));  // Writes what is due.
  clock_ += 100 * bearable_s;                     // Switched off.
  restart();
  fail();
  EXPECT_EQ(state(), "active");
  clock_ += bearable_s / 2 + hour_s;
  fail();
  EXPECT_EQ(state(), "broken");
}

TEST_F(BrokenTest, IgnoresWhatIsNoFailure) {
  fail();
  clock_ = bearable_s + hour_s;
  settle_delivery(accept(number_), DeliveryStatus::in_flight, 1, 0);
  settle_delivery(accept(number_), DeliveryStatus::cancelled, 0, 0);
  EXPECT_EQ(state(), "active");
}

TEST_F(BrokenTest, LetsOtherDialectsFailForEver) {
  const std::string id = make_webhook();
  const uint32_t number = number_of(id);
  settle_delivery(accept(number), DeliveryStatus::dead, 1, 500);
  clock_ = 10 * bearable_s;
  settle_delivery(accept(number), DeliveryStatus::dead, 1, 500);
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks/" + id).body).text("/state"), "active");
}

}  // namespace
}  // namespace ringpost::control
