// Goal: a replay sends again what was asked for, each once, however it is paused, refused, repeated
// or cut off by a crash.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::monotonic;
using testing::shard_count;

class ReplaysTest : public ControlTest {
 protected:
  ReplaysTest() { clock_ = 1000; }

  std::string start(const std::string& members, const std::string& token = "admin-token") {
    const auto response = ask("POST", "/v1/replays", "{" + members + "}", token);
    EXPECT_EQ(response.status, 201) << response.body;
    return Json(response.body).text("/id");
  }
  std::string replay(const std::string& id) { return ask("GET", "/v1/replays/" + id).body; }
  std::string state(const std::string& id) { return Json(replay(id)).text("/state"); }
  std::vector<int64_t> counts(const std::string& id) {
    Json json(replay(id));
    return {json.number("/matched"), json.number("/sent"), json.number("/skipped")};
  }

  /// The control thread works until it waits for something.
  void work() {
    for (int steps = 0; steps < 1000; ++steps) {
      if (!control_->step(at(clock_), monotonic(clock_))) return;
    }
    ADD_FAILURE() << "the control thread does not rest";
  }
  std::vector<StoreEvent> taken() {
    std::vector<StoreEvent> events;
    for (uint32_t shard = 0; shard < shard_count; ++shard) {
      while (auto event = post_.take<StoreEvent>(shard)) events.push_back(std::move(*event));
    }
    return events;
  }
  /// The shards make durable what they were given, and report it.
  void store(const std::vector<StoreEvent>& events) {
    for (const StoreEvent& event : events) {
      const auto position = journal::Position::make(0, 1, offset_ += 64);
      const auto& record = event.event->record();
      journals_.events[position.packed].assign(record.begin(), record.end());
      auto stored = journals_.read_event(position);
      ASSERT_TRUE(stored);
      sent_.push_back((*stored)->view().redelivery_of.to_text());
      tell(0, EventAccepted{*stored});
      tell(0, StoreEventDone{.ticket = event.ticket, .event_uid = event.event->view().uid});
    }
  }
  /// Until nothing is left to do, at most.
  void run(int seconds = 60) {
    for (int second = 0; second < seconds; ++second) {
      work();
      store(taken());
      ++clock_;
    }
  }
  std::vector<std::string> make_dead(uint32_t number, int count) {
    std::vector<std::string> dead;
    for (int index = 0; index < count; ++index) {
      dead.push_back(settle_delivery(accept(number, "event-" + std::to_string(offset_)),
                                     DeliveryStatus::dead, 1, 500)
                         .to_text());
    }
    return dead;
  }
  static std::map<std::string, int> tally(const std::vector<std::string>& ids) {
    std::map<std::string, int> counts;
    for (const std::string& id : ids) ++counts[id];
    return counts;
  }

  std::vector<std::string> sent_;  ///< Of each stored event, what it repeats.
};

using Counts = std::vector<int64_t>;

TEST_F(ReplaysTest, SendsAllDeadLettersOnceMoreTheNewestFirst) {
  const uint32_t first = number_of(make_webhook());
  const uint32_t second = number_of(make_webhook());
  auto dead = make_dead(first, 130);
  settle_delivery(accept(first), DeliveryStatus::delivered);
  accept(second);
  const auto more = make_dead(second, 5);
  dead.insert(dead.end(), more.begin(), more.end());
  make_dead(4711, 1);  // Of a webhook that was deleted.

  const std::string id = start(R"("status": "dead")");
  EXPECT_EQ(state(id), "running");
  run();
  EXPECT_EQ(state(id), "done");
  EXPECT_EQ(counts(id), (Counts{136, 135, 1}));
  EXPECT_EQ(sent_, std::vector<std::string>(dead.rbegin(), dead.rend()));
  Json json(replay(id));
  EXPECT_EQ(json.size("/sample"), 20u);
  EXPECT_EQ(json.text("/sample/0"), dead.back());
  EXPECT_EQ(json.text("/status"), "dead");
  EXPECT_TRUE(json.is_null("/webhook"));
}

