// Goal: a webhook is taken over the API only if every member of it is right, the refusal names the
// member, and what was taken reads back the same.
// Method: tables of one wrong member each, on create and on patch; the good ones read back.

#include "control/webhook_json.h"

#include "crypto/base64.h"
#include "dialect/dialect.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using subscription::Webhook;
using subscription::WebhookState;

const WebhookChecks checks{
    .allow_destination =
        [](const subscription::Destination& destination) -> std::optional<std::string> {
      if (destination.host == "127.0.0.1") return "is an address that is not allowed";
      return std::nullopt;
    },
    .check_ca = [](std::string_view pem) -> std::optional<std::string> {
      if (!pem.starts_with("-----BEGIN CERTIFICATE-----")) return "is not a certificate";
      return std::nullopt;
    },
};

const subscription::Token caller{.name = "ci"};

std::optional<Problem> create(std::string_view text, Webhook& webhook) {
  JsonBody body;
  if (auto problem = body.parse(text)) return problem;
  return create_webhook(body, checks, caller, webhook);
}

std::optional<Problem> patch(std::string_view text, Webhook& webhook) {
  JsonBody body;
  if (auto problem = body.parse(text)) return problem;
  return patch_webhook(body, checks, caller, webhook);
}

/// A create request with one more member.
std::string with(std::string_view member) {
  return R"({"url": "https://ci.example.org/in", )" + std::string{member} + "}";
}

std::string json_text(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json;
}

struct Refused {
  std::string member_json;
  std::string member;  ///< As the problem names it.
};

