// Goal: a disk that fails or is full refuses events in the open, and takes nothing from those it
// has. Method: the disk is told to fail, or to be full, in the middle of a life.

#include "sim/relay/small_world.h"

namespace ringpost::sim {
namespace {

using std::chrono::seconds;
using Answer = HttpReceiver::Answer;
using Request = HttpReceiver::Request;

// Reliability D-4.
TEST(RelayStorage, RefusesEventsAfterAFailedWriteAndGoesOnDelivering) {
  SmallWorld small;
  size_t failures = 3;
  small.answer = [&](const Request&) {
    return failures > 0 ? (--failures, Answer{.status = 500}) : Answer{};
  };
  const std::string hook = small.hook(R"(,"schedule":[1,1,1,1])");
  small.world.run_for(seconds{1});
  ASSERT_EQ(small.post("before"), 202);
  small.world.disk().fail_next(Disk::Call::write, 1);
  const int failed = small.post("failing");
  EXPECT_TRUE(failed == 0 || failed == 503) << failed;
  const uint64_t refused = small.relay.count(Counter::events_refused);
  EXPECT_EQ(small.post("after"), 503);
  EXPECT_EQ(small.relay.count(Counter::events_refused), refused + 1);
  EXPECT_EQ(small.api.call("GET", "/readyz").status(), 503);
  EXPECT_EQ(small.api.call("GET", "/healthz").status(), 200);
  const HttpMessage status = small.api.call("GET", "/v1/status");
  EXPECT_EQ(status.status(), 200);
  EXPECT_NE(status.body.find("\"failed\""), std::string::npos) << status.body;
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.received("before"), 4u);
  EXPECT_EQ(small.received("after"), 0u);

  small.restart();
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.delivery(hook, "before").status, "delivered");
  EXPECT_EQ(small.delivery(hook, "after").status, "");
  EXPECT_EQ(small.post("again"), 202);
}

// Reliability D-4: the shards share one disk, and whoever was told 503 by one is not to be told 202
// by another.
TEST(RelayStorage, RefusesOnEveryShardAfterAFailedWriteOfOne) {
  SmallWorld small(1, 2);
  small.hook();
  small.world.run_for(seconds{1});
  small.world.disk().fail_next(Disk::Call::write, 1);
  while (small.post("failing") == 202) continue;
  small.world.run_for(seconds{1});
  for (int number = 0; number < 40; ++number) {
    const HttpMessage refusal = small.api.call(
        "POST", "/v1/events", event_json("after-" + std::to_string(number), "app/one", "t", "{}"));
    EXPECT_EQ(refusal.status(), 503);
    EXPECT_NE(refusal.body.find("urn:ringpost:storage-failed"), std::string::npos) << refusal.body;
  }
}

// Reliability D-5.
TEST(RelayStorage, RefusesWhenTheDiskIsFullAndAcceptsAgainWithoutARestart) {
  SmallWorld small;
  small.answer = [](const Request&) { return Answer{.status = 500}; };
  const std::string hook = small.hook(R"(,"schedule":[30,30,30])");
  small.world.run_for(seconds{1});
  small.world.disk().set_capacity(small.world.disk().used_bytes());
  size_t accepted = 0;
  int status = 202;
  for (; status == 202 && accepted < 1000; ++accepted) {
    status = small.post("full-" + std::to_string(accepted));
  }
  EXPECT_TRUE(status == 507 || status == 503) << status;
  const HttpMessage refusal =
      small.api.call("POST", "/v1/events", event_json("no", "app/one", "tick", "{}"));
  EXPECT_TRUE(refusal.has_header("Retry-After"));
  EXPECT_EQ(small.relay.count(Counter::events_refused), 2u);
  EXPECT_EQ(small.api.call("GET", "/v1/status").status(), 200);

  small.answer = {};
  EXPECT_TRUE(small.settle());
  EXPECT_EQ(small.relay.count(Counter::deliveries_dead), 0u);

  small.world.disk().set_capacity(uint64_t{1} << 40);
  small.world.run_for(seconds{5});
  EXPECT_EQ(small.post("room"), 202);
  ASSERT_TRUE(small.settle());
  small.restart();
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.api.deliveries(hook).size(), accepted);  // The last was refused; `room` is new.
}

/// A relay with two shards that has acknowledged events and delivered none of them, and is off.
struct Acknowledged : SmallWorld {
  explicit Acknowledged(bool& accept_loss)
      : SmallWorld(1, 2, [&accept_loss](shard::RelayOptions& options) {
          options.segment_bytes = 64 * 1024;
          options.accept_loss = accept_loss;
        }) {
    answer = [](const Request&) { return Answer{.status = 500}; };
    hook(R"(,"schedule":[3600,3600])");
    const std::string data = R"({"filler":")" + std::string(8000, 'x') + R"("})";
    for (int number = 0; number < 40; ++number) {
      EXPECT_EQ(api.post_event(std::to_string(number), "app/one", "build/done", data), 202);
    }
    world.run_for(seconds{2});
    relay.crash(Crash::kill);
  }
};

// Goal: whether something must be there is never concluded from what is there. Method: each file,
// each folder and all of them go in turn.
TEST(RelayStart, MissesWhateverIsGone) {
  bool accept_loss = false;
  Acknowledged model(accept_loss);
  std::vector<std::string> targets{"/data/journal/000", "/data/journal/001", "/data/journal"};
  for (const std::string& file : model.world.disk().files()) {
    if (file.ends_with(".seg")) targets.push_back(file);
  }
  ASSERT_GE(targets.size(), 3u + 8);
  for (const std::string& target : targets) {
    Acknowledged small(accept_loss);
    target.ends_with(".seg") ? small.world.disk().erase(target)
                             : small.world.disk().erase_directory(target);
    const std::string problem = small.relay.start();
    const std::string named = target == "/data/journal" ? "/data/journal/000" : target;
    EXPECT_TRUE(problem.starts_with(named)) << target << ": " << problem;
    EXPECT_NE(problem.find("journal.accept_loss"), std::string::npos) << problem;
  }
  EXPECT_EQ(model.relay.start(), "");
}