TEST_F(ReplaysTest, WaitsBehindLiveEvents) {
  const uint32_t number = number_of(make_webhook());
  make_dead(number, 3);
  start(R"("status": "dead")");
  work();
  const auto events = taken();
  ASSERT_EQ(events.size(), 3u);
  for (const StoreEvent& event : events) {
    EXPECT_FALSE(event.by_hand);
    EXPECT_EQ(event.event->view().webhook_number(0), number);
    EXPECT_EQ(event.event->view().accepted_at, at(clock_));
  }
  // Nothing more comes before these are durable, and then not at once.
  work();
  EXPECT_TRUE(taken().empty());
}

TEST_F(ReplaysTest, ChoosesByWebhookTimeTypeAndSource) {
  const std::string webhook = make_webhook();
  const uint32_t number = number_of(webhook);
  const uint32_t other = number_of(make_webhook());
  std::vector<std::string> ids;
  for (int index = 0; index < 4; ++index) {
    const auto event = accept_for({number, other}, {}, index < 2 ? "a" : "b", "default",
                                  index % 2 == 0 ? "app/x" : "app/y");
    settle_delivery(event, DeliveryStatus::delivered);
    ids.push_back(journal::delivery_id(event->view().uid, number).to_text());
  }
  const std::string since = to_rfc3339(at(1001));
  const std::string until = to_rfc3339(at(1003));
  start(R"("webhook": ")" + webhook + R"(", "since": ")" + since + R"(", "until": ")" + until +
        '"');
  run();
  EXPECT_EQ(sent_, (std::vector<std::string>{ids[2], ids[1]}));
  sent_.clear();
  const auto response = ask("POST", "/v1/webhooks/" + webhook + "/replay",
                            R"({"since": ")" + to_rfc3339(at(0)) +
                                R"(", "type": "a", "source": "app/x", "status": "delivered"})");
  EXPECT_EQ(response.status, 201) << response.body;
  run();
  EXPECT_EQ(sent_, std::vector<std::string>{ids[0]});
}

TEST_F(ReplaysTest, SendsIntoAnotherWebhook) {
  const uint32_t number = number_of(make_webhook());
  const std::string into = make_webhook();
  const auto dead = make_dead(number, 2);
  const std::string id = start(R"("status": "dead", "into": ")" + into + '"');
  work();
  const auto events = taken();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].event->view().webhook_count(), 1u);
  EXPECT_EQ(events[0].event->view().webhook_number(0), number_of(into));
  EXPECT_EQ(events[0].event->view().redelivery_of.to_text(), dead[1]);
  store(events);
  run(3);
  EXPECT_EQ(state(id), "done");
}

TEST_F(ReplaysTest, SendsNothingTwiceUnlessToldTo) {
  const uint32_t number = number_of(make_webhook());
  const auto dead = make_dead(number, 3);
  start(R"("status": "dead")");
  run(5);
  ASSERT_EQ(sent_.size(), 3u);
  const std::string second = start(R"("status": "dead")");
  run(5);
  EXPECT_EQ(sent_.size(), 3u);
  EXPECT_EQ(counts(second), (Counts{3, 0, 3}));
  // What was in vain is sent again. A redelivery itself is not: only what it repeats.
  for (const auto& [position, record] : std::map{journals_.events}) {
    const auto event = journals_.read_event({position});
    if ((*event)->view().redelivery_of.to_text() == dead[0]) {
      settle_delivery(*event, DeliveryStatus::dead, 1, 500);
    }
  }
  const std::string third = start(R"("status": "dead")");
  run(5);
  EXPECT_EQ(counts(third), (Counts{3, 1, 2}));
  EXPECT_EQ(sent_.back(), dead[0]);
  const std::string again = start(R"("status": "dead", "again": true)");
  run(5);
  EXPECT_EQ(counts(again), (Counts{3, 3, 0}));
}

TEST_F(ReplaysTest, SendsWhatADeletedWebhookDidNotGetIntoAnother) {
  const auto lost = make_dead(4711, 3);
  const std::string other = make_webhook();
  const std::string id = start(R"("status": "dead", "into": ")" + other + "\"");
  run(5);
  EXPECT_EQ(counts(id), (Counts{3, 3, 0}));
  EXPECT_EQ(tally(sent_), tally(lost));
}

TEST_F(ReplaysTest, PassesOverWhatIsStillToBeDelivered) {
  const uint32_t number = number_of(make_webhook());
  accept(number, "waits");
  settle_delivery(accept(number, "done"), DeliveryStatus::delivered);
  const std::string id = start(R"("since": "1970-01-01T00:00:01Z")");
  run(5);
  EXPECT_EQ(counts(id), (Counts{2, 1, 1}));
}

