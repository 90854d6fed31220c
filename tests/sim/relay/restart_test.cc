// Goal: a stop, a crash or a clock that jumps costs a repetition at most, and no wait without end.
// Method: one event, or a few, and the end of the process at the one moment that matters.

#include "sim/relay/small_world.h"

namespace ringpost::sim {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Answer = HttpReceiver::Answer;
using Request = HttpReceiver::Request;

TEST(RelayStop, LeavesWhatAHangingReceiverHoldsForTheNextStart) {
  SmallWorld small;
  small.answer = [](const Request&) { return Answer{.way = Answer::Way::never}; };
  const std::string hook = small.hook();
  ASSERT_EQ(small.post("held"), 202);
  ASSERT_TRUE(small.run_until_requests(1));
  small.relay.stop(seconds{2});
  small.answer = {};
  small.start();
  ASSERT_TRUE(small.settle());
  ASSERT_EQ(small.receiver.requests().size(), 2u);
  EXPECT_EQ(small.receiver.requests()[0].header("webhook-id"),
            small.receiver.requests()[1].header("webhook-id"));
  EXPECT_EQ(small.delivery(hook, "held").status, "delivered");
}

// Starts of first attempts are recorded late: what the receiver got is shown all the same.
TEST(RelayCrash, ShowsAnAttemptThatLeftNoRecord) {
  for (const Crash kind : {Crash::kill, Crash::power}) {
    SmallWorld small;
    const std::string hook = small.hook();
    ASSERT_EQ(small.post("before"), 202);
    ASSERT_TRUE(small.settle());
    small.world.run_for(seconds{5});
    ASSERT_EQ(small.post("twice"), 202);
    ASSERT_TRUE(small.run_until_requests(2));
    small.restart(kind);
    ASSERT_TRUE(small.settle());
    ASSERT_EQ(small.receiver.requests().size(), 3u);
    const DeliveryItem item = small.delivery(hook, "twice");
    EXPECT_EQ(item.status, "delivered");
    const auto attempts = small.api.attempts(item.id);
    ASSERT_EQ(attempts.size(), 2u);
    EXPECT_EQ(attempts[0].number, 1u);
    EXPECT_EQ(attempts[0].error, "interrupted");
    EXPECT_EQ(small.api.attempts(small.delivery(hook, "before").id).size(), 1u);
  }
}

// What may have been begun is not under way now.
TEST(RelayCrash, ShowsWhatMayHaveBegunAsPending) {
  SmallWorld small;
  small.answer = [](const Request&) { return Answer{.status = 500}; };
  const std::string hook = small.hook(R"(,"schedule":[600,600])");
  for (const char* id : {"1", "2", "3", "4", "5", "6", "7", "8", "9"}) {
    ASSERT_EQ(small.post(id), 202);
  }
  small.restart(Crash::kill);
  small.world.run_for(seconds{5});
  size_t pending = 0;
  for (const DeliveryItem& item : small.api.deliveries(hook)) {
    EXPECT_EQ(item.status, "pending") << item.event_id;
    ++pending;
  }
  EXPECT_EQ(pending, 9u);
}

TEST(RelayStop, ShowsNoAttemptThatWasNotBegun) {
  SmallWorld small;
  small.answer = [](const Request&) { return Answer{.status = 500}; };
  const std::string hook = small.hook();
  for (const char* id : {"1", "2", "3", "4", "5", "6", "7", "8", "9"}) {
    ASSERT_EQ(small.post(id), 202);
  }
  ASSERT_TRUE(small.run_until_requests(5));
  small.relay.stop(seconds{2});
  const size_t requests = small.receiver.requests().size();
  small.answer = {};
  small.start();
  ASSERT_TRUE(small.settle(std::chrono::hours{2}));
  size_t attempts = 0;
  for (const char* id : {"1", "2", "3", "4", "5", "6", "7", "8", "9"}) {
    attempts += small.api.attempts(small.delivery(hook, id).id).size();
  }
  EXPECT_EQ(attempts, small.receiver.requests().size());
  EXPECT_LT(requests, 9u);
}

TEST(RelayStop, LetsAnAttemptEndAndRemembersIt) {
  SmallWorld small;
  small.answer = [](const Request&) { return Answer{.delay = seconds{1}}; };
  const std::string hook = small.hook();
  ASSERT_EQ(small.post("slow"), 202);
  ASSERT_TRUE(small.run_until_requests(1));
  small.relay.stop(seconds{20});
  small.start();
  ASSERT_TRUE(small.settle());
  small.world.run_for(minutes{1});
  EXPECT_EQ(small.receiver.requests().size(), 1u);
  EXPECT_EQ(small.delivery(hook, "slow").status, "delivered");
}

TEST(RelayCrash, RepeatsUnderTheSameIdWhenTheFarAnswerWasNotRecorded) {
  size_t repeated = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SmallWorld small(seed);
    bool crashed = false;
    small.answer = [&](const Request& request) {
      if (request.number > 0) return Answer{};
      // Long enough for the attempt's start to be durable; then the power goes around the answer.
      small.world.after(milliseconds{20} + microseconds{seed * 15}, [&] {
        small.relay.crash();
        crashed = true;
      });
      return Answer{.delay = milliseconds{20}};
    };
    const std::string hook = small.hook();
    ASSERT_EQ(small.post("twice"), 202);
    ASSERT_TRUE(small.world.run_until([&] { return crashed; }, seconds{10}));
    small.start();
    ASSERT_TRUE(small.settle());
    const DeliveryItem item = small.delivery(hook, "twice");
    EXPECT_EQ(item.status, "delivered") << "seed " << seed;
    const size_t requests = small.receiver.requests().size();
    for (const Request& request : small.receiver.requests()) {
      EXPECT_EQ(request.header("webhook-id"), item.id) << "seed " << seed;
    }
    EXPECT_EQ(small.api.attempts(item.id).size(), requests) << "seed " << seed;
    repeated += requests == 2 ? 1 : 0;
  }
  EXPECT_GT(repeated, 5u);
}

