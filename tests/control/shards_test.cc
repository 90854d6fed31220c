// Goal: the shards get what they ask for, and the status tells of them.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::control {
namespace {

using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::monotonic;

TEST_F(ControlTest, HandsOutSegmentsAsTheyCome) {
  journals_.prepared_max = 0;
  tell(1, SegmentWanted{});
  control_->step(at(1), monotonic(1));
  EXPECT_FALSE(post_.take<SegmentReady>(1));
  journals_.prepared_max = 1;
  control_->step(at(1), monotonic(1));
  EXPECT_EQ(post_.take<SegmentReady>(1)->segment.number, 1u);
  EXPECT_FALSE(control_->step(at(1), monotonic(1)));
  EXPECT_FALSE(control_->next_due());  // At rest: no wake-ups.
}

TEST_F(ControlTest, TellsShardsAndPeopleWhenTheDiskIsFull) {
  journals_.prepared_max = 0;
  tell(0, SegmentWanted{});
  control_->step(at(1), monotonic(1));
  EXPECT_TRUE(post_.take<SegmentsDelayed>(1)->delayed);
  EXPECT_EQ(Json(ask("GET", "/v1/status").body).text("/storage/state"), "short");
  journals_.prepared_max = 1;
  control_->step(at(2), monotonic(2));
  EXPECT_TRUE(post_.take<SegmentReady>(0));
  control_->step(at(3), monotonic(3));
  EXPECT_EQ(Json(ask("GET", "/v1/status").body).text("/storage/state"), "ok");
}

TEST_F(ControlTest, ShowsStatus) {
  const std::string id = make_webhook();
  accept(number_of(id));
  counters_[0].add(Counter::events_accepted, 3);
  counters_[1].add(Counter::events_accepted, 4);
  clock_ = 50;
  Json json(ask("GET", "/v1/status").body);
  EXPECT_EQ(json.number("/backlog"), 1);
  EXPECT_EQ(json.number("/totals/events_accepted"), 7);
  EXPECT_EQ(json.number("/shards/1/events_accepted"), 4);
  EXPECT_EQ(json.number("/webhooks"), 1);
  EXPECT_EQ(json.number("/uptime_s"), 50);
  EXPECT_EQ(json.text("/oldest_undelivered_at"), to_rfc3339(at(0)));
  tell(1, StorageFailed{{Errc::io_failed, Side::disk, 5}});
  Json failed(ask("GET", "/v1/status").body);
  EXPECT_EQ(failed.text("/storage/state"), "failed");
  EXPECT_NE(failed.text("/storage/detail").find("EIO"), std::string::npos);
}

}  // namespace
}  // namespace ringpost::control
