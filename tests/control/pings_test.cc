// Goal: a ping goes to its webhook alone, and when the change that caused it is in force.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using testing::ControlTest;
using testing::Json;
using testing::shard_count;

TEST_F(ControlTest, PingsAWebhookWhateverItSubscribedTo) {
  const std::string id = make_webhook(R"(, "events": ["other/event"])");
  const uint32_t number = number_of(id);
  send("POST", "/v1/webhooks/" + id + "/ping");
  EXPECT_FALSE(answered());
  const uint32_t owner = subscription::owner_shard(*table_.current().webhook(number), shard_count);
  const auto ping = post_.take<StoreEvent>(owner);
  ASSERT_TRUE(ping);
  const journal::EventView& event = ping->event->view();
  EXPECT_EQ(event.type, "ping");
  EXPECT_EQ(event.source, "webhook/" + id);
  EXPECT_EQ(event.organization, "default");
  EXPECT_EQ(as_text(event.data), R"({"webhook":")" + id + R"("})");
  EXPECT_FALSE(event.is_redelivery());
  ASSERT_EQ(event.webhook_count(), 1u);
  EXPECT_EQ(event.webhook_number(0), number);
  tell(owner, StoreEventDone{ping->ticket, false, {}, event.uid});
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 202);
  Json json(response->body);
  const std::string delivery = journal::delivery_id(event.uid, number).to_text();
  EXPECT_EQ(json.text("/id"), delivery);
  EXPECT_EQ(json.text("/event/type"), "ping");
  EXPECT_EQ(response->headers[0].value, "/v1/deliveries/" + delivery);
}

TEST_F(ControlTest, PingsAsTheDialectSays) {
  const std::string id = make_webhook(R"(, "dialect": "buildkite")");
  send("POST", "/v1/webhooks/" + id + "/ping");
  const uint32_t owner =
      subscription::owner_shard(*table_.current().webhook(number_of(id)), shard_count);
  const auto ping = post_.take<StoreEvent>(owner);
  ASSERT_TRUE(ping);
  const std::string data{as_text(ping->event->view().data)};
  EXPECT_EQ(Json(data).text("/event"), "ping");
  EXPECT_EQ(Json(data).text("/service/settings/url"), "https://ci.example.org/in");
}

// Receivers of builds answer 404 to an app that they do not know.
TEST_F(ControlTest, PingsInTheNameOfAnAppWhereReceiversLookForOne) {
  const std::string id =
      make_webhook(R"(, "dialect": "bitrise", "sources": ["app/*", "app/c0ffee", "app/other"])");
  send("POST", "/v1/webhooks/" + id + "/ping");
  const uint32_t owner =
      subscription::owner_shard(*table_.current().webhook(number_of(id)), shard_count);
  const auto ping = post_.take<StoreEvent>(owner);
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->event->view().source, "app/c0ffee");
  EXPECT_EQ(ping->event->view().type, "ping");
  EXPECT_EQ(as_text(ping->event->view().data), R"({"app_slug":"c0ffee"})");
  const std::string any = make_webhook(R"(, "dialect": "bitrise")");
  const auto refused = ask("POST", "/v1/webhooks/" + any + "/ping");
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.body.find("name none"), std::string::npos) << refused.body;
}

// A comment at a git host would be posted for real.
TEST_F(ControlTest, DoesNotPingWhereARequestHasAnEffect) {
  const std::string id = make_webhook(R"(, "dialect": "devopness", "sources": ["pipeline/33"])");
  const auto refused = ask("POST", "/v1/webhooks/" + id + "/ping");
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.body.find("real effect"), std::string::npos) << refused.body;
  EXPECT_FALSE(post_.take<StoreEvent>(0) || post_.take<StoreEvent>(1));
}

TEST_F(ControlTest, PingsAChangedWebhookOnceItsChangeIsInForceIfTheDialectSaysSo) {
  // What each shard was told to store, after all that the request changed was seen.
  const auto pings = [this](const char* method, const std::string& path, const char* body = "") {
    send(method, path, body);
    EXPECT_FALSE(post_.take<StoreEvent>(0) || post_.take<StoreEvent>(1)) << "before it is in force";
    settle();
    const auto response = answered();
    EXPECT_TRUE(response && response->status < 300) << path;
    size_t count = 0;
    for (uint32_t shard = 0; shard < shard_count; ++shard) {
      while (const auto ping = post_.take<StoreEvent>(shard)) {
        EXPECT_EQ(ping->ticket, 0u);
        EXPECT_EQ(ping->event->view().type, "ping");
        ++count;
      }
    }
    return count;
  };
  const auto pings_in_life = [&](const char* dialect) {
    const std::string id = make_webhook(std::string{R"(, "dialect": ")"} + dialect + '"');
    const std::string path = "/v1/webhooks/" + id;
    std::vector<size_t> counts;
    while (post_.take<StoreEvent>(0) || post_.take<StoreEvent>(1)) counts.push_back(1);
    counts.push_back(pings("PATCH", path, R"({"description": "other"})"));
    counts.push_back(pings("PATCH", path, R"({"description": "other"})"));
    counts.push_back(pings("POST", path + "/rotate-secret"));
    counts.push_back(pings("POST", path + "/disable"));
    counts.push_back(pings("PATCH", path, R"({"description": "third"})"));
    counts.push_back(pings("POST", path + "/enable"));
    counts.push_back(pings("POST", path + "/enable"));
    counts.push_back(pings("DELETE", path));
    return counts;
  };
  EXPECT_EQ(pings_in_life("buildkite"), (std::vector<size_t>{1, 1, 0, 1, 0, 0, 1, 0, 0}));
  EXPECT_EQ(pings_in_life("standard"), std::vector<size_t>(8, 0));
  const std::string services = "/v2/organizations/default/services";
  EXPECT_EQ(pings("POST", services,
                  R"({"provider": "webhook", "settings": {"url": "https://ci.example.org/"}})"),
            1u);
  const std::string list = ask("GET", services).body;
  const std::string path = services + "/" + Json(list).text("/items/0/id");
  EXPECT_EQ(pings("PATCH", path, R"({"description": "other"})"), 1u);
  EXPECT_EQ(pings("PATCH", path, R"({"description": "other"})"), 0u);
  EXPECT_EQ(pings("PUT", path + "/disable"), 0u);
  EXPECT_EQ(pings("PUT", path + "/enable"), 1u);
}

TEST_F(ControlTest, DoesNotPingWhatIsNotActive) {
  const std::string id = make_webhook();
  ask("POST", "/v1/webhooks/" + id + "/disable");
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + id + "/ping").status, 409);
}

}  // namespace
}  // namespace ringpost::control
