// Goal: what the management API answers is true on every shard when it is answered, belongs to the
// caller's organization, and is complete; the shards get what they ask for.
// Method: Control with an in-memory store and journals, and a post whose shards answer when told
// to.

#include "control/control.h"

#include "control/store/store.h"
#include "control_fakes.h"
#include "crypto/digest.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using journal::Position;
using subscription::Scope;
using testing::at;
using testing::FakeJournals;
using testing::FakePost;

constexpr uint32_t shard_count = 2;

Instant monotonic(int64_t seconds) {
  return Instant{std::chrono::seconds(seconds)};
}

/// Reads an answer's body; a test asks for members by path.
class Json {
 public:
  explicit Json(const std::string& text) : text_(text) {
    EXPECT_FALSE(parser_.parse(text_).get(root_)) << text;
  }
  std::string text(std::string_view pointer) {
    std::string_view value;
    if (root_.at_pointer(pointer).get(value)) return "(none)";
    return std::string{value};
  }
  int64_t number(std::string_view pointer) {
    int64_t value = -1;
    if (root_.at_pointer(pointer).get(value)) return -1;
    return value;
  }
  size_t size(std::string_view pointer) {
    simdjson::dom::array array;
    if (root_.at_pointer(pointer).get(array)) return SIZE_MAX;
    return array.size();
  }
  bool is_null(std::string_view pointer) {
    simdjson::dom::element value;
    return !root_.at_pointer(pointer).get(value) && value.is_null();
  }

 private:
  std::string text_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

class ControlTest : public ::testing::Test {
 protected:
  ControlTest()
      : store_(Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store),
        table_(shard_count, HashKey{}),
        post_(shard_count),
        counters_(shard_count) {
    add_token("admin-token", "default", static_cast<uint8_t>(Scope::admin));
    restart();
  }

  void restart(Reload reload = {}) {
    control_ = std::make_unique<Control>(
        Control::Parts{*store_, table_, journals_, post_, {&counters_[0], &counters_[1]}},
        Control::Options{.reload = std::move(reload)});
    EXPECT_TRUE(control_->load());
    EXPECT_TRUE(control_->finish_recovery());
  }

  void add_token(const std::string& text, const std::string& organization, uint8_t scopes) {
    subscription::Token token;
    token.id = Ulid::mint(at(0), random_);
    token.name = text;
    token.organization = organization;
    token.scopes = scopes;
    token.sha256 = crypto::sha256(as_bytes(text));
    ASSERT_TRUE(store_->insert_token(token));
    table_.put_token(token);
    table_.publish();
  }

  void tell(uint32_t shard, ToControl message) {
    control_->handle(shard, std::move(message), at(clock_), monotonic(clock_));
  }

  /// Sends a request, without publishing anything.
  void send(const std::string& method, const std::string& target, const std::string& body = {},
            const std::string& token = "admin-token") {
    auto request = std::make_unique<http::Request>();
    request->method = method;
    request->target = target;
    request->path = target.substr(0, target.find('?'));
    if (target.find('?') != std::string::npos) request->query = target.substr(target.find('?') + 1);
    if (!token.empty()) request->headers.push_back({"Authorization", "Bearer " + token});
    if (!body.empty()) request->headers.push_back({"Content-Type", "application/json"});
    request->body = body;
    tell(0, ApiRequest{{}, std::move(request), {}});
  }
  std::optional<http::Response> answered() {
    auto reply = post_.take<ApiReply>(0);
    if (!reply) return std::nullopt;
    return *reply->response;
  }
  /// The shards take every published snapshot.
  void settle() {
    control_->flush();
    for (uint32_t shard = 0; shard < shard_count; ++shard) {
      while (auto published = post_.take<SnapshotPublished>(shard)) {
        ended_.insert(ended_.end(), published->ended.begin(), published->ended.end());
        tell(shard, SnapshotSeen{published->version});
      }
      while (auto published = post_.take<SettingsPublished>(shard)) {
        tell(shard, SettingsSeen{published->version});
      }
    }
  }
  http::Response ask(const std::string& method, const std::string& target,
                     const std::string& body = {}, const std::string& token = "admin-token") {
    send(method, target, body, token);
    settle();
    auto response = answered();
    EXPECT_TRUE(response) << method << " " << target;
    return response ? *response : http::Response{};
  }

  /// @returns the id.
  std::string make_webhook(const std::string& members = {}) {
    const auto response =
        ask("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in")" + members + "}");
    EXPECT_EQ(response.status, 201) << response.body;
    return Json(response.body).text("/id");
  }
  uint32_t number_of(const std::string& id) {
    uint32_t number = 0;
    table_.current().for_each_webhook([&](const subscription::Webhook& webhook) {
      if (webhook.id.to_text() == id) number = webhook.number;
    });
    return number;
  }
  size_t matches() {
    std::vector<const subscription::Webhook*> found;
    table_.current().match({"default", "app/x", "build/finished"}, found);
    return found.size();
  }

  journal::EventRef accept(uint32_t number, const std::string& id = {},
                           const std::string& type = "build/finished",
                           const std::string& organization = "default") {
    const auto numbers = testing::pack_numbers({number});
    journal::EventView view;
    view.uid = Ulid::mint(at(clock_), random_);
    const std::string text = id.empty() ? view.uid.to_text() : id;
    view.accepted_at = at(clock_);
    view.organization = organization;
    view.id = text;
    view.source = "app/x";
    view.type = type;
    view.data = as_bytes(R"({"build": 1.0})");
    view.webhook_numbers = numbers;
    auto event = journals_.put_event(view, Position::make(0, 1, offset_ += 64));
    tell(0, EventAccepted{event});
    ++clock_;
    return event;
  }
  Ulid settle_delivery(const journal::EventRef& event, DeliveryStatus status, uint32_t attempt = 1,
                       uint16_t http_status = 200) {
    journal::OutcomeView view;
    view.webhook_number = event->view().webhook_number(0);
    view.delivery = journal::delivery_id(event->view().uid, view.webhook_number);
    view.event = event->position();
    view.attempt = attempt;
    view.status = status;
    view.started_at = at(clock_);
    view.duration = std::chrono::milliseconds(12);
    view.failed = http_status >= 300;
    view.error = {Errc::bad_status, Side::endpoint, http_status};
    view.http_status = http_status;
    view.request_head = "POST /in HTTP/1.1\r\nHost: ci.example.org\r\nX-A: 1\r\n\r\n";
    view.response_head = "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nbad line\r\n\r\n";
    view.response_body = as_bytes("<b>\xff");
    const Position position = Position::make(1, 1, offset_ += 64);
    journals_.put_outcome(view, position);
    tell(1, OutcomeRecorded{view.delivery, view.event, position, view.webhook_number, attempt,
                            status, view.started_at, view.next_attempt_at});
    return view.delivery;
  }

