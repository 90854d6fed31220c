// Goal: who changed what is written down, and each organization reads its own.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::made;
using testing::MadeToken;

TEST_F(ControlTest, WritesDownWhoChangedWhat) {
  const std::string webhook =
      make_webhook(R"(, "secret": "whsec_eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4")");
  const std::string path = "/v1/webhooks/" + webhook;
  ask("PATCH", path,
      R"({"url": "https://ci.example.org/other?token=hidden", "timeout_ms": 30000})");
  ask("POST", path + "/disable");
  ask("POST", path + "/enable");
  ask("POST", path + "/rotate-secret");
  const auto event = accept(number_of(webhook), "event-1");
  const std::string delivery = settle_delivery(event, DeliveryStatus::delivered).to_text();
  send("POST", "/v1/deliveries/" + delivery + "/redeliver", R"({"data": {"a": "hidden"}})");
  tell(0, StoreEventDone{.ticket = 1});
  EXPECT_EQ(answered()->status, 202);
  const MadeToken token = made(ask("POST", "/v1/tokens", R"({"name": "a", "scopes": ["admin"]})"));
  ask("DELETE", "/v1/tokens/" + token.id);
  ask("DELETE", path);
  // What changes nothing is not in it.
  ask("GET", path);
  ask("DELETE", path);
  ask("PATCH", path, "{}", "garbage");
  ask("POST", "/v1/webhooks", R"({"url": "ftp://x"})");

  const auto response = ask("GET", "/v1/audit");
  EXPECT_EQ(response.body.find("hidden"), std::string::npos);
  EXPECT_EQ(response.body.find("whsec"), std::string::npos);
  EXPECT_EQ(response.body.find(token.text), std::string::npos);
  struct Row {
    const char* operation;
    std::string object;
    std::vector<const char*> members;
    int status;
  };
  const Row rows[] = {{"webhook.delete", webhook, {}, 204},
                      {"token.delete", token.id, {}, 204},
                      {"token.create", token.id, {"name", "scopes"}, 201},
                      {"delivery.redeliver", delivery, {"data"}, 202},
                      {"webhook.rotate_secret", webhook, {"secret", "previous_secret_until"}, 200},
                      {"webhook.enable", webhook, {"enabled", "state"}, 200},
                      {"webhook.disable", webhook, {"enabled", "state"}, 200},
                      {"webhook.update", webhook, {"url"}, 200},
                      {"webhook.create", webhook, {"url", "secret"}, 201}};
  Json json(response.body);
  ASSERT_EQ(json.size("/items"), std::size(rows)) << response.body;
  for (size_t index = 0; index < std::size(rows); ++index) {
    const Row& row = rows[index];
    const std::string item = "/items/" + std::to_string(index);
    EXPECT_EQ(json.text(item + "/operation"), row.operation);
    EXPECT_EQ(json.text(item + "/object"), row.object) << row.operation;
    EXPECT_EQ(json.number(item + "/status"), row.status) << row.operation;
    EXPECT_EQ(json.text(item + "/token/name"), "admin-token") << row.operation;
    EXPECT_EQ(json.text(item + "/token/organization"), "default") << row.operation;
    EXPECT_EQ(json.text(item + "/peer"), "0.0.0.0:0") << row.operation;
    ASSERT_EQ(json.size(item + "/members"), row.members.size()) << row.operation << response.body;
    for (size_t member = 0; member < row.members.size(); ++member) {
      EXPECT_EQ(json.text(item + "/members/" + std::to_string(member)), row.members[member]);
    }
  }
}

// The members by the names of the native API, whichever API set them.
TEST_F(ControlTest, WritesDownWhatWasSetOverADialectsApi) {
  const auto newest = [&] {
    Json json(ask("GET", "/v1/audit").body);
    EXPECT_EQ(json.text("/items/0/operation"), "webhook.create");
    std::string members;
    for (size_t index = 0; index < json.size("/items/0/members"); ++index) {
      members += json.text("/items/0/members/" + std::to_string(index)) + " ";
    }
    return members;
  };
  ask("POST", "/v0.1/apps/c0ffee/outgoing-webhooks",
      R"({"events": ["build"], "url": "ci.example.org", "headers": {"X-A": "1"}, "secret": "s"})");
  EXPECT_EQ(newest(), "url sources events headers secret settings ");
  ask("POST", "/pipelines/33/hooks/outgoing",
      R"({"name": "n", "target_url": "https://a.example/"})");
  EXPECT_EQ(newest(), "description url sources secret settings ");
  ask("POST", "/v2/organizations/default/services",
      R"({"provider": "webhook", "settings": {"url": "https://ci.example.org/bk"}})");
  EXPECT_EQ(newest(), "url events secret settings ");
}

TEST_F(ControlTest, ShowsEachOrganizationItsOwnAuditLog) {
  const MadeToken acme = made(ask(
      "POST", "/v1/tokens", R"({"name": "acme", "scopes": ["admin"], "organization": "acme"})"));
  clock_ = 10;
  ask("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in"})", acme.text);
  clock_ = 20;
  make_webhook();
  Json own(ask("GET", "/v1/audit").body);
  EXPECT_EQ(own.size("/items"), 1u);
  for (const std::string& caller : {std::string{"admin-token"}, acme.text}) {
    Json theirs(ask("GET", "/v1/audit?organization=acme", {}, caller).body);
    ASSERT_EQ(theirs.size("/items"), 2u);
    EXPECT_EQ(theirs.text("/items/0/token/organization"), "acme");
    EXPECT_EQ(theirs.text("/items/1/token/organization"), "default");  // The operator's doing.
    EXPECT_EQ(theirs.text("/items/1/organization"), "acme");
  }
  const std::string since = "/v1/audit?organization=acme&since=" + to_rfc3339(at(10));
  EXPECT_EQ(Json(ask("GET", since).body).size("/items"), 1u);
  const std::string until = "/v1/audit?organization=acme&until=" + to_rfc3339(at(10));
  EXPECT_EQ(Json(ask("GET", until).body).size("/items"), 1u);

  Json page(ask("GET", "/v1/audit?limit=1", {}, acme.text).body);
  EXPECT_EQ(page.text("/items/0/operation"), "webhook.create");
  Json next(ask("GET", "/v1/audit?cursor=" + page.text("/next_cursor"), {}, acme.text).body);
  ASSERT_EQ(next.size("/items"), 1u);
  EXPECT_EQ(next.text("/items/0/operation"), "token.create");
  EXPECT_TRUE(next.is_null("/next_cursor"));
}

}  // namespace
}  // namespace ringpost::control
