// Goal: the management API is Bitrise's to the letter: every line of the specification's tables is
// a test, and every refusal has its status and its shape.
// Method: the handlers on an in-memory control side (fake_management.h).

#include "base/json_writer.h"
#include "fake_management.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

namespace ringpost::dialect {
namespace {

using api::Answer;
using subscription::Webhook;

const std::string app_path = "/v0.1/apps/c0ffee1234abcd56/outgoing-webhooks";

const Dialect& bitrise_dialect() {
  return *find("bitrise");
}

/// An answer's body; tests ask for members by path.
class Json {
 public:
  explicit Json(const std::string& text) : text_(text) {
    EXPECT_FALSE(parser_.parse(text_).get(root_)) << text;
  }
  std::string text(std::string_view path) {
    simdjson::dom::element value;
    if (root_.at_pointer(path).get(value)) return "(absent)";
    std::string_view string;
    return value.get(string) == simdjson::SUCCESS ? std::string{string} : simdjson::minify(value);
  }
  std::vector<std::string> members(std::string_view path) {
    std::vector<std::string> names;
    simdjson::dom::object object;
    if (root_.at_pointer(path).get(object)) return names;
    for (const auto [name, value] : object) names.emplace_back(name);
    return names;
  }
  size_t size(std::string_view path) {
    simdjson::dom::array array;
    return root_.at_pointer(path).get(array) ? SIZE_MAX : array.size();
  }

 private:
  simdjson::dom::parser parser_;
  std::string text_;
  simdjson::dom::element root_;
};

class BitriseApi : public ::testing::Test {
 protected:
  Answer call(const std::string& method, const std::string& target, const std::string& body = {},
              std::vector<http::Header> headers = {{"Authorization", "token"}}) {
    return ask(bitrise_dialect(), management_, method, target, body, std::move(headers));
  }
  /// @returns the slug.
  std::string make(const std::string& body = R"({"events":["build"],"url":"https://a.example/"})",
                   const std::string& path = app_path) {
    const Answer answer = call("POST", path, body);
    EXPECT_EQ(answer.response.status, 201) << answer.response.body;
    return Json{answer.response.body}.text("/data/slug");
  }
  Webhook& stored(const std::string& slug) {
    for (auto& [number, webhook] : management_.stored) {
      if (webhook.id.to_text() == slug) return webhook;
    }
    ADD_FAILURE() << slug;
    return management_.stored.begin()->second;
  }
  void expect_refusal(const Answer& answer, uint16_t status, std::string_view part) {
    EXPECT_EQ(answer.response.status, status) << answer.response.body;
    Json json{answer.response.body};
    EXPECT_EQ(json.members(""), std::vector<std::string>{"message"});
    EXPECT_NE(json.text("/message").find(part), std::string::npos) << json.text("/message");
    EXPECT_EQ(answer.response.content_type, "application/json");
  }

  FakeManagement management_;
};

// --- create: 2.3 ---------------------------------------------------------------------------------

TEST_F(BitriseApi, CreatesAsTheExampleShows) {
  const Answer answer = call("POST", app_path,
                             R"({"events":["build"],"url":"https://ci.example.org/in",)"
                             R"("headers":{"X-Team":"mobile"},"secret":"relay-demo-secret"})");
  EXPECT_EQ(answer.response.status, 201);
  EXPECT_EQ(answer.when, Answer::When::published);
  const Webhook& webhook = management_.stored.at(1);
  EXPECT_EQ(answer.response.body,
            R"({"data":{"slug":")" + webhook.id.to_text() +
                R"(","url":"https://ci.example.org/in","events":["build"],)"
                R"("headers":{"X-Team":"mobile"},"registered_by_addon":false,)"
                R"("created_at":"2031-05-04T09:08:07.123456Z",)"
                R"("updated_at":"2031-05-04T09:08:07.123456Z"}})");
  EXPECT_EQ(webhook.dialect, "bitrise");
  EXPECT_EQ(webhook.sources, std::vector<std::string>{"app/c0ffee1234abcd56"});
  EXPECT_EQ(webhook.secret, "relay-demo-secret");
  EXPECT_EQ(answer.response.body.find("relay-demo-secret"), std::string::npos);
}