// What one has under way is not in the history yet: another one would send it, too.
TEST_F(ReplaysTest, OfAnOrganizationGoOneAfterAnother) {
  const uint32_t number = number_of(make_webhook());
  const auto dead = make_dead(number, 3);
  const std::string first = start(R"("status": "dead")");
  work();
  const auto under_way = taken();
  ASSERT_EQ(under_way.size(), 3u);
  const std::string second = start(R"("status": "dead")");
  ++clock_;
  work();
  EXPECT_TRUE(taken().empty()) << "the first is not done";
  ask("POST", "/v1/replays/" + first + "/pause");
  ++clock_;
  work();
  EXPECT_TRUE(taken().empty()) << "nor is what it sent";
  store(under_way);
  run(5);
  EXPECT_EQ(state(second), "done");
  EXPECT_EQ(counts(second), (Counts{3, 0, 3}));
  EXPECT_EQ(tally(sent_), tally(dead));
}

TEST_F(ReplaysTest, LeavesOutWhatNoJournalTakes) {
  make_dead(number_of(make_webhook()), 2);
  const std::string id = start(R"("status": "dead")");
  work();
  auto events = taken();
  ASSERT_EQ(events.size(), 2u);
  tell(0, StoreEventDone{.ticket = events.back().ticket,
                         .failed = true,
                         .error = {Errc::too_large, Side::producer},
                         .event_uid = events.back().event->view().uid});
  events.pop_back();
  store(events);
  run(5);
  EXPECT_EQ(state(id), "done");
  EXPECT_EQ(counts(id), (Counts{2, 1, 1}));
}

TEST_F(ReplaysTest, CountsInADryRunWhatItWouldSend) {
  const uint32_t number = number_of(make_webhook());
  make_dead(number, 120);
  const std::string id = start(R"("status": "dead", "dry_run": true)");
  run(10);
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(state(id), "done");
  EXPECT_EQ(counts(id), (Counts{120, 0, 0}));
  EXPECT_EQ(Json(replay(id)).size("/sample"), 20u);
}

TEST_F(ReplaysTest, PausesResumesAndCancels) {
  const uint32_t number = number_of(make_webhook());
  make_dead(number, 350);
  const std::string id = start(R"("status": "dead")");
  run(1);
  const std::string path = "/v1/replays/" + id;
  EXPECT_EQ(ask("POST", path + "/pause").status, 200);
  EXPECT_EQ(ask("POST", path + "/pause").status, 200);
  const size_t sent = sent_.size();
  EXPECT_GT(sent, 0u);
  run(20);
  EXPECT_EQ(sent_.size(), sent);
  EXPECT_EQ(state(id), "paused");
  EXPECT_EQ(ask("POST", path + "/resume").status, 200);
  run(2);
  EXPECT_GT(sent_.size(), sent);
  EXPECT_LT(sent_.size(), 350u);
  EXPECT_EQ(ask("POST", path + "/cancel").status, 200);
  const size_t at_cancel = sent_.size();
  run(20);
  EXPECT_EQ(sent_.size(), at_cancel);
  EXPECT_EQ(state(id), "cancelled");
  EXPECT_EQ(ask("POST", path + "/cancel").status, 200);
  EXPECT_EQ(ask("POST", path + "/resume").status, 409);
  EXPECT_EQ(ask("POST", path + "/pause").status, 409);
  for (const auto& [delivery, times] : tally(sent_)) EXPECT_EQ(times, 1) << delivery;
}

// Whoever wants to stop it may be late by a moment.
TEST_F(ReplaysTest, StaysDoneWhateverItIsTold) {
  make_webhook();
  const std::string id = start(R"("status": "dead")");
  run(2);
  ASSERT_EQ(state(id), "done");
  for (const char* verb : {"/pause", "/resume", "/cancel"}) {
    EXPECT_EQ(ask("POST", "/v1/replays/" + id + verb).status, 200) << verb;
    EXPECT_EQ(state(id), "done") << verb;
  }
}

