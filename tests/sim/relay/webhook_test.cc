// Goal: what the management API says is so when it says it, on every shard.
// Method: changes of webhooks between events, at moments that the seed chooses.

#include "sim/relay/small_world.h"

namespace ringpost::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Answer = HttpReceiver::Answer;
using Request = HttpReceiver::Request;

TEST(RelayWebhook, GetsNothingOnceItsDeletionIsAnswered) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SmallWorld small(seed, static_cast<uint32_t>(seed % 3 + 1));
    small.answer = [](const Request&) { return Answer{.status = 500}; };
    const std::string hook = small.hook(R"(,"schedule":[1,1,1,1,1,1,1,1])");
    HttpProducer producer(small.world, {.to = RelayHarness::address});
    for (int event = 0; event < 20; ++event) {
      small.world.after(small.world.between({}, milliseconds{40}), [&producer, event] {
        producer.post("/v1/events",
                      event_json("e" + std::to_string(event), "app/one", "tick", "{}"),
                      authorized("application/json"));
      });
    }
    small.world.run_for(small.world.between({}, milliseconds{40}));
    ASSERT_EQ(small.api.call("DELETE", "/v1/webhooks/" + hook).status(), 204);
    const Instant deleted = small.world.now();
    ASSERT_EQ(small.post("after"), 202);
    EXPECT_TRUE(small.settle(seconds{1})) << "seed " << seed;
    small.world.run_for(minutes{1});
    EXPECT_EQ(small.received("after"), 0u) << "seed " << seed;
    for (const Request& request : small.receiver.requests()) {
      // What was in flight may arrive still, also behind the moment of silence; nothing new begins.
      EXPECT_LT(request.at - deleted, milliseconds{20}) << "seed " << seed;
    }
    EXPECT_EQ(small.api.call("GET", "/v1/webhooks/" + hook).status(), 404);
    small.restart();
    EXPECT_TRUE(small.settle(seconds{1})) << "seed " << seed;
  }
}

TEST(RelayWebhook, GetsEveryEventOnceItsCreationIsAnswered) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SmallWorld small(seed, 3);
    const std::string hook = small.hook();
    HttpProducer producer(small.world, {.to = RelayHarness::address, .connections = 8});
    for (int event = 0; event < 8; ++event) {
      producer.post("/v1/events", event_json("", "app/one", "tick", "{}"),
                    authorized("application/json"));
    }
    EXPECT_TRUE(small.run_until_requests(8)) << "seed " << seed;
    EXPECT_EQ(producer.answered_count(202), 8u);
  }
}

TEST(RelayWebhook, GetsNothingOfTheTimeInWhichItWasDisabled) {
  SmallWorld small(3, 2);
  const std::string hook = small.hook();
  ASSERT_EQ(small.post("one"), 202);
  ASSERT_TRUE(small.settle());
  ASSERT_EQ(small.api.call("POST", "/v1/webhooks/" + hook + "/disable").status(), 200);
  ASSERT_EQ(small.post("two"), 202);
  small.world.run_for(seconds{10});
  ASSERT_EQ(small.api.call("POST", "/v1/webhooks/" + hook + "/enable").status(), 200);
  ASSERT_EQ(small.post("three"), 202);
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.received("one"), 1u);
  EXPECT_EQ(small.received("two"), 0u);
  EXPECT_EQ(small.received("three"), 1u);
}

TEST(RelayWebhook, IsDisabledByTheAnswer410) {
  SmallWorld small;
  small.answer = [](const Request&) { return Answer{.status = 410}; };
  const std::string hook = small.hook();
  ASSERT_EQ(small.post("gone"), 202);
  ASSERT_TRUE(small.settle());
  small.world.run_for(seconds{1});
  EXPECT_EQ(small.api.webhook_member(hook, "state"), "disabled");
  EXPECT_NE(small.api.webhook_member(hook, "state_reason").find("410"), std::string::npos);
  EXPECT_EQ(small.delivery(hook, "gone").status, "dead");
  ASSERT_EQ(small.post("later"), 202);
  small.world.run_for(seconds{10});
  EXPECT_EQ(small.receiver.requests().size(), 1u);
  small.restart();
  EXPECT_EQ(small.api.webhook_member(hook, "state"), "disabled");
}