  Prng random_{3};
  int64_t clock_ = 0;
  uint32_t offset_ = 4096;
  std::unique_ptr<Store> store_;
  subscription::SubscriptionTable table_;
  FakeJournals journals_;
  FakePost post_;
  std::vector<Counters> counters_;
  std::vector<uint32_t> ended_;
  std::unique_ptr<Control> control_;
};

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
    {"GET", "/v1/deliveries/ID", Scope::deliveries_read},
    {"POST", "/v1/deliveries/ID/redeliver", Scope::deliveries_redeliver},
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
    EXPECT_EQ(ask(route.method, route.path, {}, "others-" + name).status, 403) << name;
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
                           "/v1/deliveries", "/v1/events/", "/v2/webhooks"}) {
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

// --- webhooks ------------------------------------------------------------------------------------

TEST_F(ControlTest, AnswersACreateWhenEveryShardHasSeenIt) {
  send("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in"})");
  EXPECT_FALSE(answered());
  control_->flush();
  EXPECT_FALSE(answered());
  const auto first = post_.take<SnapshotPublished>(0);
  const auto second = post_.take<SnapshotPublished>(1);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(matches(), 1u);
  tell(0, SnapshotSeen{first->version});
  tell(1, SnapshotSeen{second->version - 1});
  EXPECT_FALSE(answered());
  tell(1, SnapshotSeen{second->version});
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 201);
  Json json(response->body);
  EXPECT_TRUE(json.text("/secret").starts_with("whsec_"));
  EXPECT_EQ(json.text("/state"), "active");
  EXPECT_EQ(response->headers[0].value, "/v1/webhooks/" + json.text("/id"));
}

TEST_F(ControlTest, PublishesSeveralChangesAtOnceAndAnswersAll) {
  for (int count = 0; count < 5; ++count) {
    send("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in"})");
  }
  control_->flush();
  EXPECT_EQ(post_.sent[1].size(), 1u);
  settle();
  for (int count = 0; count < 5; ++count) EXPECT_EQ(answered()->status, 201);
  EXPECT_EQ(matches(), 5u);
}

TEST_F(ControlTest, SeesAChangeThatIsNotPublishedYet) {
  const std::string id = make_webhook();
  send("PATCH", "/v1/webhooks/" + id, R"({"description": "one"})");
  send("PATCH", "/v1/webhooks/" + id, R"({"timeout_ms": 500})");
  settle();
  EXPECT_EQ(answered()->status, 200);
  Json json(answered()->body);
  EXPECT_EQ(json.text("/description"), "one");
  EXPECT_EQ(json.number("/timeout_ms"), 500);
  send("DELETE", "/v1/webhooks/" + id);
  send("PATCH", "/v1/webhooks/" + id, R"({"timeout_ms": 600})");
  EXPECT_EQ(answered()->status, 404);  // At once: nothing to wait for.
  settle();
  EXPECT_EQ(answered()->status, 204);
}

TEST_F(ControlTest, EndsDeliveriesOfDeletedAndDisabledWebhooks) {
  const std::string deleted = make_webhook();
  const std::string disabled = make_webhook();
  const uint32_t deleted_number = number_of(deleted);
  EXPECT_EQ(ask("DELETE", "/v1/webhooks/" + deleted).status, 204);
  EXPECT_EQ(ended_, (std::vector{deleted_number, deleted_number}));  // To both shards.
  ended_.clear();
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + disabled + "/disable").status, 200);
  EXPECT_EQ(ended_.size(), 2u);
  EXPECT_EQ(matches(), 0u);
  ended_.clear();
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + disabled + "/enable").status, 200);
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(matches(), 1u);
  EXPECT_EQ(ask("GET", "/v1/webhooks/" + deleted).status, 404);
}

TEST_F(ControlTest, ShowsASecretOnlyWhenItIsMade) {
  const std::string id = make_webhook();
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks/" + id).body).text("/secret"), "(none)");
  EXPECT_EQ(Json(ask("PATCH", "/v1/webhooks/" + id, R"({"description": ""})").body).text("/secret"),
            "(none)");
  const auto list = ask("GET", "/v1/webhooks");
  EXPECT_EQ(list.body.find("whsec_"), std::string::npos);
  const std::string rotated =
      Json(ask("POST", "/v1/webhooks/" + id + "/rotate-secret").body).text("/secret");
  EXPECT_TRUE(rotated.starts_with("whsec_"));
  EXPECT_EQ(table_.current().webhook(number_of(id))->secret, rotated);
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + id + "/rotate-secret", R"({"secret": "x"})").status, 422);
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + id + "/rotate-secret", R"({"other": "x"})").status, 422);
}

TEST_F(ControlTest, PagesWebhooksWhileNewOnesCome) {
  std::vector<std::string> made;
  for (int count = 0; count < 7; ++count) {
    made.push_back(make_webhook());
    ++clock_;
  }
  std::vector<std::string> seen;
  std::string target = "/v1/webhooks?limit=3";
  while (true) {
    Json page(ask("GET", target).body);
    for (size_t index = 0; index < page.size("/items"); ++index) {
      seen.push_back(page.text("/items/" + std::to_string(index) + "/id"));
    }
    make_webhook();
    ++clock_;
    if (page.is_null("/next_cursor")) break;
    target = "/v1/webhooks?limit=3&cursor=" + page.text("/next_cursor");
  }
  EXPECT_EQ(seen, std::vector<std::string>(made.rbegin(), made.rend()));
}

