// Goal: each operation takes the tokens that it should, in the words and within the limits of its
// API.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using subscription::Scope;
using testing::at;
using testing::ControlTest;
using testing::header_of;
using testing::Json;

// --- who may do what -----------------------------------------------------------------------------

struct RouteCase {
  const char* method;
  const char* path;
  Scope scope;
};
constexpr RouteCase route_cases[] = {
    {"POST", "/v1/webhooks", Scope::webhooks_write},
    {"GET", "/v1/webhooks", Scope::webhooks_read},
    {"GET", "/v1/webhooks/ID", Scope::webhooks_read},
    {"PATCH", "/v1/webhooks/ID", Scope::webhooks_write},
    {"DELETE", "/v1/webhooks/ID", Scope::webhooks_write},
    {"POST", "/v1/webhooks/ID/enable", Scope::webhooks_write},
    {"POST", "/v1/webhooks/ID/disable", Scope::webhooks_write},
    {"POST", "/v1/webhooks/ID/rotate-secret", Scope::webhooks_write},
    {"POST", "/v1/webhooks/ID/ping", Scope::webhooks_write},
    {"GET", "/v1/webhooks/ID/deliveries", Scope::deliveries_read},
    {"POST", "/v1/webhooks/ID/replay", Scope::deliveries_redeliver},
    {"GET", "/v1/deliveries", Scope::deliveries_read},
    {"GET", "/v1/deliveries/ID", Scope::deliveries_read},
    {"POST", "/v1/deliveries/ID/redeliver", Scope::deliveries_redeliver},
    {"POST", "/v1/replays", Scope::deliveries_redeliver},
    {"GET", "/v1/replays", Scope::deliveries_read},
    {"GET", "/v1/replays/ID", Scope::deliveries_read},
    {"POST", "/v1/replays/ID/pause", Scope::deliveries_redeliver},
    {"POST", "/v1/replays/ID/resume", Scope::deliveries_redeliver},
    {"POST", "/v1/replays/ID/cancel", Scope::deliveries_redeliver},
    {"GET", "/v1/events", Scope::deliveries_read},
    {"GET", "/v1/events/ID", Scope::deliveries_read},
    {"GET", "/v1/status", Scope::admin},
    {"POST", "/v1/tokens", Scope::admin},
    {"GET", "/v1/tokens", Scope::admin},
    {"DELETE", "/v1/tokens/ID", Scope::admin},
    {"GET", "/v1/audit", Scope::admin},
    {"POST", "/v1/admin/reload", Scope::admin},
};

TEST_F(ControlTest, AsksEachRouteForItsScope) {
  for (const RouteCase& route : route_cases) {
    clock_ += 60;  // Too many wrong tokens in a short time would be throttled.
    const uint8_t own = static_cast<uint8_t>(route.scope);
    const std::string name = std::string(route.method) + route.path;
    add_token("own-" + name, "default", own);
    add_token("others-" + name, "default",
              static_cast<uint8_t>(~own & ~static_cast<uint8_t>(Scope::admin)));
    const auto none = ask(route.method, route.path, {}, "");
    EXPECT_EQ(none.status, 401) << name;
    ASSERT_FALSE(none.headers.empty()) << name;
    EXPECT_EQ(none.headers[0].name, "WWW-Authenticate") << name;
    EXPECT_EQ(ask(route.method, route.path, {}, "garbage").status, 401) << name;
    const auto refused = ask(route.method, route.path, {}, "others-" + name);
    EXPECT_EQ(refused.status, 403) << name;
    EXPECT_NE(refused.body.find("lacks the scope `" + std::string(subscription::name(route.scope))),
              std::string::npos)
        << refused.body;
    const auto allowed = ask(route.method, route.path, {}, "own-" + name).status;
    EXPECT_NE(allowed, 401) << name;
    EXPECT_NE(allowed, 403) << name;
    EXPECT_NE(ask(route.method, route.path).status, 403) << name;  // admin may do everything
  }
}