TEST(RelayDelivery, WaitsAsLongAsRetryAfterAsks) {
  for (const int status : {429, 503}) {
    SmallWorld small;
    small.answer = [&](const Request& request) {
      if (request.number > 0) return Answer{};
      return Answer{.status = status, .headers = {{"Retry-After", "20"}}};
    };
    small.hook(R"(,"schedule":[1])");
    ASSERT_EQ(small.post("later"), 202);
    ASSERT_TRUE(small.settle());
    ASSERT_EQ(small.receiver.requests().size(), 2u);
    const Duration pause = small.receiver.requests()[1].at - small.receiver.requests()[0].at;
    EXPECT_GE(pause, seconds{20});
    EXPECT_LE(pause, seconds{30});
  }
}

// The webhook waits, not only the delivery that was told so; nothing is lost meanwhile.
TEST(RelayWebhook, WaitsWithEverythingWhenItsReceiverAsksForAPause) {
  for (const char* members : {R"(,"schedule":[1])", R"(,"dialect":"bitrise","schedule":[1])"}) {
    SmallWorld small;
    small.answer = [](const Request& request) {
      if (request.number > 0) return Answer{};
      return Answer{.status = 429, .headers = {{"Retry-After", "8"}}};
    };
    const std::string hook = small.hook(members);
    ASSERT_EQ(small.post("e0"), 202);
    ASSERT_TRUE(small.run_until_requests(1));
    for (int event = 1; event <= 5; ++event) {
      ASSERT_EQ(small.post("e" + std::to_string(event)), 202);
    }
    small.world.run_for(seconds{6});
    EXPECT_EQ(small.receiver.requests().size(), 1u) << members;
    EXPECT_NE(small.api.webhook_member(hook, "paused_until"), "") << members;
    ASSERT_TRUE(small.settle());
    for (int event = 1; event <= 5; ++event) {
      EXPECT_EQ(small.received("e" + std::to_string(event)), 1u) << members;
    }
    EXPECT_EQ(small.received("e0"), 2u) << members;
    for (size_t index = 1; index < small.receiver.requests().size(); ++index) {
      EXPECT_GE(small.receiver.requests()[index].at - small.receiver.requests()[0].at, seconds{8});
    }
  }
}

// A producer is not told that an event goes to where it cannot go; the webhook's log says why.
TEST(RelayWebhook, IsNotCountedWhereItsDialectHasNoRequestForTheData) {
  SmallWorld small;
  const std::string hook = small.hook(R"(,"dialect":"buildkite")");
  HttpProducer producer(small.world, {.to = RelayHarness::address, .connections = 1});
  const auto post = [&](std::string_view id, std::string_view data) {
    std::string event = R"({"specversion":"1.0","type":"build.finished","source":"s","id":")";
    event.append(id).append(R"(","data":)").append(data).append("}");
    const size_t request =
        producer.post("/v1/events", std::move(event), authorized("application/cloudevents+json"));
    small.world.run_until([&] { return producer.open_count() == 0; }, minutes{1});
    return producer.exchanges()[request].answer.body;
  };
  int number = 0;
  for (const std::string_view data : {"[1]", "7", R"("x")"}) {
    const std::string answer = post("e" + std::to_string(++number), data);
    EXPECT_NE(answer.find(R"("webhooks":0)"), std::string::npos) << answer;
    EXPECT_NE(answer.find(R"("deliveries":0)"), std::string::npos) << answer;
    EXPECT_NE(answer.find(R"("unmatched":1)"), std::string::npos) << answer;
  }
  EXPECT_NE(post("object", " {}").find(R"("webhooks":1)"), std::string::npos);
  const std::string standard = small.hook();
  EXPECT_NE(post("both", "[1]").find(R"("webhooks":1)"), std::string::npos);
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.delivery(hook, "both").status, "dead");
  EXPECT_EQ(small.delivery(hook, "object").status, "delivered");
}

// Whatever became of the delivery that met it, and however many shards there are afterwards.
TEST(RelayWebhook, KeepsAPauseThroughARestart) {
  for (const char* members : {R"(,"schedule":[1])", R"(,"dialect":"bitrise","schedule":[])"}) {
    for (const int status : {429, 503}) {
      SmallWorld small(7, 3);
      small.answer = [&](const Request& request) {
        if (request.number > 0) return Answer{};
        return Answer{.status = status, .headers = {{"Retry-After", "600"}}};
      };
      const std::string hook = small.hook(members);
      ASSERT_EQ(small.post("e0"), 202);
      ASSERT_TRUE(small.run_until_requests(1));
      small.world.run_for(seconds{5});
      small.restart();
      small.world.run_for(seconds{1});
      EXPECT_NE(small.api.webhook_member(hook, "paused_until"), "") << members;
      ASSERT_EQ(small.post("e1"), 202);
      small.world.run_for(seconds{200});
      small.restart();
      small.world.run_for(seconds{300});
      EXPECT_EQ(small.receiver.requests().size(), 1u) << members << status;
      ASSERT_TRUE(small.settle());
      EXPECT_EQ(small.received("e1"), 1u);
      EXPECT_GE(small.receiver.requests()[1].at - small.receiver.requests()[0].at, seconds{599});
    }
  }
}