TEST_F(ControlTest, RefusesWrongListParameters) {
  const std::string id = make_webhook();
  for (const char* query : {"limit=0", "limit=201", "limit=x", "limit=", "limit=-1",
                            "cursor=", "cursor=abc", "cursor=d01J0000000000000000000000",
                            "limit=1&limit=2", "other=1", "status=dead", "a=%zz"}) {
    EXPECT_EQ(ask("GET", std::string("/v1/webhooks?") + query).status, 400) << query;
  }
  for (const char* query : {"status=lost", "since=yesterday", "until=1", "cursor=w", "what=1",
                            "cursor=w01J0000000000000000000000"}) {
    const auto response = ask("GET", "/v1/webhooks/" + id + "/deliveries?" + query);
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_NE(Json(response.body).text("/member"), "(none)") << query;
  }
}

TEST_F(ControlTest, KeepsWebhooksAndTokensOverARestart) {
  const std::string id = make_webhook(R"(, "description": "kept")");
  // On the heap: g++ 12's sanitizer does not align objects on the stack to 64 bytes.
  const auto table = std::make_unique<subscription::SubscriptionTable>(shard_count, HashKey{});
  Control control({*store_, *table, journals_, post_, {&counters_[0], &counters_[1]}}, {});
  ASSERT_TRUE(control.load());
  EXPECT_EQ(table->current().webhook_count(), 1u);
  EXPECT_EQ(table->current().token_count(), 1u);
}

TEST_F(ControlTest, DisablesAWebhookWhoseEndpointIsGone) {
  const std::string id = make_webhook();
  tell(1, EndpointGone{number_of(id)});
  settle();
  EXPECT_EQ(ended_.size(), 2u);
  EXPECT_EQ(matches(), 0u);
  Json json(ask("GET", "/v1/webhooks/" + id).body);
  EXPECT_EQ(json.text("/state"), "disabled");
  EXPECT_EQ(json.text("/state_reason"), "the endpoint answered 410 Gone");
  tell(1, EndpointGone{number_of(id)});
  tell(1, EndpointGone{12345});
  settle();
  EXPECT_EQ(ended_.size(), 2u);
}

// Bitrise's API shows no state: to mend the webhook is how one goes on.
TEST_F(ControlTest, StartsABitriseWebhookAgainWhenItIsMendedAfterA410) {
  const std::string path = "/v0.1/apps/c0ffee/outgoing-webhooks";
  const std::string body = R"({"events": ["all"], "url": "https://ci.example.org/"})";
  const std::string id = Json(ask("POST", path, body).body).text("/data/slug");
  const auto state = [&] { return Json(ask("GET", "/v1/webhooks/" + id).body).text("/state"); };
  tell(1, EndpointGone{number_of(id)});
  settle();
  EXPECT_EQ(state(), "disabled");
  restart();
  EXPECT_EQ(ask("PUT", path + "/" + id, body).status, 200);
  EXPECT_EQ(state(), "active");
  tell(1, EndpointGone{number_of(id)});
  settle();
  ask("POST", "/v1/webhooks/" + id + "/disable");
  EXPECT_EQ(ask("PUT", path + "/" + id, body).status, 200);
  EXPECT_EQ(state(), "disabled") << "a person has said so since";
}

// --- rotation ------------------------------------------------------------------------------------

TEST_F(ControlTest, KeepsTheOldSecretForTheOverlapOfARotation) {
  const std::string id = make_webhook();
  const std::string path = "/v1/webhooks/" + id + "/rotate-secret";
  const auto webhook = [&] { return table_.current().webhook(number_of(id)); };
  const std::string first = webhook()->secret;
  const auto rotated = ask("POST", path);
  ASSERT_EQ(rotated.status, 200) << rotated.body;
  EXPECT_EQ(webhook()->previous_secret, first);
  EXPECT_EQ(webhook()->previous_secret_until - webhook()->updated_at, std::chrono::hours{24});
  EXPECT_EQ(Json(rotated.body).text("/previous_secret_until"),
            to_rfc3339(webhook()->previous_secret_until));
  EXPECT_EQ(rotated.body.find(first), std::string::npos);
  const std::string shown = ask("GET", "/v1/webhooks/" + id).body;
  EXPECT_EQ(shown.find("whsec_"), std::string::npos);
  EXPECT_NE(shown.find("\"previous_secret_until\":\"2"), std::string::npos) << shown;

  // A rotation during an overlap gives the oldest one up.
  const std::string second = webhook()->secret;
  ASSERT_EQ(ask("POST", path, R"({"overlap_s": 60})").status, 200);
  EXPECT_EQ(webhook()->previous_secret, second);
  EXPECT_EQ(webhook()->previous_secret_until - webhook()->updated_at, std::chrono::seconds{60});

  // At once: the old one is void.
  ASSERT_EQ(ask("POST", path, R"({"overlap_s": 0})").status, 200);
  EXPECT_EQ(webhook()->previous_secret, "");
  EXPECT_TRUE(Json(ask("GET", "/v1/webhooks/" + id).body).is_null("/previous_secret_until"));
}

TEST_F(ControlTest, ForgetsAnOldSecretWhoseTimeIsOver) {
  const std::string id = make_webhook();
  const std::string path = "/v1/webhooks/" + id;
  ASSERT_EQ(ask("POST", path + "/rotate-secret", R"({"overlap_s": 5})").status, 200);
  clock_ += 4;
  ASSERT_EQ(ask("PATCH", path, R"({"description": "a"})").status, 200);
  EXPECT_NE(table_.current().webhook(number_of(id))->previous_secret, "");
  clock_ += 1;
  ASSERT_EQ(ask("PATCH", path, R"({"description": "b"})").status, 200);
  EXPECT_EQ(table_.current().webhook(number_of(id))->previous_secret, "");
  // A secret that is set, not rotated, counts at once and alone.
  ASSERT_EQ(ask("POST", path + "/rotate-secret").status, 200);
  ASSERT_EQ(ask("PATCH", path, R"({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})").status,
            200);
  EXPECT_EQ(table_.current().webhook(number_of(id))->previous_secret, "");
}

