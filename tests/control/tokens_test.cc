// Goal: a token is shown once, gives nobody more than its maker has, and is refused once that is
// answered.

#include "control_fixture.h"
#include "crypto/digest.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using subscription::Scope;
using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::made;
using testing::MadeToken;
using testing::monotonic;

TEST_F(ControlTest, MakesTokensAndShowsTheirTextOnce) {
  clock_ = 1;  // Lists go by age: what is made here is newer than the fixture's tokens.
  const auto response = ask("POST", "/v1/tokens",
                            R"({"name": "ci", "scopes": ["webhooks:read", "events:write"],
                                "sources": ["app/*"], "expires_in_s": 60})");
  const MadeToken token = made(response);
  EXPECT_TRUE(token.text.starts_with("rp_")) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.text("/organization"), "default");
  EXPECT_EQ(json.text("/scopes/0"), "events:write");
  EXPECT_EQ(json.text("/scopes/1"), "webhooks:read");
  EXPECT_EQ(json.text("/sources/0"), "app/*");
  EXPECT_EQ(json.text("/expires_at"), to_rfc3339(at(61)));
  EXPECT_EQ(json.text("/created_at"), to_rfc3339(at(1)));
  EXPECT_EQ(ask("GET", "/v1/webhooks", {}, token.text).status, 200);
  EXPECT_EQ(ask("GET", "/v1/status", {}, token.text).status, 403);

  const auto list = ask("GET", "/v1/tokens");
  EXPECT_EQ(list.body.find(token.text), std::string::npos);
  EXPECT_EQ(Json(list.body).text("/items/0/name"), "ci");
}