std::vector<Refused> refused_members() {
  const std::string long_text(5000, 'a');
  std::vector<Refused> refused = {
      {R"("unknown": 1)", "unknown"},
      {R"("description": 1)", "description"},
      {R"("description": ["a"])", "description"},
      {R"("description": )" + json_text(long_text), "description"},
      {R"("organization": "Not One")", "organization"},
      {R"("organization": 1)", "organization"},
      {R"("sources": "app/x")", "sources"},
      {R"("sources": [])", "sources"},
      {R"("sources": [1])", "sources[0]"},
      {R"("sources": ["app/x", ""])", "sources[1]"},
      {R"("sources": ["app/x", "a\u0000b"])", "sources[1]"},
      {R"("events": {"a": 1})", "events"},
      {R"("events": ["build/*", null])", "events[1]"},
      {R"("filter": 1)", "filter"},
      {R"("filter": {"branches": "main !"})", "filter.branches"},
      {R"("filter": {"branches": 1})", "filter.branches"},
      {R"("filter": {"teams": ["a", ""]})", "filter.teams[1]"},
      {R"("filter": {"clusters": 1})", "filter.clusters"},
      {R"("filter": {"other": 1})", "filter.other"},
      {R"("filter": {"data": 1})", "filter.data"},
      {R"("filter": {"data": "text"})", "filter.data"},
      {R"("filter": {"data": "{\"path\":\"a\",\"exists\":true},\"branches\":\"main\""})",
       "filter.data"},
      {R"("filter": {"data": {"all": [{"path": "a", "in": [0.5, []]}]}})",
       "filter.data.all[0].in[1]"},
      {R"("headers": [])", "headers"},
      {R"("headers": {"X-A": 1})", "headers.X-A"},
      {R"("headers": {"X-A": ""})", "headers.X-A"},
      {R"("headers": {"X-A": "1", "x-a": "2"})", "headers.x-a"},
      {R"("secret": 1)", "secret"},
      {R"("secret": "")", "secret"},
      {R"("secret": "plain")", "secret"},
      {R"("secret": "whsec_")", "secret"},
      {R"("secret": "whsec_!!!!")", "secret"},
      {R"("secret": "whsec_)" + crypto::base64_encode(as_bytes(std::string(23, 'k'))) + "\"",
       "secret"},
      {R"("secret": "whsec_)" + crypto::base64_encode(as_bytes(std::string(65, 'k'))) + "\"",
       "secret"},
      {R"("tls": true)", "tls"},
      {R"("tls": {"verify": 1})", "tls.verify"},
      {R"("tls": {"ca": "hello"})", "tls.ca"},
      {R"("tls": {"ca": 1})", "tls.ca"},
      {R"("tls": {"client_certificate": "x"})", "tls.client_certificate"},
      {R"("tls": {"client_key": "x"})", "tls.client_key"},
      {R"("tls": {"version": 3})", "tls.version"},
      {R"("schedule": 5)", "schedule"},
      {R"("schedule": [0])", "schedule[0]"},
      {R"("schedule": [5, -1])", "schedule[1]"},
      {R"("schedule": [5, 1.5])", "schedule[1]"},
      {R"("schedule": ["5"])", "schedule[0]"},
      {R"("schedule": [604801])", "schedule[0]"},
      {R"("timeout_ms": 99)", "timeout_ms"},
      {R"("timeout_ms": 120001)", "timeout_ms"},
      {R"("timeout_ms": "30000")", "timeout_ms"},
      {R"("timeout_ms": 30000.5)", "timeout_ms"},
      {R"("timeout_ms": 18446744073709551615)", "timeout_ms"},
      {R"("concurrency_max": 0)", "concurrency_max"},
      {R"("concurrency_max": 257)", "concurrency_max"},
      {R"("rate_per_second": 0)", "rate_per_second"},
      {R"("rate_per_second": 1.5)", "rate_per_second"},
      {R"("settings": {"a": 1})", "settings.a"},
      {R"("settings": [])", "settings"},
      {R"("ordering": "key")", "ordering"},
      {R"("ordering": "fifo")", "ordering"},
      {R"("ordering": 0)", "ordering"},
      {R"("enabled": "yes")", "enabled"},
      {R"("id": "01J0000000000000000000000")", "id"},
      {R"("state": "active")", "state"},
      {R"("state_reason": "")", "state_reason"},
      {R"("created_at": "2031-05-04T09:08:07Z")", "created_at"},
      {R"("updated_at": "2031-05-04T09:08:07Z")", "updated_at"},
  };
  std::string many_steps = "[1";
  for (int step = 0; step < 32; ++step) many_steps += ", 1";
  refused.push_back({R"("schedule": )" + many_steps + "]", "schedule"});
  std::string many_headers;
  for (int index = 0; index < 33; ++index) {
    many_headers += (index > 0 ? ", " : "") + json_text("X-" + std::to_string(index)) + R"(: "v")";
  }
  refused.push_back({R"("headers": {)" + many_headers + "}", "headers"});
  return refused;
}

TEST(WebhookJson, RefusesEachWrongMemberOnCreateByName) {
  for (const Refused& refused : refused_members()) {
    Webhook webhook;
    const auto problem = create(with(refused.member_json), webhook);
    ASSERT_TRUE(problem) << refused.member_json.substr(0, 100);
    EXPECT_EQ(problem->status, 422) << refused.member_json.substr(0, 100);
    EXPECT_EQ(problem->member, refused.member) << refused.member_json.substr(0, 100);
    EXPECT_FALSE(problem->detail.empty());
  }
}

TEST(WebhookJson, RefusesEachWrongMemberOnPatchByName) {
  for (const Refused& refused : refused_members()) {
    Webhook webhook;
    ASSERT_FALSE(create(R"({"url": "https://ci.example.org/in"})", webhook));
    const auto problem = patch("{" + refused.member_json + "}", webhook);
    ASSERT_TRUE(problem) << refused.member_json.substr(0, 100);
    EXPECT_EQ(problem->status, 422);
    EXPECT_EQ(problem->member, refused.member);
  }
}

TEST(WebhookJson, RefusesNullOnCreateExceptWhereItIsTheDefault) {
  for (const char* member :
       {"description", "organization", "sources", "events", "filter", "headers", "secret", "tls",
        "schedule", "timeout_ms", "concurrency_max", "ordering", "enabled", "dialect"}) {
    Webhook webhook;
    const auto problem = create(with(json_text(member) + ": null"), webhook);
    ASSERT_TRUE(problem) << member;
    EXPECT_EQ(problem->member, member);
  }
  Webhook webhook;
  EXPECT_FALSE(create(with(R"("rate_per_second": null)"), webhook));
}

TEST(WebhookJson, RefusesBadUrlsAndDeniedDestinations) {
  for (const char* url : {"", "ci.example.org", "ftp://ci.example.org/", "https://", "http:///x",
                          "https://u:p@ci.example.org/", "https://ci.example.org/#f",
                          "https://127.0.0.1/", "https://0x7f.1/", "https://a b/"}) {
    Webhook webhook;
    const auto problem = create("{\"url\": " + json_text(url) + "}", webhook);
    ASSERT_TRUE(problem) << url;
    EXPECT_EQ(problem->member, "url") << url;
  }
  Webhook webhook;
  EXPECT_EQ(create("{}", webhook)->member, "url");
  EXPECT_EQ(create(R"({"url": null})", webhook)->member, "url");
}

TEST(WebhookJson, SaysWhereATemplateOfAUrlBelongs) {
  for (const char* url :
       {"https://ci.example.org/{{ action.id }}", "https://ci.example.org/?x={{user.name}}"}) {
    const std::string given = std::string{R"("url": ")"} + url + '"';
    Webhook webhook;
    const auto problem = create(R"({"dialect": "devopness", )" + given + "}", webhook);
    ASSERT_TRUE(problem) << url;
    EXPECT_EQ(problem->member, "url");
    EXPECT_NE(problem->detail.find("settings.target_url"), std::string::npos) << problem->detail;
    EXPECT_FALSE(create("{" + given + "}", webhook)) << "it means nothing to other dialects";
  }
}

TEST(WebhookJson, RefusesPatternsThatTheDialectCanNeverMatch) {
  for (const char* members : {R"("dialect": "bitrise", "events": ["build/*", "build"])",
                              R"("dialect": "buildkite", "events": ["ping", "build.started"])",
                              R"("events": ["*", "deploy"], "dialect": "devopness")"}) {
    Webhook webhook;
    const auto problem = create(with(members), webhook);
    ASSERT_TRUE(problem) << members;
    EXPECT_EQ(problem->member, "events[1]") << members;
    EXPECT_EQ(problem->status, 422);
  }
  Webhook webhook;
  EXPECT_EQ(create(with(R"("dialect": "bitrise", "sources": ["app/bad slug!"])"), webhook)->member,
            "sources[0]");
  ASSERT_FALSE(
      create(with(R"("dialect": "standard", "events": ["build.started", "deploy"])"), webhook));
  // One that is there already, from before this was refused, does not stand in a change's way.
  ASSERT_FALSE(create(with(R"("dialect": "bitrise")"), webhook));
  webhook.events = {"build"};
  EXPECT_FALSE(patch(R"({"events": ["build", "build/*"]})", webhook));
  EXPECT_EQ(patch(R"({"events": ["build", "deploy"]})", webhook)->member, "events[1]");
}

// S-7: no header that nobody configured, and none that two would write.
TEST(WebhookJson, RefusesHeadersThatInjectOrCollide) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"X-A", "a\r\nX-B: b"},
      {"X-A", "a\nb"},
      {"X-A", "a\rb"},
      {"X-A", std::string("a\0b", 3)},
      {"X-A", "a\x7f"},
      {"X-A", " a"},
      {"X-A", "a\t"},
      {"X-A", std::string(65536, 'a')},
      {"X-A", "caf\xc3\xa9"},
      {"X A", "a"},
      {"X:A", "a"},
      {"", "a"},
      {"X-\xc3\xa9", "a"},
      {std::string(129, 'x'), "a"},
      {"Host", "a"},
      {"hOsT", "a"},
      {"Content-Length", "1"},
      {"Connection", "a"},
      {"Transfer-Encoding", "chunked"},
      {"webhook-signature", "v1,x"},
      {"Webhook-Id", "x"},
      {"webhook-timestamp", "1"},
      {"Ringpost-Delivery", "x"},
      {"ringpost-", "x"},
      {"Content-Type", "text/plain"},
      {"Expect", "100-continue"},
      {"TE", "trailers"},
  };
  for (const auto& [name, value] : bad) {
    const auto problem = api::check_header("headers.x", name, value);
    if (!problem) {
      EXPECT_TRUE(dialect::find("standard")->writes_header(name)) << name;
      continue;
    }
    EXPECT_EQ(problem->status, 422);
    EXPECT_EQ(problem->member, "headers.x");
  }
  EXPECT_TRUE(dialect::find("bitrise")->writes_header("bitrise-event-type"));
  EXPECT_FALSE(dialect::find("standard")->writes_header("Bitrise-Event-Type"));
  EXPECT_FALSE(api::check_header("h", "X-Team", "mobile \t build"));
  EXPECT_FALSE(api::check_header("h", "Authorization", "Bearer abc"));
}

TEST(WebhookJson, RefusesBodiesThatAreNotOneObject) {
  for (const char* text : {"", "[]", "1", "{", "{}x", R"({"url": "a", "url": "b"})", "{'a': 1}",
                           R"({"tls": {"ca": "", "ca": "x"}})", "{\"url\": \"\xff\"}", "nul"}) {
    Webhook webhook;
    const auto problem = create(text, webhook);
    ASSERT_TRUE(problem) << text;
    EXPECT_EQ(problem->status, 400) << text;
  }
  const std::string deep = "{\"filter\": " + std::string(100'000, '[') + "}";
  Webhook webhook;
  EXPECT_EQ(create(deep, webhook)->status, 400);
}

TEST(WebhookJson, FillsInTheDefaultsOfTheStandardDialect) {
  Webhook webhook;
  ASSERT_FALSE(create(R"({"url": "HTTPS://CI.example.org:443/a/../in?x=1"})", webhook));
  EXPECT_EQ(webhook.destination.url, "HTTPS://CI.example.org:443/a/../in?x=1");
  EXPECT_EQ(webhook.destination.host, "ci.example.org");
  EXPECT_EQ(webhook.destination.target, "/in?x=1");
  EXPECT_EQ(webhook.dialect, "standard");
  EXPECT_EQ(webhook.schedule_s, subscription::default_schedule());
  EXPECT_EQ(webhook.timeout_ms, 30'000u);
  EXPECT_TRUE(webhook.active());
  EXPECT_FALSE(check_secret("standard", webhook.secret));
  Webhook other;
  ASSERT_FALSE(create(R"({"url": "https://ci.example.org/"})", other));
  EXPECT_NE(webhook.secret, other.secret);
}

TEST(WebhookJson, FillsInTheDefaultsOfTheBitriseDialect) {
  Webhook webhook;
  ASSERT_FALSE(create(with(R"("dialect": "bitrise")"), webhook));
  EXPECT_TRUE(webhook.schedule_s.empty());
  EXPECT_EQ(webhook.timeout_ms, 10'000u);
  EXPECT_TRUE(webhook.secret.empty());
  ASSERT_FALSE(create(with(R"("dialect": "bitrise", "secret": "any text")"), webhook));
  EXPECT_EQ(webhook.secret, "any text");
  EXPECT_EQ(create(with(R"("dialect": "svix")"), webhook)->member, "dialect");
}

TEST(WebhookJson, TakesEveryMemberAndWritesItBack) {
  Webhook webhook;
  ASSERT_FALSE(create(R"({
    "dialect": "standard", "description": "a \"b\"", "organization": "default",
    "url": "https://ci.example.org/in", "sources": ["app/c0ffee", "pipeline/*"],
    "events": ["build/*"], "filter": {"branches": "main !x", "teams": ["t"], "clusters": ["c"],
    "data": {"path": "a", "at_least": 0.75}},
    "headers": {"X-Team": "mobile"}, "tls": {"verify": false, "ca": "", "client_key": null},
    "schedule": [1, 604800], "timeout_ms": 100, "concurrency_max": 256, "rate_per_second": 20,
    "ordering": "none", "enabled": false})",
                      webhook));
  EXPECT_EQ(webhook.state, WebhookState::disabled);
  std::string written;
  JsonWriter json(written);
  write_webhook(json, webhook, false);
  EXPECT_EQ(
      written,
      R"({"id":"00000000000000000000000000","dialect":"standard","description":"a \"b\"",)"
      R"("organization":"default","url":"https://ci.example.org/in","listener":false,)"
      R"("sources":["app/c0ffee","pipeline/*"],"events":["build/*"],)"
      R"("filter":{"branches":"main !x","teams":["t"],"clusters":["c"],"data":{"path":"a","at_least":0.75}},)"
      R"("headers":{"X-Team":"mobile"},)"
      R"("previous_secret_until":null,"tls":{"verify":false,"ca":"","client_certificate":""},"schedule":[1,604800],)"
      R"("timeout_ms":100,"concurrency_max":256,"rate_per_second":20,"ordering":"none","settings":{"signature":"v1"},)"
      R"("enabled":false,"state":"disabled","state_reason":"disabled over the API",)"
      R"("paused_until":null,"circuit":null,"permission":"not_needed","permission_reason":"","warnings":[],)"
      R"("created_at":"1970-01-01T00:00:00.000000Z",)"
      R"("updated_at":"1970-01-01T00:00:00.000000Z"})");
}

// A condition is one thing: a patch replaces it whole, and leaves it alone if it says nothing.
TEST(WebhookJson, ReplacesTheConditionOnDataAsAWhole) {
  Webhook webhook;
  ASSERT_FALSE(
      create(with(R"("filter": {"data": {"all": [{"path": "a", "equals": 1}]}})"), webhook));
  EXPECT_EQ(webhook.filter.data, R"({"all":[{"path":"a","equals":1}]})");
  ASSERT_FALSE(patch(R"({"filter": {"branches": "main"}})", webhook));
  EXPECT_EQ(webhook.filter.data, R"({"all":[{"path":"a","equals":1}]})");
  ASSERT_FALSE(patch(R"({"filter": {"data": {"path": "b", "exists": true}}})", webhook));
  EXPECT_EQ(webhook.filter.data, R"({"path":"b","exists":true})");
  ASSERT_FALSE(patch(R"({"filter": {"data": null}})", webhook));
  EXPECT_EQ(webhook.filter, (subscription::Filter{.branches = "main"}));
}

// Goal: a token that may read webhooks reads no credential, and may send back what it read.
TEST(WebhookJson, ShowsNoCredentialOfAHeaderAndKeepsItWhereItsMaskComesBack) {
  Webhook webhook;
  ASSERT_FALSE(create(
      with(R"("headers": {"Authorization": "Bearer abc", "X-Api-Key": "k-1", "X-Team": "mobile"})"),
      webhook));
  for (const bool with_secret : {false, true}) {
    std::string text;
    JsonWriter json(text);
    write_webhook(json, webhook, with_secret);
    EXPECT_NE(
        text.find(R"("headers":{"Authorization":"*****","X-Api-Key":"*****","X-Team":"mobile"})"),
        std::string::npos)
        << text;
  }
  const Webhook before = webhook;
  ASSERT_FALSE(patch(R"({"headers": {"authorization": "*****", "X-Api-Key": "k-2"}})", webhook));
  EXPECT_EQ(webhook.headers[0], before.headers[0]);
  EXPECT_EQ(webhook.headers[1].second, "k-2");
  const auto unknown = patch(R"({"headers": {"X-Token": "*****"}})", webhook);
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->member, "headers.X-Token");
  EXPECT_TRUE(create(with(R"("headers": {"Cookie": "*****"})"), webhook));
  EXPECT_FALSE(create(with(R"("headers": {"X-Rating": "*****"})"), webhook));
}

// RFC 7396: what is absent stays, null is the default, objects merge.
TEST(WebhookJson, PatchesByTheRulesOfMergePatch) {
  Webhook webhook;
  ASSERT_FALSE(create(with(R"("description": "d", "headers": {"X-A": "1", "X-B": "2"},
                              "schedule": [7], "timeout_ms": 500, "sources": ["app/x"],
                              "tls": {"verify": false, "ca": "-----BEGIN CERTIFICATE-----"})"),
                      webhook));
  const Webhook before = webhook;
  ASSERT_FALSE(
      patch(R"({"headers": {"x-a": null, "X-C": "3"}, "tls": {"verify": null}})", webhook));
  EXPECT_EQ(webhook.headers,
            (std::vector<std::pair<std::string, std::string>>{{"X-B", "2"}, {"X-C", "3"}}));
  EXPECT_TRUE(webhook.tls_verify);
  EXPECT_EQ(webhook.tls_ca, before.tls_ca);
  EXPECT_EQ(webhook.description, "d");
  EXPECT_EQ(webhook.secret, before.secret);
  ASSERT_FALSE(patch(R"({"schedule": null, "timeout_ms": null, "description": null,
                         "sources": null, "headers": null, "tls": null, "filter": null})",
                     webhook));
  EXPECT_EQ(webhook.schedule_s, subscription::default_schedule());
  EXPECT_EQ(webhook.timeout_ms, 30'000u);
  EXPECT_EQ(webhook.description, "");
  EXPECT_EQ(webhook.sources, std::vector<std::string>{"*"});
  EXPECT_TRUE(webhook.headers.empty());
  EXPECT_TRUE(webhook.tls_ca.empty());
  for (const char* member : {"url", "secret", "enabled", "dialect", "id", "organization"}) {
    const auto problem = patch("{" + json_text(member) + ": null}", webhook);
    ASSERT_TRUE(problem) << member;
    EXPECT_EQ(problem->member, member);
  }
}

TEST(WebhookJson, EnablingClearsABrokenState) {
  Webhook webhook;
  ASSERT_FALSE(create(R"({"url": "https://ci.example.org/"})", webhook));
  webhook.state = WebhookState::broken;
  webhook.state_reason = "the endpoint answered 410 Gone";
  ASSERT_FALSE(patch(R"({"enabled": false})", webhook));
  EXPECT_EQ(webhook.state, WebhookState::broken);
  ASSERT_FALSE(patch(R"({"enabled": true})", webhook));
  EXPECT_TRUE(webhook.active());
  EXPECT_EQ(webhook.state_reason, "");
}

}  // namespace
}  // namespace ringpost::control