// The process dies at any time: with events given to shards that are durable, in the journal and
// not reported, or nowhere. Afterwards the history tells.
TEST_F(ReplaysTest, SendsEachOnceThroughCrashes) {
  const uint32_t number = number_of(make_webhook());
  const auto dead = make_dead(number, 450);
  const std::string id = start(R"("status": "dead")");
  for (int life = 0; state(id) == "running" && life < 200; ++life) {
    for (int steps = life % 4; steps > 0; --steps) control_->step(at(clock_), monotonic(clock_));
    auto events = taken();
    const size_t durable = events.size() * static_cast<size_t>(life % 3) / 2;
    events.resize(durable);
    if (life % 5 != 0) {
      store(events);
    } else {
      for (const StoreEvent& event : events) {  // Durable; nobody hears of it.
        const auto position = journal::Position::make(0, 1, offset_ += 64);
        const auto& record = event.event->record();
        journals_.events[position.packed].assign(record.begin(), record.end());
        auto stored = journals_.read_event(position);
        sent_.push_back((*stored)->view().redelivery_of.to_text());
        history_.index.on_event((*stored)->view(), position);
      }
    }
    clock_ += 2;
    if (life % 2 == 0) {
      for (auto& messages : post_.sent) messages.clear();
      restart();
    }
  }
  EXPECT_EQ(state(id), "done");
  EXPECT_EQ(counts(id), (Counts{450, 450, 0}));
  const auto times = tally(sent_);
  EXPECT_EQ(times.size(), dead.size());
  for (const auto& [delivery, count] : times) EXPECT_EQ(count, 1) << delivery;
}

TEST_F(ReplaysTest, TriesAgainWhatAShardRefuses) {
  const uint32_t number = number_of(make_webhook());
  make_dead(number, 3);
  const std::string id = start(R"("status": "dead")");
  work();
  auto events = taken();
  ASSERT_EQ(events.size(), 3u);
  for (const StoreEvent& event : events) {
    tell(0, StoreEventDone{.ticket = event.ticket,
                           .failed = true,
                           .error = {Errc::overloaded, Side::producer},
                           .event_uid = event.event->view().uid});
  }
  EXPECT_NE(Json(replay(id)).text("/state_reason"), "");
  work();
  EXPECT_TRUE(taken().empty());
  run(5);
  EXPECT_EQ(state(id), "done");
  EXPECT_EQ(counts(id), (Counts{3, 3, 0}));
  EXPECT_EQ(Json(replay(id)).text("/state_reason"), "");
}

TEST_F(ReplaysTest, StopsWhenItsWebhookGoes) {
  const std::string webhook = make_webhook();
  make_dead(number_of(webhook), 250);
  const std::string members = R"("status": "dead", "webhook": ")" + webhook + '"';
  const std::string id = start(members);
  run(1);
  ASSERT_EQ(ask("POST", "/v1/webhooks/" + webhook + "/disable").status, 200);
  run(5);
  EXPECT_EQ(state(id), "paused");
  EXPECT_NE(Json(replay(id)).text("/state_reason").find("not active"), std::string::npos);
  ASSERT_EQ(ask("POST", "/v1/webhooks/" + webhook + "/enable").status, 200);
  ASSERT_EQ(ask("POST", "/v1/replays/" + id + "/resume").status, 200);
  run(1);
  ASSERT_EQ(ask("DELETE", "/v1/webhooks/" + webhook).status, 204);
  run(5);
  EXPECT_EQ(state(id), "failed");
  EXPECT_NE(Json(replay(id)).text("/state_reason").find("deleted"), std::string::npos);
  EXPECT_EQ(ask("POST", "/v1/replays", "{" + members + "}").status, 422);
}

TEST_F(ReplaysTest, PassesOverWebhooksThatAreNotActive) {
  const std::string webhook = make_webhook();
  const uint32_t other = number_of(make_webhook());
  make_dead(number_of(webhook), 2);
  make_dead(other, 1);
  ASSERT_EQ(ask("POST", "/v1/webhooks/" + webhook + "/disable").status, 200);
  const std::string id = start(R"("status": "dead")");
  run(5);
  EXPECT_EQ(counts(id), (Counts{3, 1, 2}));
  EXPECT_EQ(
      ask("POST", "/v1/replays", R"({"status": "dead", "webhook": ")" + webhook + R"("})").status,
      409);
}