// Section 6: one attempt, 10 s.
TEST_F(BitriseApi, GivesOneAttemptOfTenSeconds) {
  const Webhook& webhook = stored(make());
  EXPECT_TRUE(webhook.schedule_s.empty());
  EXPECT_EQ(webhook.timeout_ms, 10'000u);
}

// Section 5.
TEST_F(BitriseApi, SubscribesToTheTypesOfTheGroupsAndKeepsTheGroups) {
  struct Row {
    const char* groups;
    std::vector<std::string> types;
  };
  for (const Row& row :
       {Row{R"(["all"])", {"*"}}, Row{R"(["build"])", {"build/triggered", "build/finished"}},
        Row{R"(["pipeline"])", {}}, Row{R"(["build","all"])", {"*"}},
        Row{R"(["pipeline","build"])", {"build/triggered", "build/finished"}}}) {
    const std::string slug =
        make(R"({"url":"https://a.example/","events":)" + std::string{row.groups} + "}");
    EXPECT_EQ(stored(slug).events, row.types) << row.groups;
    Json page{call("GET", app_path).response.body};
    EXPECT_EQ(page.text("/data/0/events"), row.groups);
    call("DELETE", app_path + "/" + slug);
  }
}

TEST_F(BitriseApi, ReadsAUrlWithoutSchemeAsHttps) {
  EXPECT_EQ(stored(make(R"({"events":["all"],"url":"host.tld"})")).destination.url,
            "https://host.tld");
  EXPECT_EQ(stored(make(R"({"events":["all"],"url":"host.tld:8443/in?a=1"})")).destination.url,
            "https://host.tld:8443/in?a=1");
}

TEST_F(BitriseApi, ShowsAUrlAsItWasSpelled) {
  make(R"({"events":["all"],"url":"https://Host.TLD:443"})");
  EXPECT_EQ(Json{call("GET", app_path).response.body}.text("/data/0/url"), "https://Host.TLD:443");
  EXPECT_EQ(management_.stored.at(1).destination.host, "host.tld");
  EXPECT_EQ(management_.stored.at(1).destination.target, "/");
}

TEST_F(BitriseApi, RefusesABodyWith400) {
  struct Row {
    const char* members;
    const char* part;
  };
  const std::string long_value(5000, 'x');
  const Row rows[] = {
      {R"("url":"https://a.example/")", "`events` is required"},
      {R"("url":"https://a.example/","events":null)", "`events` is required"},
      {R"("url":"https://a.example/","events":[])", "`events` must have at least one"},
      {R"("url":"https://a.example/","events":"all")", "`events` must be an array"},
      {R"("url":"https://a.example/","events":["all","deploy"])", "`events[1]` must be"},
      {R"("url":"https://a.example/","events":[1])", "`events[0]` must be"},
      {R"("events":["all"])", "`url` is required"},
      {R"("events":["all"],"url":7)", "`url` must be a string"},
      {R"("events":["all"],"url":"")", "`url` must not be empty"},
      {R"("events":["all"],"url":"http://a.example/")", "`url` must begin with https://"},
      {R"("events":["all"],"url":"ftp://a.example/")", "`url`"},
      {R"("events":["all"],"url":"https://user:word@a.example/")", "`url`"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.members);
    expect_refusal(call("POST", app_path, "{" + std::string{row.members} + "}"), 400, row.part);
  }
  expect_refusal(call("POST", app_path, ""), 400, "not a JSON object");
  expect_refusal(call("POST", app_path, "[1]"), 400, "not a JSON object");
  expect_refusal(call("POST", app_path, R"({"url":"a.b","url":"c.d","events":["all"]})"), 400,
                 "`url` is in the body twice; give it once.");
  expect_refusal(
      call("POST", app_path, R"({"url":"a.b","events":["all"],"secret":")" + long_value + "\"}"),
      400, "`secret` is longer");
  expect_refusal(call("POST", app_path, R"({"url":"a.b","events":["all"],"secret":5})"), 400,
                 "`secret` must be a string");
  management_.denied_destination = "is a private address";
  expect_refusal(call("POST", app_path, R"({"url":"a.b","events":["all"]})"), 400,
                 "`url` is a private address");
  EXPECT_TRUE(management_.stored.empty());
}

TEST_F(BitriseApi, RefusesHeadersThatAreEmptyIllFormedOrOurs) {
  for (const char* headers :
       {R"({"":"a"})", R"({"X-Team":""})", R"({"X Team":"a"})", R"({"X-Team":"a\r\nb"})",
        R"({"X-Team":"a\nb"})", R"({"X-Team":"a\u0000b"})", R"({"X-Team":1})", R"([])",
        R"({"Host":"a"})", R"({"content-length":"1"})", R"({"Transfer-Encoding":"chunked"})",
        R"({"connection":"close"})", R"({"Bitrise-Event-Type":"a"})", R"({"bitrise-app-id":"a"})",
        R"({"Bitrise-Hook-Signature":"a"})", R"({"Content-Type":"a"})", R"({"user-agent":"a"})",
        R"({"X-A":"1","x-a":"2"})"}) {
    SCOPED_TRACE(headers);
    expect_refusal(call("POST", app_path,
                        R"({"url":"a.b","events":["all"],"headers":)" + std::string{headers} + "}"),
                   400, "headers");
  }
}

TEST_F(BitriseApi, TakesNullsAndUnknownMembersAsAbsent) {
  const Webhook& webhook = stored(make(
      R"({"url":"a.b","events":["all"],"headers":null,"secret":null,"slug":"mine","other":1})"));
  EXPECT_TRUE(webhook.headers.empty());
  EXPECT_EQ(webhook.secret, "");
}

TEST_F(BitriseApi, SaysWhenAnAddonMadeAWebhook) {
  const Answer answer = call("POST", app_path, R"({"url":"a.b","events":["all"]})",
                             {{"bitrise-addon-auth-token", "token"}});
  Json json{answer.response.body};
  EXPECT_EQ(json.text("/data/registered_by_addon"), "true");
  const std::string slug = json.text("/data/slug");
  Json updated{
      call("PUT", app_path + "/" + slug, R"({"url":"a.c","events":["build"]})").response.body};
  EXPECT_EQ(updated.text("/data/registered_by_addon"), "true") << "an update does not change it";
}

// 2: `Bitrise-Addon-Auth-Token` on list and create only.
TEST_F(BitriseApi, NamesTheAddonsHeaderOnListAndCreateOnly) {
  EXPECT_TRUE(bitrise_dialect().takes_bare_token());
  for (const api::Route& route : bitrise_dialect().routes()) {
    const bool whole_list = route.pattern.ends_with("outgoing-webhooks");
    EXPECT_EQ(route.token_header, whole_list ? "Bitrise-Addon-Auth-Token" : "") << route.pattern;
  }
}

// --- update and delete: 2.5 ----------------------------------------------------------------------

TEST_F(BitriseApi, ReplacesByPutAndPatch) {
  for (const char* method : {"PUT", "PATCH"}) {
    const std::string slug =
        make(R"({"events":["all"],"url":"a.b","headers":{"X-Team":"mobile"},"secret":"first"})");
    management_.now += std::chrono::seconds(1);
    const Answer answer =
        call(method, app_path + "/" + slug, R"({"events":["build"],"url":"https://c.example/"})");
    EXPECT_EQ(answer.response.status, 200);
    EXPECT_EQ(answer.when, Answer::When::published);
    Json json{answer.response.body};
    EXPECT_EQ(json.text("/data/slug"), slug);
    EXPECT_EQ(json.text("/data/url"), "https://c.example/");
    EXPECT_EQ(json.text("/data/events"), R"(["build"])");
    EXPECT_EQ(json.text("/data/headers"), "{}") << "absent headers are none";
    EXPECT_NE(json.text("/data/updated_at"), json.text("/data/created_at"));
    EXPECT_EQ(stored(slug).secret, "first") << "an absent secret stays";
    call(method, app_path + "/" + slug, R"({"events":["all"],"url":"a.b","secret":"second"})");
    EXPECT_EQ(stored(slug).secret, "second");
    call(method, app_path + "/" + slug, R"({"events":["all"],"url":"a.b","secret":""})");
    EXPECT_EQ(stored(slug).secret, "");
    EXPECT_EQ(stored(slug).sources, std::vector<std::string>{"app/c0ffee1234abcd56"});
  }
}

TEST_F(BitriseApi, WantsEventsAndUrlOnUpdateAndChangesNothingOnARefusal) {
  const std::string slug = make();
  expect_refusal(call("PUT", app_path + "/" + slug, R"({"url":"c.d"})"), 400, "events");
  expect_refusal(call("PUT", app_path + "/" + slug, R"({"events":["all"]})"), 400, "url");
  EXPECT_EQ(stored(slug).destination.url, "https://a.example/");
  EXPECT_EQ(stored(slug).events.size(), 2u);
}

TEST_F(BitriseApi, ShowsACredentialOnceAndKeepsItWhenItComesBackMasked) {
  const Answer made = call("POST", app_path,
                           R"({"events":["all"],"url":"a.b",)"
                           R"("headers":{"Authorization":"Bearer static","X-Team":"mobile"}})");
  Json first{made.response.body};
  EXPECT_EQ(first.text("/data/headers/Authorization"), "Bearer static");
  const std::string slug = first.text("/data/slug");
  Json listed{call("GET", app_path).response.body};
  EXPECT_EQ(listed.text("/data/0/headers"), R"({"Authorization":"*****","X-Team":"mobile"})");
  const auto put = [&](const std::string& headers) {
    return call("PUT", app_path + "/" + slug,
                R"({"events":["all"],"url":"a.b","headers":)" + headers + "}");
  };
  const Answer kept = put(R"({"authorization":"*****"})");
  EXPECT_EQ(Json{kept.response.body}.text("/data/headers"), R"({"authorization":"*****"})");
  EXPECT_EQ(stored(slug).headers.at(0).second, "Bearer static");
  expect_refusal(put(R"({"X-Token":"*****"})"), 400, "headers.X-Token");
  EXPECT_EQ(call("DELETE", app_path + "/" + slug).response.body.find("Bearer static"),
            std::string::npos);
}

// What a real 410 comes to is in tests/control and tests/e2e.
TEST_F(BitriseApi, BringsBackByAnUpdateWhatTheEndpointStoppedButNotWhatAPersonDid) {
  const std::string slug = make();
  for (const char* method : {"PUT", "PATCH"}) {
    stored(slug).state = subscription::WebhookState::disabled;
    stored(slug).state_reason = "the endpoint answered 410 Gone";
    call(method, app_path + "/" + slug, R"({"events":["all"],"url":"a.b"})");
    EXPECT_TRUE(stored(slug).active()) << method;
    EXPECT_EQ(stored(slug).state_reason, "");
    stored(slug).state = subscription::WebhookState::disabled;
    stored(slug).state_reason = "disabled over the API";
    call(method, app_path + "/" + slug, R"({"events":["all"],"url":"a.b"})");
    EXPECT_FALSE(stored(slug).active()) << method;
  }
}

TEST_F(BitriseApi, AnswersADeleteWithTheItem) {
  const std::string slug = make();
  const Answer answer = call("DELETE", app_path + "/" + slug);
  EXPECT_EQ(answer.response.status, 200);
  EXPECT_EQ(answer.when, Answer::When::published);
  EXPECT_EQ(Json{answer.response.body}.text("/data/slug"), slug);
  EXPECT_TRUE(management_.stored.empty());
  expect_refusal(call("DELETE", app_path + "/" + slug), 404, "no such outgoing webhook");
}

// --- what belongs to whom ------------------------------------------------------------------------

TEST_F(BitriseApi, KnowsAWebhookByItsOwnAppAndSlugOnly) {
  const std::string slug = make();
  Webhook other = stored(slug);
  const std::string body = R"({"events":["all"],"url":"a.b"})";
  expect_refusal(call("PUT", "/v0.1/apps/other/outgoing-webhooks/" + slug, body), 404, "no such");
  EXPECT_EQ(call("PUT", app_path + "/" + Ulid::parse(slug)->to_uuid_text(), body).response.status,
            200)
      << "the other spelling of the same id";
  expect_refusal(call("PUT", app_path + "/unknown", body), 404, "no such");
  management_.organization = "others";
  expect_refusal(call("PUT", app_path + "/" + slug, body), 404, "no such");
  EXPECT_EQ(Json{call("GET", app_path).response.body}.size("/data"), 0u);
  management_.organization = "default";
  stored(slug).dialect = "standard";
  expect_refusal(call("PUT", app_path + "/" + slug, body), 404, "no such");
  stored(slug).dialect = "bitrise";
  stored(slug).sources.emplace_back("app/second");
  expect_refusal(call("PUT", app_path + "/" + slug, body), 404, "no such");
}

// 1: 1 to 64 bytes of [A-Za-z0-9_-].
TEST_F(BitriseApi, TakesSlugsOf64LettersDigitsHyphensAndUnderscores) {
  for (const std::string& app : std::vector<std::string>{
           "a", "AZaz09-_", "018f6b1e-7777-4abc-8def-000000000007", std::string(64, 'x')}) {
    EXPECT_EQ(call("GET", "/v0.1/apps/" + app + "/outgoing-webhooks").response.status, 200) << app;
  }
  for (const std::string& app :
       std::vector<std::string>{"a.b", "a b", "*", "\xc3\xa9", std::string(65, 'x')}) {
    expect_refusal(call("GET", "/v0.1/apps/" + app + "/outgoing-webhooks"), 400, "app-slug");
  }
  expect_refusal(call("DELETE", app_path + "/a.b"), 400, "app-webhook-slug");
  expect_refusal(call("GET", app_path + "/a/delivery-items/b.c"), 400,
                 "webhook-delivery-item-slug");
}

// 2.1: there is no GET of a single webhook, and register-webhook is not here.
TEST_F(BitriseApi, RegistersAtTheGitHost) {
  const Answer begun = call("POST", "/v0.1/apps/c0ffee1234abcd56/register-webhook");
  EXPECT_EQ(begun.when, Answer::When::later);
  ASSERT_EQ(management_.registered.size(), 1u);
  const auto& [app, done] = management_.registered[0];
  EXPECT_EQ(app, "c0ffee1234abcd56");
  const Answer registered = done(std::nullopt);
  EXPECT_EQ(registered.response.status, 200);
  EXPECT_EQ(registered.response.body, R"({"status":"ok"})");
  EXPECT_EQ(registered.when, Answer::When::published);
  const Answer refused = done(api::refusal(409, "the token has expired"));
  EXPECT_EQ(refused.response.status, 400);
  EXPECT_EQ(Json(refused.response.body).text("/message"), "The token has expired.");
  EXPECT_EQ(call("POST", "/v0.1/apps/no%20slug/register-webhook").response.status, 400);
  management_.failure = api::refusal(409, "the app has no git repository here");
  EXPECT_EQ(call("POST", "/v0.1/apps/c0ffee1234abcd56/register-webhook").response.status, 400);
}

TEST_F(BitriseApi, HasNoOtherRoutes) {
  expect_refusal(call("GET", app_path + "/slug"), 405, "PUT, PATCH, DELETE");
  expect_refusal(call("GET", "/v0.1/apps/a/register-webhook"), 405, "POST");
  expect_refusal(call("GET", "/v0.1/apps"), 404, "no such path");
  EXPECT_FALSE(bitrise_dialect().owns_path("/v1/webhooks"));
  EXPECT_FALSE(bitrise_dialect().owns_path("/v0.10/apps"));
}

// 2, errors: the documented statuses and no 403.
TEST_F(BitriseApi, TurnsEveryRefusalIntoADocumentedStatus) {
  struct Row {
    uint16_t status;
    uint16_t shown;
  };
  for (const Row row :
       {Row{400, 400}, Row{403, 404}, Row{404, 404}, Row{405, 405}, Row{408, 408}, Row{409, 400},
        Row{413, 413}, Row{415, 415}, Row{417, 417}, Row{421, 421}, Row{422, 400}, Row{429, 429},
        Row{431, 431}, Row{500, 500}, Row{503, 500}, Row{507, 500}}) {
    const auto response = bitrise_dialect().refuse(api::refusal(row.status, "why", "member"));
    EXPECT_EQ(response.status, row.shown) << row.status;
    if (row.status != 403) {
      EXPECT_EQ(response.body, R"({"message":"`member`: Why."})");
    }
  }
  const auto stranger = bitrise_dialect().refuse(api::refusal(401, "send <token>"));
  EXPECT_EQ(stranger.status, 401);
  EXPECT_EQ(stranger.body, R"({"message":"Send <token>."})");
  api::Problem busy = api::refusal(503, "the disk is full");
  busy.retry_after_s = 5;
  ASSERT_EQ(bitrise_dialect().refuse(busy).headers.size(), 1u);
  EXPECT_EQ(bitrise_dialect().refuse(busy).headers[0].value, "5");
  management_.failure = busy;
  expect_refusal(call("POST", app_path, R"({"events":["all"],"url":"a.b"})"), 500, "disk is full");
}

// --- paging: 2.2 ---------------------------------------------------------------------------------

TEST_F(BitriseApi, PagesWebhooksOldestFirst) {
  std::vector<std::string> slugs;
  for (int made = 0; made < 52; ++made) {
    management_.now += std::chrono::milliseconds(1);
    slugs.push_back(make());
  }
  make(R"({"events":["all"],"url":"a.b"})", "/v0.1/apps/other/outgoing-webhooks");
  Json first{call("GET", app_path).response.body};
  EXPECT_EQ(first.size("/data"), 50u);
  EXPECT_EQ(first.text("/data/0/slug"), slugs[0]);
  EXPECT_EQ(first.text("/paging"),
            R"({"next":")" + slugs[50] + R"(","page_item_limit":50,"total_item_count":52})");
  Json last{call("GET", app_path + "?next=" + slugs[50]).response.body};
  EXPECT_EQ(last.size("/data"), 2u);
  EXPECT_EQ(last.text("/paging"), R"({"page_item_limit":50,"total_item_count":52})");
  Json small{call("GET", app_path + "?limit=1&next=" + slugs[7]).response.body};
  EXPECT_EQ(small.size("/data"), 1u);
  EXPECT_EQ(small.text("/data/0/slug"), slugs[7]);
  EXPECT_EQ(small.text("/paging/next"), slugs[8]);
  EXPECT_EQ(small.text("/paging/page_item_limit"), "1");
}

TEST_F(BitriseApi, RefusesAWrongPage) {
  const std::string slug = make();
  for (const char* query : {"?limit=0", "?limit=51", "?limit=-1", "?limit=x", "?limit="}) {
    expect_refusal(call("GET", app_path + query), 400, "`limit` must be");
    expect_refusal(call("GET", app_path + "/" + slug + "/delivery-items" + query), 400, "limit");
  }
  expect_refusal(call("GET", app_path + "?next=unknown"), 400, "`next` is not the id of an item");
  expect_refusal(call("GET", app_path + "/" + slug + "/delivery-items?next=" + slug), 400, "next");
  expect_refusal(call("GET", app_path + "?limit=1&limit=2"), 400, "query");
  EXPECT_EQ(call("GET", app_path + "?sort_by=other").response.status, 200);
}

TEST_F(BitriseApi, ListsAnAppWithoutWebhooks) {
  EXPECT_EQ(call("GET", app_path).response.body,
            R"({"data":[],"paging":{"page_item_limit":50,"total_item_count":0}})");
}

// --- deliveries: 2.6, 6 --------------------------------------------------------------------------

class BitriseDeliveries : public BitriseApi {
 protected:
  BitriseDeliveries() : slug_(make()), items_(app_path + "/" + slug_ + "/delivery-items") {
    event_.source = "app/c0ffee1234abcd56";
    event_.type = "build/finished";
    event_.data = as_bytes(R"({"build_slug":"7f3c9a10b2d44e6f","build_number":128})");
  }

  FakeManagement::Logged& log_delivery() {
    management_.now += std::chrono::milliseconds(1);
    return management_.log_delivery(stored(slug_), event_);
  }
  static void answer(FakeManagement::Logged& item, WallTime at, Duration duration,
                     uint16_t status = 200) {
    item.status = journal::DeliveryStatus::delivered;
    FakeManagement::log_attempt(
        item, {.started_at = at,
               .duration = duration,
               .failed = status == 0,
               .error = {Errc::timed_out, Side::endpoint},
               .http_status = status,
               .request_head = "POST /in HTTP/1.1\r\nHost: ci.example.org\r\n"
                               "Bitrise-Event-Type: build/finished\r\n"
                               "Bitrise-App-Id: c0ffee1234abcd56\r\n\r\n",
               .response_head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
               .response_body = as_bytes("ok")});
  }

  const std::string slug_;
  const std::string items_;
  journal::EventView event_;
};

TEST_F(BitriseDeliveries, ShowsAnItemAsTheExample) {
  auto& logged = log_delivery();
  const WallTime begun = management_.now;
  answer(logged, begun, std::chrono::microseconds(222'222));
  const std::string item = logged.id.to_text();
  const Answer shown = call("GET", items_ + "/" + item);
  EXPECT_EQ(shown.response.status, 200);
  EXPECT_EQ(
      shown.response.body,
      R"({"slug":")" + item +
          R"(","request_url":"https://ci.example.org/in",)"
          R"("request_headers":"{\"Host\":\"ci.example.org\",)"
          R"(\"Bitrise-Event-Type\":\"build/finished\",\"Bitrise-App-Id\":\"c0ffee1234abcd56\"}",)"
          R"("request_payload":"{\"build_slug\":\"7f3c9a10b2d44e6f\",\"build_number\":128}",)"
          R"("response_http_status":200,"response_seconds":0,)"
          R"("response_headers":"{\"Content-Type\":\"text/plain\"}","response_body":"ok",)"
          R"("created_at":")" +
          to_rfc3339(begun) + R"(","updated_at":")" +
          to_rfc3339(begun + std::chrono::microseconds(222'222)) + R"("})");
}

TEST_F(BitriseDeliveries, RoundsSecondsDown) {
  struct Row {
    int64_t ms;
    const char* seconds;
  };
  for (const Row row : {Row{999, "0"}, Row{1000, "1"}, Row{1999, "1"}, Row{9999, "9"}}) {
    auto& logged = log_delivery();
    answer(logged, management_.now, std::chrono::milliseconds(row.ms));
    Json json{call("GET", items_ + "/" + logged.id.to_text()).response.body};
    EXPECT_EQ(json.text("/response_seconds"), row.seconds);
  }
}

TEST_F(BitriseDeliveries, HasNoResponseWhereNoneCame) {
  auto& pending = log_delivery();
  auto& failed = log_delivery();
  answer(failed, management_.now, std::chrono::seconds(10), 0);
  for (const auto* logged : {&pending, &failed}) {
    Json json{call("GET", items_ + "/" + logged->id.to_text()).response.body};
    for (const char* member :
         {"/response_http_status", "/response_seconds", "/response_headers", "/response_body"}) {
      EXPECT_EQ(json.text(member), "null") << member;
    }
  }
  Json reason{call("GET", items_ + "/" + failed.id.to_text()).response.body};
  EXPECT_EQ(reason.text("/error"), describe({Errc::timed_out, Side::endpoint}));
  Json json{call("GET", items_ + "/" + pending.id.to_text()).response.body};
  EXPECT_EQ(json.text("/error"), "(absent)");
  EXPECT_EQ(json.text("/request_url"), "https://a.example/") << "nothing was sent yet";
  EXPECT_EQ(json.text("/request_headers"), "{}");
  EXPECT_EQ(json.text("/updated_at"), json.text("/created_at"));
}

TEST_F(BitriseDeliveries, ListsTheLast100OfSevenDaysNewestFirst) {
  log_delivery();  // Too old below.
  management_.now += std::chrono::days(7);
  std::vector<std::string> slugs;
  for (int made = 0; made < 3; ++made) slugs.push_back(log_delivery().id.to_text());
  Json page{call("GET", items_).response.body};
  EXPECT_EQ(page.size("/data"), 3u);
  EXPECT_EQ(page.text("/data/0/slug"), slugs[2]);
  EXPECT_EQ(page.text("/data/2/slug"), slugs[0]);
  EXPECT_EQ(page.text("/paging"), R"({"page_item_limit":50,"total_item_count":3})");
  for (int made = 3; made < 101; ++made) slugs.push_back(log_delivery().id.to_text());
  Json first{call("GET", items_).response.body};
  EXPECT_EQ(first.size("/data"), 50u);
  EXPECT_EQ(first.text("/paging/total_item_count"), "100");
  Json second{call("GET", items_ + "?next=" + first.text("/paging/next")).response.body};
  EXPECT_EQ(second.size("/data"), 50u);
  EXPECT_EQ(second.text("/data/49/slug"), slugs[1]);
  EXPECT_EQ(second.text("/paging/next"), "(absent)");
  expect_refusal(call("GET", items_ + "/" + slugs[0]), 404, "no such delivery item");
  expect_refusal(call("POST", items_ + "/" + slugs[0] + "/redeliver"), 404, "no such");
}

TEST_F(BitriseDeliveries, EndsAPageEarlyWherePayloadsAreLarge) {
  const std::string large = "\"" + std::string(1 << 20, 'x') + "\"";
  event_.data = as_bytes(large);
  std::vector<std::string> slugs;
  for (int made = 0; made < 9; ++made) slugs.push_back(log_delivery().id.to_text());
  size_t seen = 0;
  std::string target = items_;
  while (true) {
    const std::string body = call("GET", target).response.body;
    EXPECT_LT(body.size(), 6u << 20);
    Json page{body};
    seen += page.size("/data");
    EXPECT_EQ(page.text("/paging/total_item_count"), "9");
    if (page.text("/paging/next") == "(absent)") break;
    ASSERT_LT(seen, 9u);
    target = items_ + "?next=" + page.text("/paging/next");
  }
  EXPECT_EQ(seen, 9u);
}

TEST_F(BitriseDeliveries, SendsAnItemAgain) {
  auto& logged = log_delivery();
  const std::string item = logged.id.to_text();
  const Answer again = call("POST", items_ + "/" + item + "/redeliver");
  EXPECT_EQ(again.response.status, 200);
  EXPECT_EQ(again.response.body, R"({"message":"ok"})");
  EXPECT_EQ(again.when, Answer::When::stored);
  EXPECT_EQ(management_.redelivered, std::vector<Ulid>{logged.id});
  expect_refusal(call("POST", items_ + "/unknown/redeliver"), 404, "no such delivery item");
  management_.failure = api::refusal(409, "the delivery's webhook is not active");
  expect_refusal(call("POST", items_ + "/" + item + "/redeliver"), 400, "not active");
}

TEST_F(BitriseDeliveries, KeepsToItsOwnWebhook) {
  const std::string item = log_delivery().id.to_text();
  const std::string other = make();
  expect_refusal(call("GET", app_path + "/" + other + "/delivery-items/" + item), 404, "no such");
  EXPECT_EQ(
      Json{call("GET", app_path + "/" + other + "/delivery-items").response.body}.size("/data"),
      0u);
  expect_refusal(call("GET", app_path + "/unknown/delivery-items"), 404, "outgoing webhook");
}

// --- the native API's settings -------------------------------------------------------------------

TEST(BitriseSettings, ReadGroupsAndWriteThemBack) {
  const Dialect& bitrise = bitrise_dialect();
  const auto written = [&](const Webhook& webhook) {
    std::string text;
    JsonWriter json{text};
    bitrise.write_settings(json, webhook);
    return text;
  };
  Webhook webhook = bitrise.defaults();
  ASSERT_FALSE(bitrise.read_settings("{}", webhook));
  EXPECT_EQ(webhook.events, std::vector<std::string>{"*"}) << "without settings `events` stand";
  ASSERT_FALSE(bitrise.read_settings(R"({"events":["build","pipeline"]})", webhook));
  EXPECT_EQ(webhook.events, (std::vector<std::string>{"build/triggered", "build/finished"}));
  EXPECT_EQ(written(webhook), R"({"events":["build","pipeline"],"registered_by_addon":false})");
  Webhook copy = bitrise.defaults();
  ASSERT_FALSE(bitrise.read_settings(written(webhook), copy));
  EXPECT_EQ(copy.events, webhook.events);
  EXPECT_EQ(copy.settings, webhook.settings);
  webhook.events = {"deploy/*"};
  EXPECT_EQ(written(webhook), R"({"registered_by_addon":false})") << "no group says that";
  EXPECT_EQ(bitrise.read_settings(R"({"events":["x"]})", webhook)->member, "settings.events[0]");
  EXPECT_EQ(bitrise.read_settings(R"({"registered_by_addon":1})", webhook)->member,
            "settings.registered_by_addon");
  EXPECT_EQ(bitrise.read_settings(R"({"event":[]})", webhook)->member, "settings.event");
}

TEST(BitriseSettings, ShowTheGroupsThatFitTypesSetOverTheNativeApi) {
  FakeManagement management;
  Webhook webhook = bitrise_dialect().defaults();
  webhook.sources = {"app/one"};
  const auto shown = [&](std::vector<std::string> types) {
    webhook.events = std::move(types);
    management.stored.clear();
    (void)management.create(webhook);
    const Answer page =
        ask(bitrise_dialect(), management, "GET", "/v0.1/apps/one/outgoing-webhooks");
    return Json{page.response.body}.text("/data/0/events");
  };
  EXPECT_EQ(shown({"*"}), R"(["all"])");
  EXPECT_EQ(shown({"build/finished"}), R"(["build"])");
  EXPECT_EQ(shown({"build/*", "deploy/*"}), R"(["build"])");
  EXPECT_EQ(shown({"deploy/*"}), "[]");
}

}  // namespace
}  // namespace ringpost::dialect