TEST_F(ControlTest, TakesOneBearerTokenAndNothingElse) {
  for (const std::vector<http::Header>& headers : std::vector<std::vector<http::Header>>{
           {{"Authorization", "admin-token"}},
           {{"Authorization", "Basic admin-token"}},
           {{"Authorization", "Bearer "}},
           {{"Authorization", "Bearer admin-token x"}},
           {{"Authorization", "Bearer admin-token"}, {"authorization", "Bearer admin-token"}}}) {
    auto request = std::make_unique<http::Request>();
    request->method = "GET";
    request->path = "/v1/webhooks";
    request->headers = headers;
    tell(0, ApiRequest{{}, std::move(request), {}});
    EXPECT_EQ(answered()->status, 401) << headers[0].value;
  }
  auto request = std::make_unique<http::Request>();
  request->method = "GET";
  request->path = "/v1/webhooks";
  request->headers = {{"AUTHORIZATION", "bearer admin-token"}};
  tell(0, ApiRequest{{}, std::move(request), {}});
  EXPECT_EQ(answered()->status, 200);
}

TEST_F(ControlTest, SaysWhetherNoTokenOrAWrongOneWasSent) {
  const auto said = [this](const char* path, const std::string& value) {
    auto request = std::make_unique<http::Request>();
    request->method = "GET";
    request->path = path;
    if (!value.empty()) request->headers.push_back({"Authorization", value});
    tell(0, ApiRequest{{}, std::move(request), {}});
    const auto response = answered();
    EXPECT_EQ(response->status, 401) << path << value;
    return response->body;
  };
  subscription::Token expired;
  expired.id = Ulid::mint(at(0), random_);
  expired.sha256 = crypto::sha256(as_bytes("expired"));
  expired.scopes = static_cast<uint8_t>(Scope::admin);
  expired.expires_at = at(0);
  table_.put_token(expired);
  table_.publish();
  for (const char* path : {"/v1/webhooks", "/v0.1/apps/a/outgoing-webhooks",
                           "/v2/organizations/default/services", "/pipelines/1/hooks"}) {
    const std::string none = said(path, "");
    const std::string wrong = said(path, "Bearer wrong");
    EXPECT_NE(none.find("o token was sent"), std::string::npos) << none;
    EXPECT_NE(wrong.find("his token is not known"), std::string::npos) << wrong;
    // Nothing tells one that was good once from one that never was.
    EXPECT_EQ(said(path, "Bearer expired"), wrong);
    const std::string other = said(path, "Basic YTpi x");
    EXPECT_NE(other.find("o token can be read"), std::string::npos) << other;
    const bool bare =
        std::string_view{path}.starts_with("/v0.1/");  // Bitrise's tokens are sent so.
    EXPECT_EQ(none.find("Bearer") == std::string::npos, bare) << none;
  }
}

TEST_F(ControlTest, HidesOtherOrganizationsObjects) {
  add_token("theirs", "other", static_cast<uint8_t>(Scope::admin));
  const std::string id = make_webhook();
  const auto event = accept(number_of(id), "event-1");
  const std::string delivery = settle_delivery(event, DeliveryStatus::delivered).to_text();
  for (const auto& [method, path] : std::vector<std::pair<std::string, std::string>>{
           {"GET", "/v1/webhooks/" + id},
           {"PATCH", "/v1/webhooks/" + id},
           {"DELETE", "/v1/webhooks/" + id},
           {"POST", "/v1/webhooks/" + id + "/disable"},
           {"POST", "/v1/webhooks/" + id + "/rotate-secret"},
           {"POST", "/v1/webhooks/" + id + "/ping"},
           {"GET", "/v1/webhooks/" + id + "/deliveries"},
           {"GET", "/v1/deliveries/" + delivery},
           {"POST", "/v1/deliveries/" + delivery + "/redeliver"},
           {"GET", "/v1/events/event-1"}}) {
    EXPECT_EQ(ask(method, path, {}, "theirs").status, 404) << method << path;
  }
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks", {}, "theirs").body).size("/items"), 0u);
  EXPECT_EQ(ask("GET", "/v1/webhooks/" + id).status, 200);
}