TEST_F(ReplaysTest, RefusesWhatMakesNoSense) {
  const auto refused = [&](const std::string& body, const std::string& member) {
    const auto response = ask("POST", "/v1/replays", body);
    EXPECT_EQ(response.status, 422) << body << response.body;
    EXPECT_EQ(Json(response.body).text("/member"), member) << body;
  };
  refused("{}", "since");
  refused(R"({"type": "a"})", "since");
  refused(R"({"status": "lost"})", "status");
  refused(R"({"status": 1})", "status");
  refused(R"({"status": ""})", "status");
  refused(R"({"status": "dead", "error": "gone"})", "error");
  refused(R"({"status": "dead", "response_status": "700"})", "response_status");
  refused(R"({"since": "yesterday"})", "since");
  refused(R"({"since": "2031-05-04T09:00:00Z", "until": "2031-05-04T08:00:00Z"})", "until");
  refused(R"({"status": "dead", "webhook": "x"})", "webhook");
  refused(R"({"status": "dead", "into": "01J00000000000000000000000"})", "into");
  refused(R"({"status": "dead", "dry_run": "yes"})", "dry_run");
  refused(R"({"status": "dead", "pace": 1})", "pace");
  EXPECT_EQ(ask("POST", "/v1/replays", "{").status, 400);
  EXPECT_EQ(ask("POST", "/v1/webhooks/x/replay", R"({"status": "dead"})").status, 404);
  EXPECT_EQ(ask("GET", "/v1/replays/x").status, 404);
  EXPECT_EQ(ask("POST", "/v1/replays/01J00000000000000000000000/pause").status, 404);
}

TEST_F(ReplaysTest, AreTheirOrganizationsOwnAndWithinTheirTokensSources) {
  const std::string narrow = make_webhook(R"(, "sources": ["app/a"])");
  const std::string wide = make_webhook();
  const auto made = ask("POST", "/v1/tokens",
                        R"({"name": "a", "scopes": ["deliveries:read", "deliveries:redeliver"],)"
                        R"( "sources": ["app/a"]})");
  const std::string token = Json(made.body).text("/token");
  add_token("acme-token", "acme", static_cast<uint8_t>(subscription::Scope::admin));
  for (const char* source : {"app/a", "app/b"}) {
    const auto event = accept_for({number_of(narrow), number_of(wide)}, {}, "t", "default", source);
    settle_delivery(event, DeliveryStatus::dead, 1, 500, 0);
    settle_delivery(event, DeliveryStatus::dead, 1, 500, 1);
  }
  const std::string of_all = start(R"("status": "dead", "dry_run": true)");
  const std::string id = start(R"("status": "dead")", token);
  run(5);
  EXPECT_EQ(sent_.size(), 1u);
  EXPECT_EQ(ask("GET", "/v1/replays/" + of_all, {}, token).status, 404);
  EXPECT_EQ(ask("GET", "/v1/replays/" + id, {}, token).status, 200);
  EXPECT_EQ(ask("GET", "/v1/replays/" + id, {}, "acme-token").status, 404);
  EXPECT_EQ(Json(ask("GET", "/v1/replays", {}, token).body).size("/items"), 1u);
  EXPECT_EQ(Json(ask("GET", "/v1/replays").body).size("/items"), 2u);
  EXPECT_EQ(Json(ask("GET", "/v1/replays", {}, "acme-token").body).size("/items"), 0u);
}

TEST_F(ReplaysTest, AreListedNewestFirstAndForgottenInTheEnd) {
  make_webhook();
  std::vector<std::string> ids;
  for (int index = 0; index < 60; ++index) {
    ids.push_back(start(R"("status": "dead")"));
    run(2);
  }
  Json page(ask("GET", "/v1/replays?limit=2").body);
  EXPECT_EQ(page.text("/items/0/id"), ids[59]);
  Json next(ask("GET", "/v1/replays?limit=200&cursor=" + page.text("/next_cursor")).body);
  EXPECT_EQ(next.text("/items/0/id"), ids[57]);
  EXPECT_LE(next.size("/items"), 49u);
  EXPECT_EQ(ask("GET", "/v1/replays/" + ids[0]).status, 404);
}

TEST_F(ReplaysTest, AreFewAtATime) {
  make_webhook();
  journals_.segments_unindexed = 1;  // So that none ends.
  for (int index = 0; index < 4; ++index) start(R"("status": "dead")");
  EXPECT_EQ(ask("POST", "/v1/replays", R"({"status": "dead"})").status, 409);
  run(3);
  journals_.segments_unindexed = 0;
  run(5);
  start(R"("status": "dead")");
}

}  // namespace
}  // namespace ringpost::control