TEST_F(ControlTest, RefusesTokensThatCannotBe) {
  struct Row {
    const char* body;
    uint16_t status;
    const char* member;
  };
  const Row rows[] = {
      {R"({"scopes": ["admin"]})", 422, "name"},
      {R"({"name": "", "scopes": ["admin"]})", 422, "name"},
      {R"({"name": "a\nb", "scopes": ["admin"]})", 422, "name"},
      {R"({"name": "login ann", "scopes": ["admin"]})", 422, "name"},
      {R"({"name": "a"})", 422, "scopes"},
      {R"({"name": "a", "scopes": []})", 422, "scopes"},
      {R"({"name": "a", "scopes": ["all"]})", 422, "scopes"},
      {R"({"name": "a", "scopes": "admin"})", 422, "scopes"},
      {R"({"name": "a", "scopes": ["admin"], "sources": []})", 422, "sources"},
      {R"({"name": "a", "scopes": ["admin"], "sources": null})", 422, "sources"},
      {R"({"name": "a", "scopes": ["admin"], "sources": ["x/y/*"]})", 422, "sources[0]"},
      {R"({"name": "a", "scopes": ["admin"], "sources": ["x", 1]})", 422, "sources[1]"},
      {R"({"name": "a", "scopes": ["admin"], "organization": " a"})", 422, "organization"},
      {R"({"name": "a", "scopes": ["admin"], "expires_in_s": 0})", 422, "expires_in_s"},
      {R"({"name": "a", "scopes": ["admin"], "expires_at": "soon"})", 422, "expires_at"},
      {R"({"name": "a", "scopes": ["admin"], "expires_at": "2001-01-01T00:00:00Z"})", 422,
       "expires_at"},
      {R"({"name": "a", "scopes": ["admin"], "expires_in_s": 5,
           "expires_at": "2099-01-01T00:00:00Z"})",
       422, "expires_at"},
      {R"({"name": "a", "scopes": ["admin"], "token": "mine"})", 422, "token"},
      {R"({"name": "a", "name": "b"})", 400, "name"},
  };
  for (const Row& row : rows) {
    const auto response = ask("POST", "/v1/tokens", row.body);
    EXPECT_EQ(response.status, row.status) << row.body;
    EXPECT_EQ(Json(response.body).text("/member"), row.member) << row.body;
  }
  EXPECT_EQ(Json(ask("GET", "/v1/tokens").body).size("/items"), 1u);
}

TEST_F(ControlTest, RefusesATokenOnceItsDeletionIsAnswered) {
  const MadeToken token = made(ask("POST", "/v1/tokens", R"({"name": "a", "scopes": ["admin"]})"));
  send("DELETE", "/v1/tokens/" + token.id);
  EXPECT_FALSE(answered());  // Some shard may still take it.
  settle();
  EXPECT_EQ(answered()->status, 204);
  EXPECT_EQ(ask("GET", "/v1/webhooks", {}, token.text).status, 401);
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + token.id).status, 404);
  restart();
  EXPECT_EQ(ask("GET", "/v1/webhooks", {}, token.text).status, 401);
}

TEST_F(ControlTest, AnswersExpiredAndUnknownTokensAlike) {
  const MadeToken token =
      made(ask("POST", "/v1/tokens", R"({"name": "a", "scopes": ["admin"], "expires_in_s": 10})"));
  clock_ = 9;
  EXPECT_EQ(ask("GET", "/v1/webhooks", {}, token.text).status, 200);
  clock_ = 10;
  const auto expired = ask("GET", "/v1/webhooks", {}, token.text);
  EXPECT_EQ(expired.status, 401);
  const auto unknown = ask("GET", "/v1/webhooks", {}, "rp_unknown");
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(unknown.body, expired.body);
  EXPECT_EQ(unknown.headers.at(0).value, expired.headers.at(0).value);
}

TEST_F(ControlTest, KeepsTheLastTokenThatCanOperateTheRelay) {
  const std::string admin = Json(ask("GET", "/v1/tokens").body).text("/items/0/id");
  for (const char* other :
       {R"({"name": "expires", "scopes": ["admin"], "expires_in_s": 100})",
        R"({"name": "narrow", "scopes": ["admin"], "sources": ["app/*"]})",
        R"({"name": "reads", "scopes": ["webhooks:read"]})",
        R"({"name": "elsewhere", "scopes": ["admin"], "organization": "acme"})"}) {
    made(ask("POST", "/v1/tokens", other));
    const auto kept = ask("DELETE", "/v1/tokens/" + admin);
    EXPECT_EQ(kept.status, 409) << other;
    EXPECT_NE(kept.body.find("Make the new one first"), std::string::npos) << kept.body;
  }
  const MadeToken second = made(ask("POST", "/v1/tokens", R"({"name": "b", "scopes": ["admin"]})"));
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + admin).status, 204);
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + second.id, {}, second.text).status, 409);
}

TEST_F(ControlTest, LetsTheOperatorManageEveryOrganizationsTokensAndOthersTheirOwn) {
  const MadeToken acme = made(ask(
      "POST", "/v1/tokens", R"({"name": "acme", "scopes": ["admin"], "organization": "acme"})"));
  const MadeToken own =
      made(ask("POST", "/v1/tokens", R"({"name": "own", "scopes": ["events:write"]})", acme.text));
  const MadeToken foreign =
      made(ask("POST", "/v1/tokens", R"({"name": "d", "scopes": ["events:write"]})"));

  EXPECT_EQ(Json(ask("GET", "/v1/tokens", {}, acme.text).body).size("/items"), 2u);
  EXPECT_EQ(Json(ask("GET", "/v1/tokens").body).size("/items"), 2u);
  EXPECT_EQ(Json(ask("GET", "/v1/tokens?organization=acme").body).size("/items"), 2u);
  EXPECT_EQ(Json(ask("GET", "/v1/tokens?organization=acme", {}, acme.text).body).size("/items"),
            2u);
  EXPECT_EQ(Json(ask("GET", "/v1/tokens?organization=none").body).size("/items"), 0u);

  // Another organization's look like nobody's.
  EXPECT_EQ(ask("GET", "/v1/tokens?organization=default", {}, acme.text).status, 404);
  EXPECT_EQ(ask("GET", "/v1/audit?organization=default", {}, acme.text).status, 404);
  EXPECT_EQ(ask("POST", "/v1/tokens",
                R"({"name": "x", "scopes": ["admin"], "organization": "default"})", acme.text)
                .status,
            404);
  const auto hidden = ask("DELETE", "/v1/tokens/" + foreign.id, {}, acme.text);
  const auto unknown = ask("DELETE", "/v1/tokens/01J00000000000000000000000", {}, acme.text);
  EXPECT_EQ(hidden.status, 404);
  EXPECT_EQ(hidden.body, unknown.body);

  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + own.id).status, 204);
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + acme.id, {}, acme.text).status, 204);
}

TEST_F(ControlTest, PagesThroughTokensNewestFirst) {
  for (int count = 0; count < 5; ++count) {
    clock_ = count;
    made(ask("POST", "/v1/tokens",
             R"({"scopes": ["admin"], "name": ")" + std::to_string(count) + "\"}"));
  }
  Json first(ask("GET", "/v1/tokens?limit=2").body);
  EXPECT_EQ(first.text("/items/0/name"), "4");
  EXPECT_EQ(first.text("/items/1/name"), "3");
  Json rest(ask("GET", "/v1/tokens?cursor=" + first.text("/next_cursor")).body);
  EXPECT_EQ(rest.size("/items"), 4u);  // With the fixture's own.
  EXPECT_EQ(rest.text("/items/0/name"), "2");
  EXPECT_TRUE(rest.is_null("/next_cursor"));
  EXPECT_EQ(ask("GET", "/v1/tokens?cursor=w01J00000000000000000000000").status, 400);
  EXPECT_EQ(ask("GET", "/v1/tokens?status=dead").status, 400);
}

TEST_F(ControlTest, KeepsARestrictedTokenToItsSources) {
  const std::string inside = make_webhook(R"(, "sources": ["app/x"])");
  const std::string outside = make_webhook(R"(, "sources": ["pipeline/1"])");
  const std::string wider = make_webhook(R"(, "sources": ["app/x", "pipeline/1"])");
  const std::string all = make_webhook();
  const auto event = accept(number_of(inside), "event-1");  // Of app/x.
  const std::string seen = settle_delivery(event, DeliveryStatus::delivered).to_text();
  const auto other = accept(number_of(all), "event-2");
  const std::string unseen = settle_delivery(other, DeliveryStatus::delivered).to_text();
  const std::string narrow =
      made(ask("POST", "/v1/tokens", R"({"name": "n", "scopes": ["admin"], "sources": ["app/*"]})"))
          .text;
  const std::string elsewhere =
      made(ask("POST", "/v1/tokens",
               R"({"name": "e", "scopes": ["admin"], "sources": ["pipeline/1"]})"))
          .text;

  Json list(ask("GET", "/v1/webhooks?limit=1", {}, narrow).body);
  EXPECT_EQ(list.size("/items"), 1u);
  EXPECT_EQ(list.text("/items/0/id"), inside);
  EXPECT_TRUE(list.is_null("/next_cursor"));
  EXPECT_EQ(ask("GET", "/v1/webhooks/" + inside, {}, narrow).status, 200);
  for (const std::string& hidden : {outside, wider, all}) {
    for (const auto& [method, path] :
         std::vector<std::pair<std::string, std::string>>{{"GET", ""},
                                                          {"PATCH", ""},
                                                          {"DELETE", ""},
                                                          {"GET", "/deliveries"},
                                                          {"POST", "/disable"},
                                                          {"POST", "/rotate-secret"}}) {
      EXPECT_EQ(ask(method, "/v1/webhooks/" + hidden + path, {}, narrow).status, 404)
          << method << path;
    }
  }
  EXPECT_EQ(ask("GET", "/v1/deliveries/" + seen, {}, narrow).status, 200);
  EXPECT_EQ(ask("GET", "/v1/deliveries/" + unseen, {}, narrow).status, 404);
  EXPECT_EQ(ask("GET", "/v1/deliveries/" + seen, {}, elsewhere).status, 404);
  EXPECT_EQ(ask("POST", "/v1/deliveries/" + seen + "/redeliver", {}, elsewhere).status, 404);
  EXPECT_EQ(ask("GET", "/v1/events/event-1", {}, narrow).status, 200);
  EXPECT_EQ(ask("GET", "/v1/events/event-1", {}, elsewhere).status, 404);
  // The event may be seen, what another's webhook made of it may not.
  EXPECT_EQ(Json(ask("GET", "/v1/events/event-2", {}, narrow).body).size("/deliveries"), 0u);

  for (const char* sources : {R"(, "sources": ["pipeline/1"])", R"(, "sources": ["*"])", ""}) {
    const auto refused =
        ask("POST", "/v1/webhooks",
            R"({"url": "https://ci.example.org/in")" + std::string(sources) + "}", narrow);
    EXPECT_EQ(refused.status, 403) << sources;
    EXPECT_EQ(Json(refused.body).text("/member"), "sources") << sources;
  }
  EXPECT_EQ(ask("PATCH", "/v1/webhooks/" + inside, R"({"sources": ["*"]})", narrow).status, 403);
  EXPECT_EQ(ask("PATCH", "/v1/webhooks/" + inside, R"({"sources": ["app/y"]})", narrow).status,
            200);
}

TEST_F(ControlTest, LetsARestrictedTokenGiveNoMoreThanItHas) {
  clock_ = 1;  // Lists go by age: what is made here is newer than the fixture's tokens.
  const std::string narrow =
      made(ask("POST", "/v1/tokens", R"({"name": "n", "scopes": ["admin"], "sources": ["app/*"]})"))
          .text;
  const std::string admin = Json(ask("GET", "/v1/tokens").body).text("/items/1/id");
  for (const char* sources : {"", R"(, "sources": ["*"])", R"(, "sources": ["app/x", "b"])"}) {
    const auto refused =
        ask("POST", "/v1/tokens",
            R"({"name": "x", "scopes": ["admin"])" + std::string(sources) + "}", narrow);
    EXPECT_EQ(refused.status, 403) << sources;
    EXPECT_EQ(Json(refused.body).text("/member"), "sources") << sources;
  }
  EXPECT_EQ(ask("POST", "/v1/tokens",
                R"({"name": "x", "scopes": ["admin"], "organization": "acme"})", narrow)
                .status,
            404);
  made(ask("POST", "/v1/tokens", R"({"name": "x", "scopes": ["admin"], "sources": ["app/x"]})",
           narrow));
  Json list(ask("GET", "/v1/tokens", {}, narrow).body);
  EXPECT_EQ(list.size("/items"), 2u);  // Not the administrator's.
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + admin, {}, narrow).status, 404);
  EXPECT_EQ(ask("GET", "/v1/audit", {}, narrow).status, 403);
}

TEST_F(ControlTest, RemovesExpiredTokensWhenTheClockCanBeBelieved) {
  const MadeToken token =
      made(ask("POST", "/v1/tokens", R"({"name": "a", "scopes": ["admin"], "expires_in_s": 10})"));
  EXPECT_EQ(table_.current().token_count(), 2u);
  control_->step(at(20), monotonic(20));
  EXPECT_EQ(table_.current().token_count(), 2u);
  ASSERT_TRUE(control_->next_due());
  control_->step(at(20 + 3599), monotonic(20 + 3599));
  EXPECT_EQ(table_.current().token_count(), 2u);
  control_->step(at(20 + 3600), monotonic(20 + 3600));
  EXPECT_EQ(table_.current().token_count(), 1u);
  settle();
  EXPECT_EQ(Json(ask("GET", "/v1/tokens").body).size("/items"), 1u);
}

TEST_F(ControlTest, SlowsDownWhoeverGuessesAndNeverAGoodToken) {
  uint32_t refused = 0;
  http::Response last;
  for (int count = 0; count < 1000; ++count) {
    last = ask("GET", "/v1/webhooks", {}, "guess-" + std::to_string(count));
    if (last.status == 401) ++refused;
  }
  EXPECT_EQ(refused, net::FailureThrottle::failures_at_once);
  EXPECT_EQ(last.status, 429);
  ASSERT_FALSE(last.headers.empty());
  EXPECT_EQ(last.headers[0].name, "Retry-After");
  EXPECT_EQ(last.headers[0].value, "3");
  EXPECT_EQ(last.body.find("guess"), std::string::npos);
  const auto status = ask("GET", "/v1/status");
  EXPECT_EQ(status.status, 200);
  EXPECT_EQ(Json(status.body).number("/totals/tokens_refused"), 1000);
  EXPECT_EQ(Json(status.body).number("/totals/tokens_throttled"), 980);
  EXPECT_EQ(ask("GET", "/v1/webhooks", {}, "").status, 401);  // No token is no guess.
  clock_ += 3;
  EXPECT_EQ(ask("GET", "/v1/webhooks", {}, "guess").status, 401);
}

TEST(MintAdminToken, MakesOneTokenOnTheFirstStartOnly) {
  Prng random(1);
  auto store = Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store;
  std::string kept;
  const auto refuse = [](const std::string&) { return false; };
  EXPECT_FALSE(mint_admin_token(*store, at(0), random, refuse));
  const auto keep = [&](const std::string& text) {
    kept = text;
    return true;
  };
  const auto minted = mint_admin_token(*store, at(0), random, keep);
  ASSERT_TRUE(minted && *minted);
  EXPECT_TRUE((*minted)->starts_with("rp_"));
  EXPECT_EQ((*minted)->size(), 3u + 64u);
  std::vector<subscription::Token> tokens;
  ASSERT_TRUE(store->load([](subscription::Webhook&&) {},
                          [&](subscription::Token&& token) { tokens.push_back(token); }));
  ASSERT_EQ(tokens.size(), 1u) << "what was not kept was not stored";
  EXPECT_EQ(kept, **minted);
  EXPECT_TRUE(tokens[0].allows(Scope::events_write));
  EXPECT_EQ(tokens[0].sha256, crypto::sha256(as_bytes(**minted)));
  const auto again = mint_admin_token(*store, at(1), random, refuse);
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again);
}

}  // namespace
}  // namespace ringpost::control