TEST_F(ControlTest, TellsUnknownPathsFromWrongMethods) {
  for (const char* path : {"/", "/v1", "/v1/", "/v1/webhooks/", "/v1/webhook", "/v1/webhooks/a/b",
                           "/v1/delivery", "/v1/events/", "/v2/webhooks"}) {
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  }
  const auto wrong = ask("PUT", "/v1/webhooks/x");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers[0].name, "Allow");
  EXPECT_EQ(wrong.headers[0].value, "GET, HEAD, PATCH, DELETE");
  EXPECT_EQ(wrong.content_type, "application/problem+json");
}

TEST_F(ControlTest, RefusesBodiesOfOtherTypes) {
  auto request = std::make_unique<http::Request>();
  request->method = "POST";
  request->path = "/v1/webhooks";
  request->headers = {{"Authorization", "Bearer admin-token"}, {"Content-Type", "text/plain"}};
  request->body = R"({"url": "https://ci.example.org/"})";
  tell(0, ApiRequest{{}, std::move(request), {}});
  EXPECT_EQ(answered()->status, 415);
  EXPECT_EQ(matches(), 0u);
}

TEST_F(ControlTest, RefusesMembersWhereNoneAreTaken) {
  const std::string path = "/v1/webhooks/" + make_webhook();
  for (const char* action : {"/disable", "/enable", "/ping"}) {
    const auto refused = ask("POST", path + action, R"({"x": 1})");
    EXPECT_EQ(refused.status, 422) << action;
    EXPECT_EQ(Json(refused.body).text("/member"), "x") << action;
    EXPECT_EQ(ask("POST", path + action, "{").status, 400) << action;
    EXPECT_EQ(ask("POST", path + action, "[]").status, 400) << action;
  }
  EXPECT_EQ(matches(), 1u);  // Never disabled.
  EXPECT_EQ(ask("POST", path + "/disable", "{}").status, 200);
  EXPECT_EQ(ask("POST", path + "/enable").status, 200);
}

// --- limits of a dialect's API -------------------------------------------------------------------

TEST_F(ControlTest, CountsCallsOfADialectsApi) {
  const std::string path = "/v2/organizations/default/services";
  for (int call = 1; call <= 50; ++call) {
    const auto response = ask("GET", path);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(header_of(response, "RateLimit-User-Remaining"), std::to_string(50 - call));
    EXPECT_EQ(header_of(response, "RateLimit-Remaining"), std::to_string(200 - call));
  }
  const auto refused = ask("POST", path, "{}");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header_of(refused, "RateLimit-User-Remaining"), "0");
  EXPECT_EQ(header_of(refused, "Retry-After"), "60");
  EXPECT_EQ(Json(refused.body).number("/limit"), 50);
  EXPECT_EQ(ask("GET", "/v1/webhooks").status, 200);  // The native API is another one.
  add_token("second", "default", static_cast<uint8_t>(Scope::admin));
  const auto other = ask("GET", path, {}, "second");
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(header_of(other, "RateLimit-Remaining"), "149");
  EXPECT_EQ(header_of(ask("GET", path + "/x", {}, "second"), "RateLimit-User-Remaining"), "48");
  clock_ += 60;
  EXPECT_EQ(ask("GET", path).status, 200);
}

TEST_F(ControlTest, AnswersAnOpenRouteWithoutATokenAndUncounted) {
  for (int call = 0; call < 300; ++call) {
    const auto response = ask("GET", "/v2/meta", {}, "");
    ASSERT_EQ(response.status, 200);
    EXPECT_EQ(header_of(response, "RateLimit-Limit"), "(absent)");
  }
}

}  // namespace
}  // namespace ringpost::control