TEST(RelayWebhook, EndsAPauseAtARestartWhereItsUrlWasChangedAndNotForOtherChanges) {
  for (const auto& [change, kept] : {std::pair{R"({"description":"new"})", true},
                                     std::pair{R"({"url":"http://10.0.0.2/elsewhere"})", false}}) {
    SmallWorld small;
    small.answer = [](const Request& request) {
      if (request.number > 0) return Answer{};
      return Answer{.status = 429, .headers = {{"Retry-After", "600"}}};
    };
    const std::string hook = small.hook(R"(,"schedule":[])");
    ASSERT_EQ(small.post("e0"), 202);
    ASSERT_TRUE(small.run_until_requests(1));
    small.world.run_for(seconds{5});
    ASSERT_EQ(small.api.call("PATCH", "/v1/webhooks/" + hook, change).status(), 200);
    small.restart();
    ASSERT_EQ(small.post("e1"), 202);
    small.world.run_for(seconds{60});
    EXPECT_EQ(small.receiver.requests().size(), kept ? 1u : 2u) << change;
  }
}

TEST(RelayDelivery, IsMadeAgainUnderANewIdWhenAPersonAsks) {
  SmallWorld small(5, 3);
  const std::string hook = small.hook();
  ASSERT_EQ(small.post("again"), 202);
  ASSERT_TRUE(small.settle());
  const DeliveryItem first = small.delivery(hook, "again");
  ASSERT_EQ(small.api.call("POST", "/v1/deliveries/" + first.id + "/redeliver").status(), 202);
  ASSERT_TRUE(small.run_until_requests(2));
  ASSERT_TRUE(small.settle());
  EXPECT_EQ(small.received("again"), 2u);
  const auto items = small.api.deliveries(hook);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].redelivery_of, first.id);
  EXPECT_NE(items[0].id, first.id);
  EXPECT_EQ(items[0].status, "delivered");
}

// Goal: a connection is used for what it was opened for. What is new in a webhook (its URL, the
// headers with their keys) never goes to the endpoint of before, also if the change comes while an
// attempt connects and another delivery has already brought it into use.
TEST(RelayDelivery, ShowsTheEndpointOfBeforeNothingOfAChange) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SmallWorld small(seed);
    HttpReceiver moved(small.world, address("10.0.0.3", 80));
    const std::string hook = small.hook(R"(,"headers":{"X-Key":"old"},"concurrency_max":8)");
    HttpProducer producer(small.world, {.to = RelayHarness::address});
    for (int event = 0; event < 20; ++event) {
      small.world.after(small.world.between({}, milliseconds{20}), [&producer, event] {
        producer.post("/v1/events",
                      event_json("e" + std::to_string(event), "app/one", "tick", "{}"),
                      authorized("application/json"));
      });
    }
    small.world.run_for(small.world.between({}, milliseconds{10}));
    ASSERT_EQ(small.api
                  .call("PATCH", "/v1/webhooks/" + hook,
                        R"({"url":"http://10.0.0.3/moved","headers":{"X-Key":"new"}})")
                  .status(),
              200);
    small.world.run_for(milliseconds{30});
    ASSERT_TRUE(small.settle()) << "seed " << seed;
    for (const Request& request : small.receiver.requests()) {
      EXPECT_EQ(request.header("Host"), "10.0.0.2") << "seed " << seed;
      EXPECT_EQ(request.header("X-Key"), "old") << "seed " << seed;
    }
    for (const Request& request : moved.requests()) {
      EXPECT_EQ(request.header("Host"), "10.0.0.3") << "seed " << seed;
      EXPECT_EQ(request.header("X-Key"), "new") << "seed " << seed;
    }
    EXPECT_EQ(small.receiver.requests().size() + moved.requests().size(), 20u);
  }
}