TEST_F(ControlTest, RefusesRotationsThatMakeNoSense) {
  const std::string standard = make_webhook();
  const std::string bearer = make_webhook(R"(, "dialect": "cloudevents", "secret": "abc")");
  const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const auto rotate = [&](const std::string& id, const std::string& body) {
    const auto answer = ask("POST", "/v1/webhooks/" + id + "/rotate-secret", body);
    return answer.status == 422 ? Json(answer.body).text("/member") : std::to_string(answer.status);
  };
  for (const char* overlap : {"-1", "1.5", "\"1\"", "2592001", "null"}) {
    EXPECT_EQ(rotate(standard, std::string{R"({"overlap_s": )"} + overlap + "}"), "overlap_s");
  }
  EXPECT_EQ(rotate(standard, R"({"secret": ")" + secret + "\"}"), "200");
  EXPECT_EQ(rotate(standard, R"({"secret": ")" + secret + "\"}"), "secret") << "it is that one";
  EXPECT_EQ(rotate(standard, R"({"secret": "", "overlap_s": 0})"), "secret");
  EXPECT_EQ(rotate(bearer, ""), "200");
  EXPECT_EQ(table_.current().webhook(number_of(bearer))->secret.size(), 64u) << "minted";
  EXPECT_EQ(rotate(bearer, R"({"secret": "def", "overlap_s": 60})"), "overlap_s");
  EXPECT_EQ(rotate(bearer, R"({"secret": "def"})"), "200");
  EXPECT_EQ(table_.current().webhook(number_of(bearer))->previous_secret, "");
}

TEST_F(ControlTest, ShowsAPublicKeyAndRotatesWithinItsKind) {
  const std::string id = make_webhook(R"(, "settings": {"signature": "v1a"})");
  const std::string path = "/v1/webhooks/" + id;
  Json before(ask("GET", path).body);
  EXPECT_EQ(before.text("/settings/signature"), "v1a");
  EXPECT_TRUE(before.text("/settings/public_key").starts_with("whpk_"));
  Json rotated(ask("POST", path + "/rotate-secret").body);
  EXPECT_TRUE(rotated.text("/secret").starts_with("whsk_"));
  EXPECT_NE(rotated.text("/settings/public_key"), before.text("/settings/public_key"));
  // To the other kind, by naming a secret of it.
  Json other(ask("POST", path + "/rotate-secret",
                 R"({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})")
                 .body);
  EXPECT_EQ(other.text("/settings/signature"), "v1");
  EXPECT_TRUE(table_.current().webhook(number_of(id))->previous_secret.starts_with("whsk_"));
}

// --- deliveries and events -----------------------------------------------------------------------

TEST_F(ControlTest, ShowsADeliveryWithItsAttempts) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id), "event-1");
  settle_delivery(event, DeliveryStatus::pending, 1, 500);
  const std::string delivery = settle_delivery(event, DeliveryStatus::delivered, 2).to_text();
  const auto response = ask("GET", "/v1/deliveries/" + delivery);
  EXPECT_EQ(response.status, 200) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.text("/webhook"), id);
  EXPECT_EQ(json.text("/event/id"), "event-1");
  EXPECT_EQ(json.text("/status"), "delivered");
  EXPECT_EQ(json.size("/attempts"), 2u);
  EXPECT_EQ(json.number("/attempts/0/number"), 1);
  EXPECT_EQ(json.text("/attempts/0/error/code"), "bad_status");
  EXPECT_TRUE(json.is_null("/attempts/1/error"));
  EXPECT_EQ(json.number("/attempts/1/duration_ms"), 12);
  EXPECT_EQ(json.text("/attempts/1/request/method"), "POST");
  EXPECT_EQ(json.text("/attempts/1/request/url"), "https://ci.example.org/in");
  EXPECT_EQ(json.text("/attempts/1/request/headers/X-A"), "1");
  EXPECT_EQ(json.text("/attempts/1/request/body"), R"({"build": 1.0})");
  EXPECT_EQ(json.number("/attempts/1/response/status"), 200);
  EXPECT_EQ(json.text("/attempts/1/response/headers/Set-Cookie"), "a, b");
  EXPECT_EQ(json.text("/attempts/1/response/body"), "<b>\xEF\xBF\xBD");
}

TEST_F(ControlTest, TellsAnAttemptUnderWayFromOneWhoseEndIsUnknown) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id));
  const std::string path =
      "/v1/deliveries/" + settle_delivery(event, DeliveryStatus::in_flight, 1, 0).to_text();
  Json under_way(ask("GET", path).body);
  EXPECT_EQ(under_way.text("/status"), "in_flight");
  EXPECT_TRUE(under_way.is_null("/attempts/0/error"));
  EXPECT_TRUE(under_way.is_null("/attempts/0/duration_ms"));
  EXPECT_TRUE(under_way.is_null("/attempts/0/response"));
  settle_delivery(event, DeliveryStatus::delivered, 2);
  Json done(ask("GET", path).body);
  EXPECT_EQ(done.size("/attempts"), 2u);
  EXPECT_EQ(done.text("/attempts/0/error/code"), "interrupted");
  EXPECT_TRUE(done.is_null("/attempts/1/error"));
}

TEST_F(ControlTest, ShowsADeliveryWhoseWebhookOrRecordsAreGone) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id));
  const std::string delivery = settle_delivery(event, DeliveryStatus::dead).to_text();
  ASSERT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
  journals_.outcomes.clear();
  Json json(ask("GET", "/v1/deliveries/" + delivery).body);
  EXPECT_TRUE(json.is_null("/webhook"));
  EXPECT_EQ(json.size("/attempts"), 1u);
  EXPECT_EQ(json.text("/attempts/0/error/code"), "not_found");
  journals_.events.clear();
  EXPECT_EQ(ask("GET", "/v1/deliveries/" + delivery).status, 404);
  EXPECT_EQ(ask("GET", "/v1/deliveries/nonsense").status, 404);
}