bool holds_records(const Disk& disk, const std::string& segment) {
  return disk.read_file(segment).substr(journal::page_bytes, 4) == "RPJB";
}

// Goal: nor is what a segment must hold concluded from what it holds. Method: each segment in turn
// loses all that is behind its header, by a cut or by zeros.
TEST(RelayStart, MissesWhatASegmentHeld) {
  bool accept_loss = false;
  Acknowledged model(accept_loss);
  size_t tried = 0;
  for (const std::string& file : model.world.disk().files()) {
    if (!file.ends_with(".seg") || !holds_records(model.world.disk(), file)) continue;
    for (const bool cut : {true, false}) {
      Acknowledged small(accept_loss);
      if (cut) {
        small.world.disk().truncate(file, journal::page_bytes);
      } else {
        small.world.disk().overwrite(file, journal::page_bytes,
                                     std::string(64 * 1024 - journal::page_bytes, '\0'));
      }
      const std::string problem = small.relay.start();
      EXPECT_TRUE(problem.starts_with(file)) << file << cut << ": " << problem;
      ++tried;
    }
  }
  EXPECT_GE(tried, 8u);
}

// Goal: after an accepted loss the relay goes on as any other: nothing of the new events is taken
// for what is lost, or for what was settled in its place.
TEST(RelayStart, GoesOnAfterAnAcceptedLoss) {
  for (const char* target : {"/data/journal/000", "/data/journal"}) {
    bool accept_loss = false;
    Acknowledged small(accept_loss);
    small.world.disk().erase_directory(target);
    EXPECT_NE(small.relay.start(), "");
    accept_loss = true;
    ASSERT_EQ(small.relay.start(), "") << target;
    ASSERT_EQ(small.post("new"), 202);
    small.relay.crash();
    accept_loss = false;
    small.answer = {};
    ASSERT_EQ(small.relay.start(), "") << target;
    ASSERT_TRUE(small.settle());
    EXPECT_EQ(small.received("new"), 1u) << target;
  }
}

// Goal: a delivery never waits for a person. Method: whatever the control thread does for them, it
// takes for ever; the payloads are on the disk alone.
TEST(RelayDelivery, ReadsItsPayloadWithoutTheControlThread) {
  SmallWorld small(1, 2);
  small.answer = [](const Request&) { return Answer{.status = 500}; };
  small.hook(R"(,"schedule":[1,1,1,1])");
  for (int number = 0; number < 20; ++number) ASSERT_EQ(small.post(std::to_string(number)), 202);
  small.relay.crash(Crash::kill);
  small.answer = {};
  const size_t before = small.receiver.requests().size();
  small.start();
  small.relay.hold_control(true);
  EXPECT_TRUE(small.run_until_requests(before + 20));
  small.relay.hold_control(false);
  EXPECT_TRUE(small.settle());
}

// Goal: a person never waits for the disk that the journals are on.
TEST(RelayApi, AnswersWhileSegmentsCannotBePrepared) {
  SmallWorld small;
  small.relay.hold_journal(true);
  small.hook();
  EXPECT_EQ(small.api.call("GET", "/v1/webhooks").status(), 200);
  ASSERT_EQ(small.post("one"), 202);
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.api.call("GET", "/v1/status").status(), 200);
  small.relay.hold_journal(false);
}

/// Somebody who disables a webhook, and whether that was answered.
struct Disabling {
  explicit Disabling(SmallWorld& small, const std::string& hook)
      : caller(
            small.world, {.to = RelayHarness::address},
            [this](const HttpProducer::Exchange& exchange) { done = exchange.status() == 200; }) {
    caller.post("/v1/webhooks/" + hook + "/disable", "", authorized("application/json"));
  }

  bool done = false;
  HttpProducer caller;
};

// Goal: nor for the disk that the control store is on. Method: its sync takes for ever; whoever
// asks is answered, whoever changes something is not, and nothing of the change is in force.
TEST(RelayApi, AnswersWhileTheStoreIsSynced) {
  SmallWorld small;
  const std::string hook = small.hook();
  small.relay.hold_store(true);
  const Disabling disabling(small, hook);
  small.world.run_for(seconds{5});
  EXPECT_EQ(small.api.call("GET", "/v1/webhooks").status(), 200);
  ASSERT_EQ(small.post("one"), 202);
  EXPECT_TRUE(small.run_until_requests(1));
  EXPECT_FALSE(disabling.done);
  small.relay.hold_store(false);
  EXPECT_TRUE(small.world.run_until([&] { return disabling.done; }, seconds{5}));
  small.restart();
  EXPECT_EQ(small.api.webhook_member(hook, "state"), "disabled");
}

// Goal: what a loss of power takes of the store was never answered, nor in force.
TEST(RelayStorage, LosesNoChangeThatWasAnswered) {
  SmallWorld small;
  const std::string hook = small.hook();
  small.relay.hold_store(true);
  const Disabling disabling(small, hook);
  small.world.run_for(seconds{5});
  EXPECT_EQ(small.api.webhook_member(hook, "state"), "disabled");  // A read may run ahead.
  EXPECT_FALSE(disabling.done);
  small.restart();
  EXPECT_EQ(small.api.webhook_member(hook, "state"), "active");
  ASSERT_EQ(small.post("one"), 202);
  EXPECT_TRUE(small.run_until_requests(1));
}

}  // namespace
}  // namespace ringpost::sim