/// A member of the object that a dialect's API answered with; for texts without escapes.
std::string text_member(const std::string& json, const std::string& name) {
  const std::string before = "\"" + name + "\":\"";
  const size_t begin = json.find(before);
  if (begin == std::string::npos) return {};
  return json.substr(begin + before.size(),
                     json.find('"', begin + before.size()) - begin - before.size());
}

// Goal: what was sent is masked as it was made. A hook that was changed while its receiver took its
// time no longer knows which of the headers that went out showed its secret.
TEST(RelayDelivery, IsMaskedAsItWasMadeWhenTheWebhookChangesMeanwhile) {
  SmallWorld small;
  small.answer = [](const Request& request) {
    return Answer{.delay = request.number == 0 ? seconds{5} : seconds{0}};
  };
  const std::string body =
      R"({"name":"slow","target_url":"http://10.0.0.2/hook","trigger_when":{"events":)"
      R"(["action.status_changed"]},"settings":{"request_headers":[{"name":"X-Own","value":)";
  const auto created =
      small.api.call("POST", "/pipelines/33/hooks/outgoing", body + R"("{{ hook.secret }}"}]}})");
  ASSERT_EQ(created.status(), 201) << created.body;
  const std::string id = text_member(created.body, "id");
  const std::string secret = text_member(created.body, "secret");
  const auto post = [&](const char* event) {
    return small.api.post_event(event, "pipeline/33", "action.completed",
                                R"({"action":{"id":1,"pipeline_id":33,"status":"completed"}})");
  };
  ASSERT_EQ(post("first"), 202);
  ASSERT_TRUE(small.run_until_requests(1));
  EXPECT_EQ(small.receiver.requests()[0].header("X-Own"), secret);
  const auto changed =
      small.api.call("PUT", "/hooks/outgoing/" + id,
                     R"({"id":")" + id + "\"," + body.substr(1) + R"("plain"}]}})");
  ASSERT_EQ(changed.status(), 204) << changed.body;
  ASSERT_EQ(post("second"), 202);
  ASSERT_TRUE(small.settle());
  const std::string log = small.api.call("GET", "/hooks/outgoing/" + id + "/requests").body;
  const auto first = log.rfind("\"id\":\"");
  ASSERT_NE(first, std::string::npos);
  const std::string request = log.substr(first + 6, 36);
  const std::string shown = small.api.call("GET", "/hook-requests/" + request).body;
  EXPECT_NE(shown.find(R"("X-Own":"*****")"), std::string::npos) << shown;
  EXPECT_EQ(shown.find(secret), std::string::npos) << shown;
}

// Goal: an organization whose receiver takes nothing is refused, and told which webhook it is; its
// other webhooks and everybody else go on. Method: one dead receiver and more events than fit.
TEST(RelayWebhook, WithTooMuchPendingIsRefusedAndNobodyElse) {
  for (const uint32_t shards : {1u, 3u}) {
    SmallWorld small(5, shards,
                     [](shard::RelayOptions& options) { options.live.delivery.pending_max = 900; });
    const std::string dead =
        small.api.create_webhook(R"({"url":"http://10.0.0.9/","sources":["app/dead"]})");
    small.api.create_webhook(R"({"url":"http://10.0.0.2/","sources":["app/good"]})");
    const auto post = [&](const std::string& source) {
      return small.api.post_event("", source, "tick", "{}");
    };
    int taken = 0;
    while (taken < 1000 && post("app/dead") == 202) ++taken;
    EXPECT_NEAR(taken, 300, 20) << shards;
    const auto refused =
        small.api.call("POST", "/v1/events", R"({"type":"tick","source":"app/dead","data":{}})");
    EXPECT_EQ(refused.status(), 429);
    EXPECT_NE(refused.body.find(dead), std::string::npos) << refused.body;
    EXPECT_NE(refused.body.find("urn:ringpost:share-used-up"), std::string::npos) << refused.body;
    EXPECT_FALSE(refused.header("retry-after").empty());
    EXPECT_EQ(post("app/good"), 202) << "another webhook of the same organization";
    EXPECT_TRUE(small.run_until_requests(1));
    EXPECT_EQ(small.api.call("GET", "/readyz").status(), 200);
    EXPECT_EQ(small.api.call("POST", "/v1/webhooks/" + dead + "/disable").status(), 200);
    EXPECT_TRUE(small.settle(minutes{1}));
    EXPECT_EQ(post("app/dead"), 202);
  }
}

}  // namespace
}  // namespace ringpost::sim