TEST_F(ControlTest, FiltersAndPagesDeliveries) {
  const std::string id = make_webhook();
  std::vector<std::string> dead;
  for (int index = 0; index < 9; ++index) {
    const auto event =
        accept(number_of(id), {}, index % 2 == 0 ? "build/finished" : "build/started");
    const auto status = index % 3 == 0 ? DeliveryStatus::dead : DeliveryStatus::delivered;
    const Ulid delivery = settle_delivery(event, status);
    if (index % 3 == 0) dead.push_back(delivery.to_text());
  }
  const std::string base = "/v1/webhooks/" + id + "/deliveries";
  Json first(ask("GET", base + "?status=dead&limit=2").body);
  ASSERT_EQ(first.size("/items"), 2u);
  EXPECT_EQ(first.text("/items/0/id"), dead[2]);
  EXPECT_EQ(first.number("/items/0/last_attempt/response_status"), 200);
  accept(number_of(id));
  Json second(ask("GET", base + "?status=dead&limit=2&cursor=" + first.text("/next_cursor")).body);
  ASSERT_EQ(second.size("/items"), 1u);
  EXPECT_EQ(second.text("/items/0/id"), dead[0]);
  EXPECT_TRUE(second.is_null("/next_cursor"));
  EXPECT_EQ(Json(ask("GET", base + "?type=build%2Fstarted").body).size("/items"), 4u);
  EXPECT_EQ(Json(ask("GET", base + "?status=pending").body).size("/items"), 1u);
  const std::string since = to_rfc3339(at(4));
  const std::string until = to_rfc3339(at(6));
  EXPECT_EQ(Json(ask("GET", base + "?since=" + since + "&until=" + until).body).size("/items"), 2u);
}

TEST_F(ControlTest, ShowsAnEventWithDeliveriesAndRedeliveries) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id), "a/b%c");
  settle_delivery(event, DeliveryStatus::dead);
  Json json(ask("GET", "/v1/events/a%2Fb%25c").body);
  EXPECT_EQ(json.text("/id"), "a/b%c");
  EXPECT_EQ(json.text("/type"), "build/finished");
  EXPECT_EQ(json.size("/deliveries"), 1u);
  EXPECT_EQ(json.text("/deliveries/0/status"), "dead");
  EXPECT_EQ(ask("GET", "/v1/events/a%2Fb%25c?source=app/x").status, 200);
  EXPECT_EQ(ask("GET", "/v1/events/a%2Fb%25c?source=app/y").status, 404);
  EXPECT_EQ(ask("GET", "/v1/events/other").status, 404);
}

TEST_F(ControlTest, RedeliversThroughTheOwnerShard) {
  const std::string id = make_webhook();
  const uint32_t number = number_of(id);
  const auto event = accept(number, "event-1");
  const Ulid delivery = settle_delivery(event, DeliveryStatus::dead);
  send("POST", "/v1/deliveries/" + delivery.to_text() + "/redeliver",
       R"({"data": {"build":  2.0}, "headers": {"X-Again": "yes"}})");
  EXPECT_FALSE(answered());
  const uint32_t owner = subscription::owner_shard(*table_.current().webhook(number), shard_count);
  const auto redeliver = post_.take<StoreEvent>(owner);
  ASSERT_TRUE(redeliver);
  const journal::EventView& repeated = redeliver->event->view();
  EXPECT_EQ(repeated.redelivery_of, delivery);
  EXPECT_EQ(repeated.id, "event-1");
  EXPECT_FALSE(repeated.id_given);
  EXPECT_EQ(as_text(repeated.data), R"({"build":  2.0})");
  EXPECT_EQ(repeated.header_overrides, "X-Again: yes\n");
  ASSERT_EQ(repeated.webhook_count(), 1u);
  EXPECT_EQ(repeated.webhook_number(0), number);
  tell(owner, StoreEventDone{redeliver->ticket, false, {}, repeated.uid});
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 202);
  Json json(response->body);
  EXPECT_EQ(json.text("/id"), journal::delivery_id(repeated.uid, number).to_text());
  EXPECT_EQ(json.text("/redelivery_of"), delivery.to_text());
  EXPECT_EQ(json.text("/status"), "pending");
  tell(owner, StoreEventDone{redeliver->ticket, false, {}, repeated.uid});
  EXPECT_FALSE(answered());  // Answered once.
}

TEST_F(ControlTest, FindsAnEventHoweverManyOthersHaveItsId) {
  const uint32_t number = number_of(make_webhook());
  accept(number, "same");
  for (int index = 0; index < 1100; ++index) accept(number, "same", "build/finished", "acme");
  const auto shown = ask("GET", "/v1/events/same");
  EXPECT_EQ(shown.status, 200) << shown.body;
  EXPECT_EQ(Json(shown.body).size("/deliveries"), 1u);
}