TEST(RelayRestart, TakesItsBacklogOverToAnotherCountOfShards) {
  for (const Crash kind : {Crash::power, Crash::kill}) {
    SmallWorld small(7, 2);
    small.answer = [](const Request&) { return Answer{.status = 500}; };
    const std::string hook = small.hook(R"(,"schedule":[5,5,5,5,5,5,5,5])");
    for (const uint32_t count : {1u, 3u, 2u}) {
      for (int event = 0; event < 10; ++event) {
        ASSERT_EQ(small.post(std::to_string(count) + "/" + std::to_string(event)), 202);
      }
      small.relay.set_shard_count(count);
      small.restart(kind);
    }
    small.answer = {};
    ASSERT_TRUE(small.settle());
    const auto items = small.api.deliveries(hook);
    EXPECT_EQ(items.size(), 30u);
    for (const DeliveryItem& item : items) EXPECT_EQ(item.status, "delivered") << item.event_id;
  }
}

TEST(RelayClock, KeepsTheSpacingOfRetriesWhenTheWallClockJumps) {
  for (const Duration jump : {Duration{hours{24}}, Duration{-hours{24}}}) {
    SmallWorld small;
    small.answer = [](const Request&) { return Answer{.status = 500}; };
    small.hook(R"(,"schedule":[100,100])");
    ASSERT_EQ(small.post("waiting"), 202);
    for (size_t attempt = 1; attempt < 3; ++attempt) {
      ASSERT_TRUE(small.run_until_requests(attempt));
      small.world.jump_wall(jump);
      ASSERT_TRUE(small.run_until_requests(attempt + 1, seconds{130}));
      const Duration pause =
          small.receiver.requests()[attempt].at - small.receiver.requests()[attempt - 1].at;
      EXPECT_GE(pause, seconds{74});
      EXPECT_LE(pause, seconds{127});
    }
  }
}

TEST(RelayClock, DoesNotWaitForAClockThatWasSetBackWhileItWasDown) {
  SmallWorld small;
  small.answer = [](const Request&) { return Answer{.status = 500}; };
  const std::string hook = small.hook(R"(,"schedule":[100])");
  ASSERT_EQ(small.post("waiting"), 202);
  ASSERT_TRUE(small.run_until_requests(1));
  small.world.run_for(seconds{1});  // The outcome is durable.
  small.relay.crash();
  small.world.jump_wall(-hours{24 * 30});
  small.answer = {};
  small.start();
  EXPECT_TRUE(small.settle(hours{2}));
  EXPECT_EQ(small.delivery(hook, "waiting").status, "delivered");
}

}  // namespace
}  // namespace ringpost::sim
