// Goal: a reload of the configuration is in force on every shard when it is answered, for what
// comes afterwards; what is under way ends as it began, and a refused one changes nothing.
// Method: a relay of several shards whose next settings the test sets, over kept connections.

#include "sim/relay/small_world.h"

#include <set>

namespace ringpost::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Answer = HttpReceiver::Answer;
using Request = HttpReceiver::Request;

net::EgressPolicy policy_of(const net::EgressPolicy::Options& options) {
  std::string why;
  auto policy = net::EgressPolicy::create(options, why);
  EXPECT_TRUE(policy) << why;
  return policy ? std::move(*policy) : net::EgressPolicy{};
}

class RelayReload : public testing::Test {
 protected:
  explicit RelayReload(uint32_t shards = 3)
      : small(11, shards, [this](shard::RelayOptions& options) {
          next.live = options.live;
          next.control = options.control;
          options.reload = [this] { return next; };
        }) {}

  int reload() { return small.api.call("POST", "/v1/admin/reload").status(); }
  void deny_receiver() {
    next.live.policy = policy_of({.allow_networks = {"10.0.0.0/8"},
                                  .deny_networks = {"10.0.0.2"},
                                  .allow_plain_http_networks = {"10.0.0.0/8"}});
  }

  shard::Reloaded next;
  SmallWorld small;
};

TEST_F(RelayReload, TakesItsLimitsToEveryShardBeforeItIsAnswered) {
  // Several connections on each shard, all of them open before.
  HttpProducer producer(small.world, {.to = RelayHarness::address, .connections = 12});
  const auto post_all = [&](size_t data_bytes) {
    const size_t before = producer.exchanges().size();
    for (int index = 0; index < 12; ++index) {
      producer.post(
          "/v1/events",
          event_json("", "app/one", "tick", R"({"x":")" + std::string(data_bytes, 'x') + R"("})"),
          authorized("application/json"));
    }
    EXPECT_TRUE(small.world.run_until([&] { return producer.open_count() == 0; }, seconds{10}));
    std::set<int> statuses;
    for (size_t index = before; index < producer.exchanges().size(); ++index) {
      statuses.insert(producer.exchanges()[index].status());
    }
    return statuses;
  };
  EXPECT_EQ(post_all(4000), std::set{202});
  next.live.event_limits.event_bytes_max = 2000;
  ASSERT_EQ(reload(), 200);
  EXPECT_EQ(post_all(4000), std::set{413});
  EXPECT_EQ(post_all(1000), std::set{202});
  next.live.event_limits.event_bytes_max = 16'000;
  ASSERT_EQ(reload(), 200);
  EXPECT_EQ(post_all(4000), std::set{202});
}

TEST_F(RelayReload, SendsNothingMoreToWhatIsDeniedThen) {
  const std::string hook = small.hook(R"(,"schedule":[])");
  ASSERT_EQ(small.post("before"), 202);
  ASSERT_TRUE(small.settle());
  deny_receiver();
  ASSERT_EQ(reload(), 200);
  ASSERT_EQ(small.post("denied"), 202);
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.received("before"), 1u);
  EXPECT_EQ(small.received("denied"), 0u);
  EXPECT_EQ(small.delivery(hook, "denied").last_error, "destination_denied");
  const auto refused = small.api.call("POST", "/v1/webhooks", R"({"url":"http://10.0.0.2/other"})");
  EXPECT_EQ(refused.status(), 422) << refused.body;
  EXPECT_EQ(small.api.call("POST", "/v1/webhooks", R"({"url":"http://10.0.0.3/other"})").status(),
            201);
}

TEST_F(RelayReload, LetsWhatIsUnderWayEndAsItBegan) {
  const std::string hook = small.hook();
  small.answer = [](const Request&) { return Answer{.delay = seconds{5}}; };
  ASSERT_EQ(small.post("slow"), 202);
  ASSERT_TRUE(small.run_until_requests(1));
  deny_receiver();
  ASSERT_EQ(reload(), 200);
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.delivery(hook, "slow").status, "delivered");
}

TEST_F(RelayReload, RefusesAtTheDoorByTheBoundOfNow) {
  small.answer = [](const Request&) { return Answer{.delay = seconds{20}}; };
  small.hook();
  next.live.delivery.pending_max = 2;
  ASSERT_EQ(reload(), 200);
  ASSERT_EQ(small.post("one"), 202);
  ASSERT_EQ(small.post("two"), 202);
  ASSERT_TRUE(small.run_until_requests(2));
  EXPECT_EQ(small.post("three"), 503);
  next.live.delivery.pending_max = 3;
  ASSERT_EQ(reload(), 200);
  EXPECT_EQ(small.post("three"), 202);
}

TEST_F(RelayReload, ChangesNothingWhereAnythingIsWrong) {
  ASSERT_EQ(small.post("before"), 202);
  next.outcome.problems.push_back({"ringpost.toml", 3, 1, "is wrong"});
  next.live.event_limits.event_bytes_max = 10;
  next.control.public_url = "https://elsewhere.example";
  EXPECT_EQ(reload(), 422);
  EXPECT_EQ(small.post("after"), 202);
  const std::string status = small.api.call("GET", "/v1/status").body;
  EXPECT_NE(status.find(R"("last_reload":{"ok":false,)"), std::string::npos) << status;
  EXPECT_NE(status.find(R"("problem":"ringpost.toml:3:1: is wrong")"), std::string::npos);
}

TEST_F(RelayReload, TakesTheControlSidesPart) {
  next.control.webhook_ips = {"192.0.2.0/24"};
  ASSERT_EQ(reload(), 200);
  EXPECT_NE(small.api.call("GET", "/v2/meta").body.find("192.0.2.0/24"), std::string::npos);
}

TEST_F(RelayReload, IsOfNoConsequenceForTrafficWhateverTheMoment) {
  small.hook();
  HttpProducer producer(small.world, {.to = RelayHarness::address, .connections = 6});
  for (int event = 0; event < 60; ++event) {
    small.world.after(small.world.between({}, milliseconds{200}), [&producer, event] {
      producer.post("/v1/events", event_json("e" + std::to_string(event), "app/one", "tick", "{}"),
                    authorized("application/json"));
    });
  }
  for (uint32_t round = 0; round < 20; ++round) {
    next.live.delivery.connections_per_endpoint_max = 1 + round % 3;
    next.live.origin = "host-" + std::to_string(round % 2);
    next.live.server.connections_max = 100 + round;
    ASSERT_EQ(reload(), 200);
    small.world.run_for(milliseconds{10});
  }
  ASSERT_TRUE(
      small.world.run_until([&] { return producer.answered_count(202) == 60; }, seconds{9}));
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.receiver.requests().size(), 60u);
  EXPECT_LE(small.relay.count(Counter::connections_accepted), 7u) << "one was closed";
}

}  // namespace
}  // namespace ringpost::sim