// The journal is not sealed: what a redelivery replaces stands there as it came.
TEST_F(ControlTest, TakesNoCredentialWithARedelivery) {
  const uint32_t number = number_of(make_webhook());
  const Ulid delivery = settle_delivery(accept(number, "event-1"), DeliveryStatus::dead);
  const auto refused = ask("POST", "/v1/deliveries/" + delivery.to_text() + "/redeliver",
                           R"({"headers": {"X-Again": "yes", "X-Auth-Token": "t0p"}})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(Json(refused.body).text("/member"), "headers.X-Auth-Token");
  EXPECT_EQ(refused.body.find("t0p"), std::string::npos);
}

// A call names its own log entry before it is stored, and no two get the same number.
TEST_F(ControlTest, TakesACallOfAnIncomingHookByItsIdAlone) {
  add_token("other-token", "other", static_cast<uint8_t>(subscription::Scope::admin));
  const std::string id =
      Json(ask("POST", "/pipelines/33/hooks/incoming", R"({"name":"n"})", "other-token").body)
          .text("/id");
  const std::string path = "/hooks/incoming/" + id;
  EXPECT_EQ(ask("GET", path).status, 404);
  std::vector<std::string> numbers;
  for (int call = 0; call < 2; ++call) {
    send("POST", path, "{}", "");
    EXPECT_FALSE(answered());
    const auto made = post_.take<StoreEvent>(0);
    ASSERT_TRUE(made);
    const journal::EventView& event = made->event->view();
    EXPECT_EQ(event.organization, "other");
    EXPECT_EQ(event.type, "hook.triggered");
    ASSERT_EQ(event.webhook_count(), 1u);
    const Ulid request = journal::delivery_id(event.uid, event.webhook_number(0));
    Json data{std::string{as_text(event.data)}};
    EXPECT_EQ(data.text("/action/triggered_from/hook_request_id"), request.to_uuid_text());
    tell(0, StoreEventDone{made->ticket, false, {}, event.uid});
    const auto response = answered();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    numbers.push_back(response->headers.at(0).value);
  }
  EXPECT_EQ(numbers[0].size(), numbers[1].size());
  EXPECT_LT(numbers[0], numbers[1]);
  EXPECT_EQ(ask("DELETE", path, {}, "other-token").status, 204);
  EXPECT_EQ(ask("POST", path, "{}", "").status, 404);
}

TEST_F(ControlTest, ListsAHookInAllItsGroups) {
  const std::string body =
      R"({"name":"n","target_url":"https://a.example/","resource_type":"application","resource_id":44})";
  const std::string id = Json(ask("POST", "/pipelines/33/hooks/outgoing", body).body).text("/id");
  EXPECT_NE(ask("GET", "/pipelines/33/hooks").body, "[]");
  EXPECT_NE(ask("GET", "/applications/44/hooks").body, "[]");
  EXPECT_EQ(
      ask("PUT", "/hooks/outgoing/" + id, R"({"id":")" + id + R"(","name":"n","resource_id":45})")
          .status,
      204);
  EXPECT_EQ(ask("GET", "/applications/44/hooks").body, "[]");
  EXPECT_NE(ask("GET", "/applications/45/hooks").body, "[]");
  EXPECT_EQ(ask("DELETE", "/hooks/outgoing/" + id).status, 204);
  EXPECT_EQ(ask("GET", "/pipelines/33/hooks").body, "[]");
  EXPECT_EQ(ask("GET", "/applications/45/hooks").body, "[]");
}

TEST_F(ControlTest, ListsAHookThatTheNativeApiMadeForAPipelineByItsSource) {
  const std::string id = make_webhook(R"(, "dialect": "devopness", "sources": ["pipeline/33"])");
  Json list(ask("GET", "/pipelines/33/hooks").body);
  EXPECT_EQ(list.size(""), 1u);
  EXPECT_EQ(list.number("/0/pipeline_id"), 33);
  restart();
  EXPECT_EQ(ask("PATCH", "/v1/webhooks/" + id, R"({"sources": ["pipeline/34"]})").status, 200);
  EXPECT_EQ(ask("GET", "/pipelines/33/hooks").body, "[]");
  EXPECT_EQ(Json(ask("GET", "/pipelines/34/hooks").body).number("/0/pipeline_id"), 34);
}

TEST_F(ControlTest, KeepsAUrlAsItWasSpelledOverARestart) {
  const std::string id = make_webhook();
  const std::string path = "/v1/webhooks/" + id;
  ask("PATCH", path, R"({"url": "https://CI.Example.org"})");
  restart();
  EXPECT_EQ(Json(ask("GET", path).body).text("/url"), "https://CI.Example.org");
  EXPECT_EQ(table_.current().webhook(number_of(id))->destination.host, "ci.example.org");
}

TEST_F(ControlTest, KeepsTheStoredBytesWhenARedeliveryReplacesNothing) {
  const std::string id = make_webhook();
  const Ulid delivery = settle_delivery(accept(number_of(id)), DeliveryStatus::dead);
  send("POST", "/v1/deliveries/" + delivery.to_text() + "/redeliver");
  const uint32_t owner =
      subscription::owner_shard(*table_.current().webhook(number_of(id)), shard_count);
  EXPECT_EQ(as_text(post_.take<StoreEvent>(owner)->event->view().data), R"({"build": 1.0})");
}

TEST_F(ControlTest, TellsWhyARedeliveryIsRefused) {
  const std::string id = make_webhook();
  const uint32_t number = number_of(id);
  const Ulid delivery = settle_delivery(accept(number), DeliveryStatus::dead);
  const std::string path = "/v1/deliveries/" + delivery.to_text() + "/redeliver";
  for (const char* body :
       {R"({"data": 1})", R"({"data": null})", R"({"headers": {"Host": "x"}})",
        R"({"headers": {"X": "a\nb"}})", R"({"headers": {"X-A": "1", "x-a": "2"}})",
        R"({"other": 1})", R"({"d\u0061ta": {}})"}) {
    EXPECT_EQ(ask("POST", path, body).status, 422) << body;
  }
  EXPECT_EQ(ask("POST", path, "[]").status, 400);
  send("POST", path);
  const uint32_t owner = subscription::owner_shard(*table_.current().webhook(number), shard_count);
  const auto redeliver = post_.take<StoreEvent>(owner);
  ASSERT_TRUE(redeliver);
  tell(owner, StoreEventDone{redeliver->ticket, true, {Errc::out_of_space, Side::disk}, {}});
  const auto full = answered();
  EXPECT_EQ(full->status, 507);
  EXPECT_EQ(full->headers[0].name, "Retry-After");
  ASSERT_EQ(ask("POST", "/v1/webhooks/" + id + "/disable").status, 200);
  EXPECT_EQ(ask("POST", path).status, 409);
  ASSERT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
  EXPECT_EQ(ask("POST", path).status, 409);
}

// --- trying a webhook out ------------------------------------------------------------------------

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

// --- webhooks all of whose deliveries fail -------------------------------------------------------

class BrokenTest : public ControlTest {
 protected:
  static constexpr int64_t hour_s = 3600;
  static constexpr int64_t bearable_s = 7 * 24 * hour_s;

  BrokenTest() : id_(make_webhook(R"(, "dialect": "buildkite")")), number_(number_of(id_)) {}

  std::string state() { return Json(ask("GET", "/v1/webhooks/" + id_).body).text("/state"); }
  void fail() { settle_delivery(accept(number_), DeliveryStatus::pending, 1, 500); }

  const std::string id_;
  const uint32_t number_;
};

TEST_F(BrokenTest, BreaksAfterAWeekOfFailures) {
  fail();
  for (int64_t day = 1; day < 7; ++day) {
    clock_ = day * 24 * hour_s;
    fail();
    EXPECT_EQ(state(), "active") << day;
  }
  clock_ = bearable_s + 60;
  fail();
  settle();
  EXPECT_EQ(state(), "broken");
  const std::set<uint32_t> ended(ended_.begin(), ended_.end());  // Each shard is told.
  EXPECT_EQ(ended, std::set<uint32_t>{number_});
  EXPECT_EQ(matches(), 0u);
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks/" + id_).body).text("/state_reason"),
            "every delivery failed for 168 hours");
}

TEST_F(BrokenTest, BeginsAnewAfterASuccess) {
  fail();
  clock_ = bearable_s - hour_s;
  settle_delivery(accept(number_), DeliveryStatus::delivered);
  clock_ = bearable_s + hour_s;
  fail();
  EXPECT_EQ(state(), "active");
  clock_ = 2 * bearable_s;
  fail();
  EXPECT_EQ(state(), "active");
  clock_ = 2 * bearable_s + 2 * hour_s;
  fail();
  EXPECT_EQ(state(), "broken");
}

TEST_F(BrokenTest, BeginsAnewWhenItIsEnabled) {
  fail();
  clock_ = bearable_s + hour_s;
  fail();
  EXPECT_EQ(state(), "broken");
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + id_ + "/enable").status, 200);
  fail();
  EXPECT_EQ(state(), "active");
  clock_ += bearable_s - hour_s;
  fail();
  EXPECT_EQ(state(), "active");
}

TEST_F(BrokenTest, RemembersAcrossARestartAndCountsOnlyTheTimeItRan) {
  fail();
  clock_ = bearable_s / 2;
  fail();
  control_->step(at(clock_), monotonic(clock_));  // Writes what is due.
  clock_ += 100 * bearable_s;                     // Switched off.
  restart();
  fail();
  EXPECT_EQ(state(), "active");
  clock_ += bearable_s / 2 + hour_s;
  fail();
  EXPECT_EQ(state(), "broken");
}

TEST_F(BrokenTest, IgnoresWhatIsNoFailure) {
  fail();
  clock_ = bearable_s + hour_s;
  settle_delivery(accept(number_), DeliveryStatus::in_flight, 1, 0);
  settle_delivery(accept(number_), DeliveryStatus::cancelled, 0, 0);
  EXPECT_EQ(state(), "active");
}

TEST_F(BrokenTest, LetsOtherDialectsFailForEver) {
  const std::string id = make_webhook();
  const uint32_t number = number_of(id);
  settle_delivery(accept(number), DeliveryStatus::dead, 1, 500);
  clock_ = 10 * bearable_s;
  settle_delivery(accept(number), DeliveryStatus::dead, 1, 500);
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks/" + id).body).text("/state"), "active");
}

// --- limits of a dialect's API -------------------------------------------------------------------

std::string header_of(const http::Response& response, std::string_view name) {
  for (const http::Header& header : response.headers) {
    if (header.name == name) return header.value;
  }
  return "(absent)";
}

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

// --- the shards' needs ---------------------------------------------------------------------------

TEST_F(ControlTest, ReadsPayloadsForShards) {
  const auto event = accept(1, "event-1");
  tell(1, PayloadWanted{event->position(), 77});
  const auto read = post_.take<PayloadRead>(1);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ticket, 77u);
  EXPECT_EQ(read->event->view().id, "event-1");
  journals_.events.clear();
  tell(1, PayloadWanted{event->position(), 78});
  const auto gone = post_.take<PayloadRead>(1);
  EXPECT_FALSE(gone->event);
  EXPECT_EQ(gone->error.code, Errc::not_found);
}

TEST_F(ControlTest, HandsOutSegmentsInSteps) {
  tell(1, SegmentWanted{});
  EXPECT_FALSE(post_.take<SegmentReady>(1));
  EXPECT_TRUE(control_->next_due());
  EXPECT_TRUE(control_->step(at(1), monotonic(1)));
  EXPECT_EQ(post_.take<SegmentReady>(1)->segment.number, 1u);
  EXPECT_FALSE(control_->step(at(1), monotonic(1)));
  EXPECT_FALSE(control_->next_due());  // At rest: no wake-ups.
}

TEST_F(ControlTest, TriesAgainSoonWhenTheDiskIsFull) {
  journals_.prepared_max = 0;
  tell(0, SegmentWanted{});
  EXPECT_FALSE(control_->step(at(1), monotonic(1)));
  ASSERT_TRUE(control_->next_due());
  EXPECT_LE(*control_->next_due() - monotonic(1), std::chrono::seconds(5));
  EXPECT_EQ(Json(ask("GET", "/v1/status").body).text("/storage/state"), "short");
  journals_.prepared_max = 1;
  control_->step(at(2), monotonic(2));
  EXPECT_TRUE(post_.take<SegmentReady>(0));
  EXPECT_EQ(Json(ask("GET", "/v1/status").body).text("/storage/state"), "ok");
}

TEST_F(ControlTest, ShowsStatus) {
  const std::string id = make_webhook();
  accept(number_of(id));
  counters_[0].add(Counter::events_accepted, 3);
  counters_[1].add(Counter::events_accepted, 4);
  clock_ = 50;
  Json json(ask("GET", "/v1/status").body);
  EXPECT_EQ(json.number("/backlog"), 1);
  EXPECT_EQ(json.number("/totals/events_accepted"), 7);
  EXPECT_EQ(json.number("/shards/1/events_accepted"), 4);
  EXPECT_EQ(json.number("/webhooks"), 1);
  EXPECT_EQ(json.number("/uptime_s"), 50);
  EXPECT_EQ(json.text("/oldest_undelivered_at"), to_rfc3339(at(0)));
  tell(1, StorageFailed{{Errc::io_failed, Side::disk, 5}});
  Json failed(ask("GET", "/v1/status").body);
  EXPECT_EQ(failed.text("/storage/state"), "failed");
  EXPECT_NE(failed.text("/storage/detail").find("EIO"), std::string::npos);
}

// --- tokens --------------------------------------------------------------------------------------

/// What a create request answered.
struct MadeToken {
  std::string text;
  std::string id;
};
MadeToken made(const http::Response& response) {
  EXPECT_EQ(response.status, 201) << response.body;
  Json json(response.body);
  return {json.text("/token"), json.text("/id")};
}

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

TEST_F(ControlTest, AnswersExpiredUnknownAndMalformedTokensAlike) {
  const MadeToken token =
      made(ask("POST", "/v1/tokens", R"({"name": "a", "scopes": ["admin"], "expires_in_s": 10})"));
  clock_ = 9;
  EXPECT_EQ(ask("GET", "/v1/webhooks", {}, token.text).status, 200);
  clock_ = 10;
  const auto expired = ask("GET", "/v1/webhooks", {}, token.text);
  EXPECT_EQ(expired.status, 401);
  for (const char* other : {"rp_unknown", "two words"}) {
    const auto response = ask("GET", "/v1/webhooks", {}, other);
    EXPECT_EQ(response.status, 401);
    EXPECT_EQ(response.body, expired.body);
    EXPECT_EQ(response.headers.at(0).value, expired.headers.at(0).value);
  }
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

// --- the audit log -------------------------------------------------------------------------------

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

// --- the configuration --------------------------------------------------------------------------

TEST_F(ControlTest, AnswersAReloadWhenEveryShardGoesByIt) {
  restart([] {
    return ReloadOutcome{.changed = {"log.level", "user"}, .needs_restart = {"server.shards"}};
  });
  EXPECT_TRUE(Json(ask("GET", "/v1/status").body).is_null("/last_reload"));
  send("POST", "/v1/admin/reload");
  EXPECT_FALSE(answered());
  const auto told = post_.take<SettingsPublished>(0);
  ASSERT_TRUE(told);
  tell(0, SettingsSeen{told->version});
  EXPECT_FALSE(answered());
  send("GET", "/v1/status");
  EXPECT_TRUE(Json(answered()->body).is_null("/last_reload"));
  settle();
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  Json answer(response->body);
  EXPECT_EQ(answer.text("/needs_restart/0"), "server.shards");
  EXPECT_EQ(answer.size("/needs_restart"), 1u);
  Json status(ask("GET", "/v1/status").body);
  EXPECT_EQ(status.text("/last_reload/at"), answer.text("/applied_at"));
  EXPECT_TRUE(status.is_null("/last_reload/problem"));
  EXPECT_EQ(status.text("/last_reload/needs_restart/0"), "server.shards");
  Json audit(ask("GET", "/v1/audit").body);
  EXPECT_EQ(audit.text("/items/0/operation"), "configuration.reload");
  EXPECT_EQ(audit.text("/items/0/object"), "configuration");
  EXPECT_EQ(audit.text("/items/0/members/1"), "user");
}

TEST_F(ControlTest, AnswersAReloadThatIsRefusedWithAllThatIsWrong) {
  size_t problems = 0;
  restart([&] {
    ReloadOutcome outcome{.needs_restart = {"log.json"}};
    for (size_t index = 0; index < problems; ++index) {
      outcome.problems.push_back({"r.toml", static_cast<uint32_t>(index + 1), 7, "is \"wrong\""});
    }
    return outcome;
  });
  EXPECT_EQ(ask("POST", "/v1/admin/reload").status, 200);
  problems = 2;
  const auto refused = ask("POST", "/v1/admin/reload");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.content_type, "application/problem+json");
  Json json(refused.body);
  EXPECT_EQ(json.text("/type"), "urn:ringpost:configuration-refused");
  EXPECT_EQ(json.size("/errors"), 2u);
  EXPECT_EQ(json.text("/errors/1/file"), "r.toml");
  EXPECT_EQ(json.number("/errors/1/line"), 2);
  EXPECT_EQ(json.number("/errors/1/column"), 7);
  EXPECT_EQ(json.text("/errors/1/text"), "is \"wrong\"");
  for (uint32_t shard = 0; shard < shard_count; ++shard) {
    EXPECT_FALSE(post_.take<SettingsPublished>(shard)) << "told of a change that is none";
  }
  Json status(ask("GET", "/v1/status").body);
  EXPECT_EQ(status.text("/last_reload/problem"), "r.toml:1:7: is \"wrong\"");
  EXPECT_EQ(status.text("/last_reload/needs_restart/0"), "log.json") << "it still waits";
  EXPECT_EQ(Json(ask("GET", "/v1/audit").body).size("/items"), 1u) << "nothing was changed";
  problems = 0;
  send("POST", "/v1/admin/reload");
  problems = 1;
  send("POST", "/v1/admin/reload");  // The one before is not on every shard yet.
  settle();
  EXPECT_EQ(answered()->status, 422);
  EXPECT_EQ(answered()->status, 200);
  EXPECT_FALSE(Json(ask("GET", "/v1/status").body).is_null("/last_reload/problem"));
  problems = 1000;
  EXPECT_EQ(Json(ask("POST", "/v1/admin/reload").body).size("/errors"), 100u);
}

TEST_F(ControlTest, ReloadsForTheOperatorAlone) {
  int reloads = 0;
  restart([&] {
    ++reloads;
    return ReloadOutcome{};
  });
  add_token("theirs", "other", static_cast<uint8_t>(Scope::admin));
  EXPECT_EQ(ask("POST", "/v1/admin/reload", {}, "theirs").status, 403);
  EXPECT_EQ(reloads, 0);
  control_->reload(at(clock_));  // A signal.
  EXPECT_EQ(reloads, 1);
  settle();
  EXPECT_FALSE(Json(ask("GET", "/v1/status").body).is_null("/last_reload"));
}

}  // namespace
}  // namespace ringpost::control
