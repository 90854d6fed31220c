// Goal: the API of notification services is to the letter what section 2 of the specification says;
// the log and its repetition are what section 6 adds.
// Method: the dialect's handlers with a control side in memory.

#include "../fake_management.h"
#include "base/json_writer.h"
#include "dialect/attempt_id.h"
#include "dialect/buildkite/events.h"
#include "dialect/buildkite/settings.h"
#include "dialect/dialect.h"
#include "subscription/branch_patterns.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <utility>
#include <vector>

namespace ringpost::dialect::buildkite {
namespace {

using subscription::Webhook;
using subscription::WebhookState;

const Dialect& buildkite_dialect() {
  return *find("buildkite");
}

const std::string services = "/v2/organizations/relay-demo/services";
const std::string base_url = "https://relay.example.org";

class Json {
 public:
  explicit Json(const std::string& text) : text_(text) {
    EXPECT_FALSE(parser_.parse(text_).get(root_)) << text;
  }
  /// The value at a pointer, as compact JSON; `(none)` if there is none.
  std::string at(std::string_view pointer) {
    simdjson::dom::element value;
    if (root_.at_pointer(pointer).get(value)) return "(none)";
    return simdjson::minify(value);
  }
  std::string text(std::string_view pointer) {
    std::string_view value;
    if (root_.at_pointer(pointer).get(value)) return "(none)";
    return std::string{value};
  }
  std::vector<std::string> names(std::string_view pointer = "") {
    std::vector<std::string> found;
    simdjson::dom::object object;
    if (root_.at_pointer(pointer).get(object)) return found;
    for (const auto [name, value] : object) found.emplace_back(name);
    return found;
  }
  size_t size(std::string_view pointer) {
    simdjson::dom::array array;
    return root_.at_pointer(pointer).get(array) ? SIZE_MAX : array.size();
  }

 private:
  std::string text_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest() {
    management_.organization = "relay-demo";
    token_.id = *Ulid::parse_uuid("018f6b1e-0000-4000-8000-000000000001");
    token_.name = "Ada Relay";
    token_.organization = "relay-demo";
    token_.created_at = from_unix_ns(1'893'456'000'000'000'000);  // 2030-01-01
  }

  http::Response ask(const std::string& method, const std::string& target,
                     const std::string& body = {}) {
    http::Request request;
    request.method = method;
    request.path = target.substr(0, target.find('?'));
    if (target.find('?') != std::string::npos) request.query = target.substr(target.find('?') + 1);
    request.body = body;
    auto found = api::find_route(buildkite_dialect().routes(), method, request.path);
    EXPECT_TRUE(std::holds_alternative<api::Match>(found)) << method << " " << target;
    EXPECT_TRUE(buildkite_dialect().owns_path(request.path));
    const auto& match = std::get<api::Match>(found);
    const api::Call call{.request = request,
                         .token = match.route->access == api::Access::token ? &token_ : nullptr,
                         .organization = token_.organization,
                         .parameters = match.parameters,
                         .base_url = base_url,
                         .webhook_ips = webhook_ips_,
                         .now = management_.now};
    api::Answer answer = buildkite_dialect().handle(*match.route, call, management_);
    when_ = answer.when;
    return std::move(answer.response);
  }

  /// @returns the id.
  std::string make(const std::string& settings = {}, const std::string& members = {}) {
    const auto response =
        ask("POST", services,
            R"({"provider":"webhook","settings":{"url":"https://ci.example.org/bk")" + settings +
                "}" + members + "}");
    EXPECT_EQ(response.status, 201) << response.body;
    return Json(response.body).text("/id");
  }
  const Webhook& stored(const std::string& id) {
    return *management_.webhook("relay-demo", *Ulid::parse_uuid(id));
  }
  /// The fields and codes of a 422.
  std::vector<std::pair<std::string, std::string>> errors(const http::Response& response) {
    std::vector<std::pair<std::string, std::string>> found;
    EXPECT_EQ(response.status, 422) << response.body;
    if (response.status != 422) return found;
    Json json(response.body);
    EXPECT_EQ(json.text("/message"), "Validation Failed");
    for (size_t index = 0; index < json.size("/errors"); ++index) {
      const std::string place = "/errors/" + std::to_string(index);
      found.emplace_back(json.text(place + "/field"), json.text(place + "/code"));
      EXPECT_NE(json.text(place + "/message"), "");
    }
    return found;
  }

  FakeManagement management_;
  subscription::Token token_;
  std::vector<std::string> webhook_ips_;
  api::Answer::When when_{};
};

using Errors = std::vector<std::pair<std::string, std::string>>;

// --- the object ----------------------------------------------------------------------------------

TEST_F(ServicesTest, CreatesWithTheDocumentedDefaults) {
  const auto response = ask(
      "POST", services, R"({"provider":"webhook","settings":{"url":"https://ci.example.org/bk"}})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(when_, api::Answer::When::published);
  Json json(response.body);
  EXPECT_EQ(json.names(),
            (std::vector<std::string>{"id", "graphql_id", "url", "provider", "description",
                                      "enabled", "scope", "scope_uuids", "branch_configuration",
                                      "build_states", "settings", "created_at", "created_by"}));
  const std::string id = json.text("/id");
  EXPECT_TRUE(Ulid::parse_uuid(id));
  EXPECT_EQ(id[14], '7');  // A UUID of version 7.
  EXPECT_EQ(json.at("/graphql_id"), "null");
  EXPECT_EQ(json.text("/url"), base_url + services + "/" + id);
  EXPECT_EQ(json.at("/provider"), R"({"id":"webhook","name":"Webhook"})");
  EXPECT_EQ(json.at("/description"), "null");
  EXPECT_EQ(json.at("/enabled"), "true");
  EXPECT_EQ(json.at("/scope"), R"("all")");
  EXPECT_EQ(json.at("/scope_uuids"), "[]");
  EXPECT_EQ(json.at("/branch_configuration"), "null");
  EXPECT_EQ(json.at("/build_states"),
            R"({"build_passed":false,"build_fixed":false,"build_failed":false,)"
            R"("build_blocked":false,"build_canceled":false,"build_failing":false,)"
            R"("job_activated":false})");
  EXPECT_EQ(
      json.names("/settings"),
      (std::vector<std::string>{"url", "version", "token", "token_mode", "events", "tls_verify"}));
  EXPECT_EQ(json.text("/settings/url"), "https://ci.example.org/bk");
  EXPECT_EQ(json.at("/settings/version"), "3");
  const std::string secret = json.text("/settings/token");
  EXPECT_EQ(secret.size(), 32u);
  EXPECT_EQ(secret.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(json.at("/settings/token_mode"), R"("token")");
  EXPECT_EQ(json.at("/settings/events"), "[]");
  EXPECT_EQ(json.at("/settings/tls_verify"), "true");
  EXPECT_EQ(json.text("/created_at"), to_rfc3339(management_.now).substr(0, 23) + "Z");
  EXPECT_EQ(json.at("/created_by"),
            R"({"id":"018f6b1e-0000-4000-8000-000000000001",)"
            R"("graphql_id":"VXNlci0tLTAxOGY2YjFlLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDAwMQ==",)"
            R"("name":"Ada Relay","email":"018f6b1e-0000-4000-8000-000000000001@users.invalid",)"
            R"("avatar_url":"https://users.invalid/018f6b1e-0000-4000-8000-000000000001",)"
            R"("created_at":"2030-01-01T00:00:00.000Z"})");
  EXPECT_EQ(ask("GET", services + "/" + id).body, response.body);
}

TEST_F(ServicesTest, DeliversByTheRulesOfSectionSix) {
  const Webhook& webhook = stored(make());
  std::vector<uint32_t> begins{0};
  for (const uint32_t delay : webhook.schedule_s) begins.push_back(begins.back() + delay);
  EXPECT_EQ(begins, (std::vector<uint32_t>{0, 10, 60, 300, 1800}));
  EXPECT_EQ(webhook.timeout_ms, 10'000u);
  EXPECT_EQ(buildkite_dialect().connect_time(), std::chrono::seconds(5));
  EXPECT_EQ(buildkite_dialect().broken_after(), std::chrono::hours(7 * 24));
  for (const uint16_t status : std::vector<uint16_t>{408, 429, 500, 502, 503, 504, 599}) {
    EXPECT_TRUE(buildkite_dialect().retries_status(status)) << status;
  }
  for (const uint16_t status : std::vector<uint16_t>{300, 302, 400, 401, 403, 404, 409, 422}) {
    EXPECT_FALSE(buildkite_dialect().retries_status(status)) << status;
  }
}

TEST_F(ServicesTest, KeepsEveryFieldThatIsSent) {
  const std::string body =
      R"({"provider":{"id":"webhook"},"description":"to the relay","scope":"some_projects",)"
      R"("scope_uuids":["018F6B1E-AAAA-4ABC-8DEF-00000000000A"],)"
      R"("branch_configuration":"main release/*","build_states":{"build_failed":true},)"
      R"("settings":{"url":"https://ci.example.org/bk","version":3,)"
      R"("token":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","token_mode":"signature",)"
      R"("events":["build.finished","job.finished"],"tls_verify":false}})";
  const auto response = ask("POST", services, body);
  ASSERT_EQ(response.status, 201) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.text("/description"), "to the relay");
  EXPECT_EQ(json.text("/scope"), "some_projects");
  EXPECT_EQ(json.at("/scope_uuids"), R"(["018f6b1e-aaaa-4abc-8def-00000000000a"])");
  EXPECT_EQ(json.text("/branch_configuration"), "main release/*");
  EXPECT_EQ(json.at("/build_states/build_failed"), "true");
  EXPECT_EQ(json.at("/build_states/build_passed"), "false");
  EXPECT_EQ(json.at("/settings"),
            R"({"url":"https://ci.example.org/bk","version":3,)"
            R"("token":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","token_mode":"signature",)"
            R"("events":["build.finished","job.finished"],"tls_verify":false})");
  const Webhook& webhook = stored(json.text("/id"));
  EXPECT_EQ(webhook.sources,
            std::vector<std::string>{"pipeline/018f6b1e-aaaa-4abc-8def-00000000000a"});
  EXPECT_EQ(webhook.filter.branches, "main release/*");
  EXPECT_EQ(webhook.secret, "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
  EXPECT_FALSE(webhook.tls_verify);
  EXPECT_EQ(settings_of(webhook)->token_mode, TokenMode::signature);
}

TEST_F(ServicesTest, TakesEveryEventName) {
  std::string names;
  for (const std::string_view name : event_names()) {
    names.append(names.empty() ? "" : ",").append("\"").append(name).append("\"");
  }
  const std::string id = make(R"(,"events":[)" + names + "]");
  EXPECT_EQ(Json(ask("GET", services + "/" + id).body).at("/settings/events"), "[" + names + "]");
}

struct RefusedCase {
  const char* body;
  const char* field;
  const char* code;
};

#define URL R"("url":"https://ci.example.org/")"
#define PROVIDER R"({"provider":"webhook",)"

constexpr RefusedCase refused_creates[] = {
    {R"({"settings":{)" URL "}}", "provider", "missing_field"},
    {R"({"provider":"slack","settings":{)" URL "}}", "provider", "invalid"},
    {R"({"provider":7,"settings":{)" URL "}}", "provider", "invalid"},
    {R"({"provider":{"id":"webhook","name":"Other"},"settings":{)" URL "}}", "provider.name",
     "invalid"},
    {R"({"provider":"webhook"})", "settings.url", "missing_field"},
    {PROVIDER R"("settings":{}})", "settings.url", "missing_field"},
    {PROVIDER R"("settings":{"url":"no url"}})", "settings.url", "invalid"},
    {PROVIDER R"("settings":{"url":7}})", "settings.url", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"token":""}})", "settings.token", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"token":"a b"}})", "settings.token", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"token":"a\r\nX: y"}})", "settings.token", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"token_mode":"none"}})", "settings.token_mode", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"events":"ping"}})", "settings.events", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"events":["ping","build.started"]}})", "settings.events[1]",
     "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"events":["*"]}})", "settings.events[0]", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"tls_verify":"yes"}})", "settings.tls_verify", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"version":2}})", "settings.version", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"version":4}})", "settings.version", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"version":"3"}})", "settings.version", "invalid"},
    {PROVIDER R"("settings":{)" URL R"(,"channel":"x"}})", "settings.channel", "unknown_field"},
    {PROVIDER R"("team":"x","settings":{)" URL "}}", "team", "unknown_field"},
    {PROVIDER R"("description":7,"settings":{)" URL "}}", "description", "invalid"},
    {PROVIDER R"("scope":"none","settings":{)" URL "}}", "scope", "invalid"},
    {PROVIDER R"("scope":"some_teams","scope_uuids":["x"],"settings":{)" URL "}}", "scope_uuids[0]",
     "invalid"},
    {PROVIDER R"("scope_uuids":["018f6b1e-aaaa-4abc-8def-00000000000a"],"settings":{)" URL "}}",
     "scope_uuids", "invalid"},
    {PROVIDER R"("branch_configuration":"main !","settings":{)" URL "}}", "branch_configuration",
     "invalid"},
    {PROVIDER R"("settings":{"url":null}})", "settings.url", "invalid"},
    {R"({"provider":null,"settings":{"url":"https://ci.example.org/"}})", "provider",
     "missing_field"},
    {PROVIDER R"("settings":null})", "settings.url", "missing_field"},
    {PROVIDER R"("build_states":{"build_great":true},"settings":{)" URL "}}",
     "build_states.build_great", "invalid"},
    {PROVIDER R"("build_states":{"build_passed":1},"settings":{)" URL "}}",
     "build_states.build_passed", "invalid"},
    {PROVIDER R"("id":"018f6b1e-aaaa-4abc-8def-00000000000a","settings":{)" URL "}}", "id",
     "read_only"},
    {PROVIDER R"("graphql_id":"x","settings":{)" URL "}}", "graphql_id", "read_only"},
    {PROVIDER R"("url":"https://x.example.org","settings":{)" URL "}}", "url", "read_only"},
    {PROVIDER R"("enabled":false,"settings":{)" URL "}}", "enabled", "read_only"},
    {PROVIDER R"("created_at":"2031-05-04T09:08:07.123Z","settings":{)" URL "}}", "created_at",
     "read_only"},
    {PROVIDER R"("created_by":{},"settings":{)" URL "}}", "created_by", "read_only"},
};

#undef URL
#undef PROVIDER

TEST_F(ServicesTest, NamesTheFieldThatIsWrong) {
  for (const RefusedCase& refused : refused_creates) {
    const auto found = errors(ask("POST", services, refused.body));
    ASSERT_FALSE(found.empty()) << refused.body;
    EXPECT_EQ(found[0], (std::pair<std::string, std::string>{refused.field, refused.code}))
        << refused.body;
  }
  EXPECT_TRUE(management_.stored.empty());
}

TEST_F(ServicesTest, NamesAllThatIsWrongAtOnce) {
  EXPECT_EQ(errors(ask("POST", services, R"({"x":1,"settings":{"version":1,"y":2}})")),
            (Errors{{"x", "unknown_field"},
                    {"settings.version", "invalid"},
                    {"settings.y", "unknown_field"},
                    {"provider", "missing_field"},
                    {"settings.url", "missing_field"}}));
}

TEST_F(ServicesTest, RefusesBranchPatternsBeyondTheLimits) {
  using subscription::BranchPatterns;
  std::string words;
  for (size_t count = 0; count <= BranchPatterns::words_max; ++count) words += "a ";
  for (const std::string& patterns : {words, std::string(BranchPatterns::bytes_max + 1, 'a')}) {
    EXPECT_EQ(errors(ask("POST", services,
                         R"({"provider":"webhook","branch_configuration":")" + patterns +
                             R"(","settings":{"url":"https://ci.example.org/"}})")),
              (Errors{{"branch_configuration", "invalid"}}));
  }
}

TEST_F(ServicesTest, RefusesDestinationsThatThePolicyDenies) {
  management_.denied_destination = "is a private address";
  EXPECT_EQ(errors(ask("POST", services,
                       R"({"provider":"webhook","settings":{"url":"https://10.0.0.1/"}})")),
            (Errors{{"settings.url", "invalid"}}));
}

// So a client that compares what it said with what it is told sees no change.
TEST_F(ServicesTest, ShowsTheUrlAsItWasSpelled) {
  const auto response =
      ask("POST", services, R"({"provider":"webhook","settings":{"url":"https://Example.org"}})");
  Json made(response.body);
  EXPECT_EQ(made.text("/settings/url"), "https://Example.org");
  const std::string id = made.text("/id");
  EXPECT_EQ(stored(id).destination.host, "example.org");
  EXPECT_EQ(stored(id).destination.target, "/");
  // Another spelling of the same place is no new destination, which the policy would have to see.
  management_.denied_destination = "is a private address";
  Json changed(
      ask("PATCH", services + "/" + id, R"({"settings":{"url":"https://EXAMPLE.org/"}})").body);
  EXPECT_EQ(changed.text("/settings/url"), "https://EXAMPLE.org/");
  EXPECT_EQ(errors(ask("PATCH", services + "/" + id,
                       R"({"settings":{"url":"https://example.org/other"}})")),
            (Errors{{"settings.url", "invalid"}}));
}

TEST_F(ServicesTest, AnswersMalformedBodiesAndFailuresWithAMessage) {
  for (const char* body : {"", "[]", "{", R"({"provider":"webhook","provider":"webhook"})"}) {
    const auto response = ask("POST", services, body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_NE(Json(response.body).text("/message"), "(none)");
  }
  management_.failure = api::refusal(503, "no space");
  management_.failure->retry_after_s = 5;
  const auto response = ask(
      "POST", services, R"({"provider":"webhook","settings":{"url":"https://a.example.org/"}})");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, R"({"message":"No space."})");
  EXPECT_EQ(response.headers[0].value, "5");
}

// --- changes -------------------------------------------------------------------------------------

TEST_F(ServicesTest, ChangesOnlyWhatIsSent) {
  const std::string id = make(R"(,"events":["ping"],"token":"secret")",
                              R"(,"description":"one","build_states":{"build_passed":true})");
  const auto response =
      ask("PATCH", services + "/" + id,
          R"({"build_states":{"build_failed":true},"settings":{"token_mode":"signature"}})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(when_, api::Answer::When::published);
  Json json(response.body);
  EXPECT_EQ(json.text("/description"), "one");
  EXPECT_EQ(json.at("/build_states/build_passed"), "true");
  EXPECT_EQ(json.at("/build_states/build_failed"), "true");
  EXPECT_EQ(json.text("/settings/token_mode"), "signature");
  EXPECT_EQ(json.text("/settings/token"), "secret");
  EXPECT_EQ(json.at("/settings/events"), R"(["ping"])");
  EXPECT_EQ(json.text("/settings/url"), "https://ci.example.org/bk");
}

TEST_F(ServicesTest, TakesBackWhatAGetShowed) {
  const std::string id =
      make(R"(,"events":["build.finished"])",
           R"(,"scope":"some_teams","scope_uuids":["018f6b1e-1111-4abc-8def-00000000000a"])");
  const std::string shown = ask("GET", services + "/" + id).body;
  management_.denied_destination = "is a private address";  // Meanwhile; it may stay.
  const auto response = ask("PATCH", services + "/" + id, shown);
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body, shown);
  EXPECT_EQ(ask("PATCH", services + "/" + id, "{}").body, shown);
}

TEST_F(ServicesTest, RefusesToChangeWhatIsReadOnly) {
  const std::string path = services + "/" + make();
  for (const auto& [body, field] : std::vector<std::pair<std::string, std::string>>{
           {R"({"id":"018f6b1e-aaaa-4abc-8def-00000000000a"})", "id"},
           {R"({"graphql_id":"x"})", "graphql_id"},
           {R"({"url":"https://elsewhere.example.org/"})", "url"},
           {R"({"enabled":false})", "enabled"},
           {R"({"created_at":"2031-05-04T09:08:07.124Z"})", "created_at"},
           {R"({"created_by":{}})", "created_by"}}) {
    EXPECT_EQ(errors(ask("PATCH", path, body)), (Errors{{field, "read_only"}})) << body;
  }
  EXPECT_EQ(errors(ask("PATCH", path, R"({"provider":"slack"})")),
            (Errors{{"provider", "invalid"}}));
  EXPECT_EQ(errors(ask("PATCH", path, R"({"nothing":1})")), (Errors{{"nothing", "unknown_field"}}));
}

TEST_F(ServicesTest, MovesBetweenScopes) {
  const std::string id = make(R"(,"events":["build.finished"])");
  const std::string path = services + "/" + id;
  const std::string ids = R"("scope_uuids":["018f6b1e-aaaa-4abc-8def-00000000000a"])";
  ASSERT_EQ(ask("PATCH", path, R"({"scope":"some_projects",)" + ids + "}").status, 200);
  const std::string source = "pipeline/018f6b1e-aaaa-4abc-8def-00000000000a";
  EXPECT_EQ(stored(id).sources, std::vector<std::string>{source});
  // Agents are of no pipeline: now everything has to be looked at.
  ASSERT_EQ(ask("PATCH", path, R"({"settings":{"events":["agent.lost"]}})").status, 200);
  EXPECT_EQ(stored(id).sources, (std::vector<std::string>{source, "*"}));
  // The ids were of pipelines: they are none of teams.
  EXPECT_EQ(Json(ask("PATCH", path, R"({"scope":"some_teams"})").body).at("/scope_uuids"), "[]");
  ASSERT_EQ(ask("PATCH", path, R"({"scope":"all"})").status, 200);
  EXPECT_EQ(stored(id).sources, std::vector<std::string>{"*"});
  EXPECT_EQ(Json(ask("GET", path).body).at("/scope_uuids"), "[]");
}

// What Terraform asks for: what it did not set is null in the answer, what it sets is there as it
// was set, and null takes it away.
TEST_F(ServicesTest, ShowsWhatWasPlanned) {
  const std::string id = make();
  const std::string path = services + "/" + id;
  const std::string unset = ask("GET", path).body;
  for (const auto& [member, value] :
       std::vector<std::pair<std::string, std::string>>{{"description", R"("to the relay")"},
                                                        {"description", R"("")"},
                                                        {"branch_configuration", R"("main")"},
                                                        {"branch_configuration", R"("")"},
                                                        {"scope", R"("some_projects")"},
                                                        {"scope", R"("some_teams")"},
                                                        {"scope", R"("some_clusters")"},
                                                        {"scope_uuids", "[]"}}) {
    const auto set = ask("PATCH", path, "{\"" + member + "\":" + value + "}");
    ASSERT_EQ(set.status, 200) << member << set.body;
    EXPECT_EQ(Json(set.body).at("/" + member), value);
    EXPECT_EQ(ask("GET", path).body, set.body);
    const auto cleared = ask("PATCH", path, "{\"" + member + "\":null}");
    ASSERT_EQ(cleared.status, 200) << member << cleared.body;
    EXPECT_EQ(cleared.body, unset) << member;
  }
  const auto made = ask("POST", services,
                        R"({"provider":"webhook","description":"","branch_configuration":null,)"
                        R"("scope":"some_projects","settings":{"url":"https://ci.example.org/"}})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(Json(made.body).at("/description"), R"("")");
  EXPECT_EQ(Json(made.body).at("/branch_configuration"), "null");
}

TEST_F(ServicesTest, NullBringsTheDefaultOfASettingBack) {
  const std::string id = make(R"(,"events":["ping"],"token_mode":"signature","tls_verify":false)",
                              R"(,"build_states":{"build_failed":true})");
  const std::string token = stored(id).secret;
  const auto response = ask("PATCH", services + "/" + id,
                            R"({"build_states":null,"settings":{"events":null,"token":null,)"
                            R"("token_mode":null,"tls_verify":null,"version":null}})");
  ASSERT_EQ(response.status, 200) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.at("/settings/events"), "[]");
  EXPECT_EQ(json.text("/settings/token"), token);
  EXPECT_EQ(json.text("/settings/token_mode"), "token");
  EXPECT_EQ(json.at("/settings/tls_verify"), "true");
  EXPECT_EQ(json.at("/settings/version"), "3");
  EXPECT_EQ(json.at("/build_states/build_failed"), "false");
}

// A client that plans a whole object (Terraform's) sends null for what it does not set.
TEST_F(ServicesTest, NullIsAsGoodAsAbsent) {
  const std::string id = make(
      R"(,"events":["ping"])",
      R"(,"enabled":null,"id":null,"graphql_id":null,"url":null,"created_at":null,)"
      R"("created_by":null,"ringpost":null,"description":null,"scope":null,)"
      R"("scope_uuids":null,"branch_configuration":null,"build_states":{"build_failed":null})");
  const std::string path = services + "/" + id;
  const std::string before = ask("GET", path).body;
  for (const char* member : {"id", "graphql_id", "url", "enabled", "created_at", "created_by",
                             "ringpost", "provider", "settings"}) {
    const auto response = ask("PATCH", path, "{\"" + std::string{member} + "\":null}");
    EXPECT_EQ(response.status, 200) << member << response.body;
    EXPECT_EQ(ask("GET", path).body, before) << member;
  }
}

TEST_F(ServicesTest, RefusesInSentencesThatNameTheMember) {
  const auto twice =
      ask("POST", services, R"({"provider":"webhook","settings":{"url":1,"url":2}})");
  EXPECT_EQ(twice.status, 400);
  EXPECT_EQ(Json(twice.body).text("/message"),
            "`settings.url` is in the body twice; give it once.");
  const auto wrong = ask("POST", services, R"({"provider":"webhook","settings":{"url":"x"}})");
  EXPECT_EQ(Json(wrong.body).text("/errors/0/message"),
            "`settings.url` must begin with https:// or http://.");
}

// What filters is seen: as a scope where one says it, else beside Buildkite's members.
TEST_F(ServicesTest, ShowsWhatTheNativeApiFiltersBy) {
  constexpr const char* team = "018f6b1e-bbbb-4abc-8def-00000000000b";
  const std::string id = make(R"(,"events":["build.finished"])");
  const std::string path = services + "/" + id;
  Webhook& webhook = management_.stored.begin()->second;
  EXPECT_EQ(ask("GET", path).body.find("ringpost"), std::string::npos);
  webhook.filter.teams = {team};
  EXPECT_EQ(Json(ask("GET", path).body).text("/scope"), "some_teams");
  EXPECT_EQ(Json(ask("GET", path).body).text("/scope_uuids/0"), team);
  webhook.filter = {.branches = {}, .teams = {}, .clusters = {team}};
  EXPECT_EQ(Json(ask("GET", path).body).text("/scope"), "some_clusters");
  EXPECT_EQ(ask("GET", path).body.find("ringpost"), std::string::npos);
  webhook.filter.teams = {"mobile"};
  Json both(ask("GET", path).body);
  EXPECT_EQ(both.text("/scope"), "some_teams");
  EXPECT_EQ(both.at("/scope_uuids"), "[]");
  EXPECT_EQ(both.at("/ringpost/filter/teams"), R"(["mobile"])");
  webhook.filter = {};
  webhook.sources = {"pipeline/app"};
  EXPECT_EQ(Json(ask("GET", path).body).at("/ringpost/sources"), R"(["pipeline/app"])");
  EXPECT_EQ(errors(ask("PATCH", path, R"({"ringpost":{}})")), (Errors{{"ringpost", "read_only"}}));
  // A scope that is said takes the place of a filter that was shown as one.
  webhook.sources = {"*"};
  webhook.filter.teams = {team};
  ASSERT_EQ(ask("PATCH", path, R"({"scope":"all","scope_uuids":[]})").status, 200);
  EXPECT_TRUE(stored(id).filter.empty());
  EXPECT_EQ(Json(ask("GET", path).body).text("/scope"), "all");
}

// Goal: a webhook is never shown as if it got events that it does not get, and writing back what
// was read changes nothing. Method: every mixture of what the native API can set.
TEST_F(ServicesTest, ShowsNoScopeThatIsWiderThanTheWebhook) {
  const std::string team = "018f6b1e-bbbb-4abc-8def-00000000000b";
  const std::string projects = R"({"scope":"some_projects","scope_uuids":[")" + team + R"("]})";
  struct Case {
    std::vector<std::string> sources, teams, clusters;
    std::string settings;
    std::string scope;
  };
  const std::vector<Case> cases{
      {{"*"}, {team}, {team}, "", "some_teams []"},
      {{"*"}, {team, "mobile"}, {}, "", "some_teams []"},
      {{"*"}, {}, {"main"}, "", "some_clusters []"},
      {{"*"}, {"018F6B1E-BBBB-4ABC-8DEF-00000000000B"}, {}, "", "some_teams []"},
      {{"pipeline/app"}, {team}, {}, "", "some_teams []"},
      {{"pipeline/app"}, {}, {}, "", "some_projects []"},
      {{"pipeline/" + team}, {team}, {}, projects, "some_projects []"},
  };
  const std::string id = make(R"(,"events":["build.finished"])");
  const std::string path = services + "/" + id;
  Webhook& webhook = management_.stored.begin()->second;
  for (const auto& [sources, teams, clusters, settings, scope] : cases) {
    webhook.sources = sources;
    webhook.filter = {.branches = {}, .teams = teams, .clusters = clusters};
    webhook.settings = settings;
    const Webhook before = webhook;
    const std::string shown = ask("GET", path).body;
    Json json(shown);
    EXPECT_EQ(json.text("/scope") + " " + json.at("/scope_uuids"), scope);
    EXPECT_NE(json.at("/ringpost/filter"), "");
    const auto scope_again = R"({"scope":")" + json.text("/scope") + R"(","scope_uuids":[]})";
    for (const std::string& body : {shown, scope_again, std::string{R"({"description":null})"}}) {
      ASSERT_EQ(ask("PATCH", path, body).status, 200) << body;
      EXPECT_EQ(ask("GET", path).body, shown) << body;
      EXPECT_EQ(stored(id).filter, before.filter) << body;
      EXPECT_EQ(stored(id).sources, before.sources) << body;
    }
    // What is said of the scope takes the place of all of it.
    ASSERT_EQ(ask("PATCH", path, R"({"scope":"all"})").status, 200);
    EXPECT_EQ(Json(ask("GET", path).body).text("/scope"), "all");
    EXPECT_TRUE(stored(id).filter.empty());
    EXPECT_EQ(stored(id).sources, std::vector<std::string>{"*"});
    webhook = before;
    ASSERT_EQ(ask("PATCH", path, R"({"scope_uuids":[")" + team + R"("]})").status, 200);
    EXPECT_EQ(Json(ask("GET", path).body).at("/scope_uuids"), "[\"" + team + "\"]");
    EXPECT_EQ(ask("GET", path).body.find("ringpost"), std::string::npos);
  }
}

TEST_F(ServicesTest, EnablesAndDisables) {
  const std::string id = make();
  const std::string path = services + "/" + id;
  EXPECT_EQ(Json(ask("PUT", path + "/disable").body).at("/enabled"), "false");
  EXPECT_EQ(stored(id).state, WebhookState::disabled);
  EXPECT_EQ(Json(ask("PUT", path + "/enable").body).at("/enabled"), "true");
  EXPECT_EQ(stored(id).state, WebhookState::active);
  management_.stored.begin()->second.state = WebhookState::broken;
  EXPECT_EQ(Json(ask("GET", path).body).at("/enabled"), "true");  // It stopped, and is enabled.
  EXPECT_EQ(ask("PUT", path + "/enable").status, 200);
  EXPECT_EQ(stored(id).state, WebhookState::active);
}

TEST_F(ServicesTest, Deletes) {
  const std::string path = services + "/" + make();
  const auto response = ask("DELETE", path);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(ask("GET", path).status, 404);
  EXPECT_EQ(ask("DELETE", path).status, 404);
}

TEST_F(ServicesTest, KnowsNothingOfOtherOrganizationsAndDialects) {
  const std::string id = make();
  const std::string other = "/v2/organizations/other/services";
  for (const auto& [method, path] : std::vector<std::pair<std::string, std::string>>{
           {"GET", ""},
           {"POST", ""},
           {"GET", "/" + id},
           {"PATCH", "/" + id},
           {"DELETE", "/" + id},
           {"PUT", "/" + id + "/enable"},
           {"PUT", "/" + id + "/disable"},
           {"GET", "/" + id + "/requests"},
           {"POST", "/" + id + "/requests/" + id + "/redeliver"}}) {
    const auto response = ask(method, other + path);
    EXPECT_EQ(response.status, 404) << method << path;
    EXPECT_NE(Json(response.body).text("/message"), "(none)");
  }
  for (const char* unknown :
       {"018f6b1e-7777-4abc-8def-000000000007", "7", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}) {
    EXPECT_EQ(ask("GET", services + "/" + unknown).status, 404) << unknown;
  }
  management_.stored.begin()->second.dialect = "standard";
  EXPECT_EQ(ask("GET", services + "/" + id).status, 404);
  EXPECT_EQ(ask("DELETE", services + "/" + id).status, 404);
  EXPECT_EQ(management_.stored.size(), 1u);
}

TEST_F(ServicesTest, AsksForScopesAsDocumented) {
  for (const api::Route& route : buildkite_dialect().routes()) {
    if (route.access == api::Access::open) {
      EXPECT_EQ(route.pattern, "/v2/meta");
      continue;
    }
    if (route.pattern.find("/requests") != std::string_view::npos) {
      EXPECT_EQ(route.scope, route.method == "GET" ? subscription::Scope::deliveries_read
                                                   : subscription::Scope::deliveries_redeliver);
      continue;
    }
    EXPECT_EQ(route.scope, route.method == "GET" ? subscription::Scope::webhooks_read
                                                 : subscription::Scope::webhooks_write)
        << route.method << route.pattern;
  }
}

// --- lists ---------------------------------------------------------------------------------------

TEST_F(ServicesTest, ListsOldestFirstInPages) {
  std::vector<std::string> ids;
  for (int count = 0; count < 5; ++count) {
    ids.push_back(make());
    management_.now += std::chrono::milliseconds(2);
  }
  const auto list = [&](const std::string& query) {
    return Json(ask("GET", services + query).body);
  };
  const auto link = [&](const std::string& query) { return base_url + services + query; };
  Json all = list("");
  EXPECT_EQ(all.size("/items"), 5u);
  EXPECT_EQ(all.text("/items/0/id"), ids[0]);
  EXPECT_EQ(all.text("/items/4/id"), ids[4]);
  EXPECT_EQ(all.at("/links"), R"({"self":")" + link("") + R"("})");

  Json first = list("?per_page=2");
  EXPECT_EQ(first.size("/items"), 2u);
  EXPECT_EQ(first.text("/links/self"), link("?per_page=2"));
  EXPECT_EQ(first.text("/links/next"), link("?per_page=2&after=" + ids[1]));
  EXPECT_EQ(first.text("/links/prev"), "(none)");

  Json middle = list("?per_page=2&after=" + ids[1]);
  EXPECT_EQ(middle.text("/items/0/id"), ids[2]);
  EXPECT_EQ(middle.text("/items/1/id"), ids[3]);
  EXPECT_EQ(middle.text("/links/prev"), link("?per_page=2&before=" + ids[2]));

  Json last = list("?per_page=2&after=" + ids[3]);
  EXPECT_EQ(last.size("/items"), 1u);
  EXPECT_EQ(last.text("/links/next"), "(none)");

  Json back = list("?per_page=2&before=" + ids[3]);
  EXPECT_EQ(back.text("/items/0/id"), ids[1]);
  EXPECT_EQ(back.text("/items/1/id"), ids[2]);
  EXPECT_EQ(list("?after=" + ids[4]).size("/items"), 0u);
}

TEST_F(ServicesTest, GivesThirtyUnlessAskedForUpToAHundred) {
  for (int count = 0; count < 101; ++count) {
    make();
    management_.now += std::chrono::milliseconds(2);
  }
  EXPECT_EQ(Json(ask("GET", services).body).size("/items"), 30u);
  EXPECT_EQ(Json(ask("GET", services + "?per_page=100").body).size("/items"), 100u);
}

TEST_F(ServicesTest, RefusesBadCursorsAndSizes) {
  const std::string cursor = "018f6b1e-7777-4abc-8def-000000000007";
  for (const std::string& query :
       {std::string{"after=x"}, std::string{"before="}, "after=" + cursor + "&before=" + cursor,
        std::string{"per_page=0"}, std::string{"per_page=101"}, std::string{"per_page=x"},
        std::string{"per_page=1&per_page=2"}, std::string{"after=%zz"}}) {
    const auto response = ask("GET", services + "?" + query);
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_NE(Json(response.body).text("/message"), "(none)");
  }
}

// --- ping ----------------------------------------------------------------------------------------

TEST_F(ServicesTest, PingsWithServiceAndOrganization) {
  EXPECT_TRUE(buildkite_dialect().pings_changes());
  const std::string id = make();
  const std::string data =
      std::get<Dialect::Ping>(buildkite_dialect().ping(stored(id), base_url)).data;
  Json json(data);
  EXPECT_EQ(json.names(), (std::vector<std::string>{"event", "service", "organization"}));
  EXPECT_EQ(json.text("/event"), "ping");
  EXPECT_EQ(json.at("/service"), R"({"id":")" + id +
                                     R"(","provider":"webhook","settings":{"url":)"
                                     R"("https://ci.example.org/bk"}})");
  EXPECT_EQ(json.names("/organization"),
            (std::vector<std::string>{"id", "graphql_id", "url", "web_url", "name", "slug",
                                      "agents_url", "emojis_url", "created_at", "pipelines_url"}));
  const std::string organization = base_url + "/v2/organizations/relay-demo";
  EXPECT_TRUE(Ulid::parse_uuid(json.text("/organization/id")));
  EXPECT_EQ(json.text("/organization/url"), organization);
  EXPECT_EQ(json.text("/organization/web_url"), base_url + "/relay-demo");
  EXPECT_EQ(json.text("/organization/slug"), "relay-demo");
  EXPECT_EQ(json.text("/organization/agents_url"), organization + "/agents");
  EXPECT_EQ(json.text("/organization/emojis_url"), organization + "/emojis");
  EXPECT_EQ(json.text("/organization/pipelines_url"), organization + "/pipelines");
}

TEST_F(ServicesTest, RendersThePingWithItsSender) {
  const std::string id = make();
  const std::string data =
      std::get<Dialect::Ping>(buildkite_dialect().ping(stored(id), base_url)).data;
  const journal::EventView ping{.type = "ping", .data = as_bytes(std::string_view{data})};
  Request request;
  ASSERT_FALSE(
      make_renderer(stored(id))
          ->render({.event = ping, .delivery = Ulid{}, .attempt = 1, .now = management_.now},
                   request));
  Json json(std::string{as_text(request.body)});
  EXPECT_EQ(json.names(), (std::vector<std::string>{"event", "service", "organization", "sender"}));
  EXPECT_EQ(json.at("/sender"),
            R"({"id":"018f6b1e-0000-4000-8000-000000000001","name":"Ada Relay"})");
}

// --- the request log -----------------------------------------------------------------------------

class RequestLogTest : public ServicesTest {
 protected:
  FakeManagement::Logged& log(const std::string& id) {
    journal::EventView event;
    event.source = "pipeline/app";
    event.type = "build.finished";
    event.data = as_bytes(R"({"build":{}})");
    management_.now += std::chrono::seconds(1);
    return management_.log_delivery(stored(id), event, journal::DeliveryStatus::delivered);
  }
  void attempt(FakeManagement::Logged& to, uint16_t status) {
    journal::OutcomeView outcome;
    outcome.started_at = management_.now;
    outcome.duration = std::chrono::milliseconds(12);
    outcome.http_status = status;
    outcome.failed = status >= 300;
    outcome.error = {Errc::bad_status, Side::endpoint, status};
    outcome.request_head =
        "POST /bk HTTP/1.1\r\nHost: ci.example.org\r\nX-Buildkite-Token: *****\r\n\r\n";
    outcome.response_head = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
    outcome.response_body = as_bytes("fine");
    outcome.request_body = as_bytes(R"({"event":"build.finished","build":{}})");
    FakeManagement::log_attempt(to, outcome);
  }
};

TEST_F(RequestLogTest, ShowsRequestAnswerAndTimes) {
  const std::string id = make();
  FakeManagement::Logged& delivery = log(id);
  attempt(delivery, 503);
  management_.now += std::chrono::seconds(10);
  attempt(delivery, 200);
  Json json(ask("GET", services + "/" + id + "/requests").body);
  EXPECT_EQ(json.size("/items"), 2u);
  EXPECT_EQ(json.names("/items/0"),
            (std::vector<std::string>{"id", "event", "attempt", "created_at", "duration_ms",
                                      "error", "request", "response"}));
  EXPECT_EQ(json.text("/items/0/id"), attempt_id(delivery.id, 2).to_uuid_text());
  EXPECT_EQ(json.text("/items/1/id"), delivery.id.to_uuid_text());
  EXPECT_EQ(json.text("/items/0/event"), "build.finished");
  EXPECT_EQ(json.at("/items/0/attempt"), "2");
  EXPECT_EQ(json.text("/items/0/created_at"), to_rfc3339(management_.now).substr(0, 23) + "Z");
  EXPECT_EQ(json.at("/items/0/duration_ms"), "12");
  EXPECT_EQ(json.at("/items/0/error"), "null");
  EXPECT_NE(json.text("/items/1/error").find("503"), std::string::npos);
  EXPECT_EQ(json.at("/items/0/request"),
            R"({"method":"POST","url":"https://ci.example.org/bk","headers":)"
            R"({"Host":"ci.example.org","X-Buildkite-Token":"*****"},)"
            R"("body":"{\"event\":\"build.finished\",\"build\":{}}","truncated":false})");
  EXPECT_EQ(json.at("/items/0/response"),
            R"({"status":200,"headers":{"Server":"x"},"body":"fine","truncated":false})");
}

TEST_F(RequestLogTest, SaysWhyNoAnswerCame) {
  const std::string id = make();
  FakeManagement::Logged& delivery = log(id);
  journal::OutcomeView outcome;
  outcome.started_at = management_.now;
  outcome.failed = true;
  outcome.error = {Errc::certificate_invalid, Side::endpoint, 10};  // It has expired.
  FakeManagement::log_attempt(delivery, outcome);
  Json json(ask("GET", services + "/" + id + "/requests").body);
  EXPECT_NE(json.text("/items/0/error").find("expired"), std::string::npos);
}

TEST_F(RequestLogTest, KeepsTwentyAttempts) {
  const std::string id = make();
  for (int count = 0; count < 15; ++count) {
    FakeManagement::Logged& delivery = log(id);
    attempt(delivery, 500);
    attempt(delivery, 200);
  }
  Json json(ask("GET", services + "/" + id + "/requests").body);
  EXPECT_EQ(json.size("/items"), 20u);
  EXPECT_EQ(json.text("/items/19/created_at") < json.text("/items/0/created_at"), true);
  EXPECT_EQ(Json(ask("GET", services + "/" + make() + "/requests").body).size("/items"), 0u);
}

TEST_F(RequestLogTest, SendsARequestsEventAgain) {
  const std::string id = make();
  FakeManagement::Logged& delivery = log(id);
  attempt(delivery, 500);
  attempt(delivery, 200);
  const std::string path = services + "/" + id + "/requests/";
  for (uint32_t number = 1; number <= 2; ++number) {
    const std::string request = attempt_id(delivery.id, number).to_uuid_text();
    EXPECT_EQ(ask("POST", path + request + "/redeliver").status, 202);
    EXPECT_EQ(when_, api::Answer::When::stored);
  }
  EXPECT_EQ(management_.redelivered, (std::vector<Ulid>{delivery.id, delivery.id}));
  for (const std::string& unknown : {attempt_id(delivery.id, 3).to_uuid_text(), std::string{"x"},
                                     std::string{"018f6b1e-7777-4abc-8def-000000000007"}}) {
    EXPECT_EQ(ask("POST", path + unknown + "/redeliver").status, 404) << unknown;
  }
  const std::string other = services + "/" + make() + "/requests/";
  EXPECT_EQ(ask("POST", other + delivery.id.to_uuid_text() + "/redeliver").status, 404);
}

// --- meta and the rest ---------------------------------------------------------------------------

TEST_F(ServicesTest, TellsWhereRequestsComeFrom) {
  EXPECT_EQ(ask("GET", "/v2/meta").body, R"({"webhook_ips":[]})");
  webhook_ips_ = {"192.0.2.0/24", "2001:db8::/48"};
  EXPECT_EQ(ask("GET", "/v2/meta").body, R"({"webhook_ips":["192.0.2.0/24","2001:db8::/48"]})");
}

TEST_F(ServicesTest, OwnsItsPathsOnly) {
  for (const char* path : {"/v2/meta", "/v2/organizations/x/services", "/v2/organizations/x/y",
                           "/v2/metadata", "/v2/organizations", "/v2/meta%01"}) {
    EXPECT_TRUE(buildkite_dialect().owns_path(path)) << path;
  }
  for (const char* path : {"/v2", "/v1/webhooks", "/v22/meta"}) {
    EXPECT_FALSE(buildkite_dialect().owns_path(path)) << path;
  }
}

TEST_F(ServicesTest, RefusesInItsOwnShape) {
  EXPECT_EQ(buildkite_dialect().refuse(api::refusal(404, "there is no such path")).body,
            R"({"message":"There is no such path."})");
  const auto unauthorized = buildkite_dialect().refuse(api::refusal(401, "no token"));
  EXPECT_EQ(unauthorized.headers[0].name, "WWW-Authenticate");
  EXPECT_EQ(buildkite_dialect().refuse(api::invalid("a", "is wrong")).body,
            R"({"message":"Validation Failed","errors":[{"field":"a","code":"invalid",)"
            R"("message":"`a` is wrong."}]})");
}

TEST_F(ServicesTest, TellsTheRate) {
  const auto limits = buildkite_dialect().rate_limits();
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->organization_max, 200u);
  EXPECT_EQ(limits->token_max, 50u);
  EXPECT_EQ(limits->window, std::chrono::minutes(1));
  const api::Rate rate{.organization = {.limit = 200, .used = 60, .reset_s = 7},
                       .token = {.limit = 50, .used = 50, .reset_s = 27},
                       .token_exceeded = true};
  http::Response refused = buildkite_dialect().refuse_rate(rate);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.body,
            R"({"message":"Too many requests. Try again in 27 s.","scope":"rest_user","limit":50,)"
            R"("current":50,"reset":27})");
  http::Response response;
  buildkite_dialect().write_rate(rate, response);
  std::string headers;
  for (const http::Header& header : response.headers) {
    headers += header.name + ": " + header.value + "\n";
  }
  EXPECT_EQ(headers,
            "RateLimit-Scope: rest\nRateLimit-Limit: 200\nRateLimit-Remaining: 140\n"
            "RateLimit-Reset: 7\nRateLimit-User-Scope: rest_user\nRateLimit-User-Limit: 50\n"
            "RateLimit-User-Remaining: 0\nRateLimit-User-Reset: 27\n");
}

// --- over the native API -------------------------------------------------------------------------

TEST(NativeSettings, GoThroughReadAndWrite) {
  const Dialect& dialect = buildkite_dialect();
  Webhook webhook = dialect.defaults();
  ASSERT_FALSE(dialect.read_settings("{}", webhook));
  EXPECT_EQ(webhook.sources, std::vector<std::string>{"*"});
  ASSERT_FALSE(dialect.read_settings(
      R"({"scope":"some_projects","scope_uuids":["018f6b1e-aaaa-4abc-8def-00000000000a"],)"
      R"("token_mode":"signature",)"
      R"("sender":{"id":"018f6b1e-0000-4000-8000-000000000001","name":"Ada"}})",
      webhook));
  EXPECT_EQ(webhook.sources,
            (std::vector<std::string>{"pipeline/018f6b1e-aaaa-4abc-8def-00000000000a", "*"}));
  std::string written;
  JsonWriter json{written};
  dialect.write_settings(json, webhook);
  Webhook again = dialect.defaults();
  ASSERT_FALSE(dialect.read_settings(written, again)) << written;
  EXPECT_EQ(again.settings, webhook.settings);
  // What is not named stays.
  ASSERT_FALSE(dialect.read_settings(R"({"token_mode":"token"})", webhook));
  EXPECT_EQ(settings_of(webhook)->scope, Scope::some_projects);
  EXPECT_EQ(settings_of(webhook)->creator->name, "Ada");
}

TEST(NativeSettings, NameWhatIsWrong) {
  const Dialect& dialect = buildkite_dialect();
  for (const auto& [json, member] : std::vector<std::pair<std::string, std::string>>{
           {R"({"scope":"x"})", "settings.scope"},
           {R"({"scope_uuids":["018f6b1e-0000-4000-8000-000000000001"]})", "settings.scope_uuids"},
           {R"({"scope_uuids":[7]})", "settings.scope_uuids[0]"},
           {R"({"token_mode":1})", "settings.token_mode"},
           {R"({"build_states":{"x":true}})", "settings.build_states.x"},
           {R"({"sender":{"name":"x"}})", "settings.sender.id"},
           {R"({"sender":{"id":"x"}})", "settings.sender.id"},
           {R"({"sender":{"id":"018f6b1e-0000-4000-8000-000000000001","age":1}})",
            "settings.sender.age"},
           {R"({"url":"x"})", "settings.url"}}) {
    Webhook webhook = dialect.defaults();
    const auto problem = dialect.read_settings(json, webhook);
    ASSERT_TRUE(problem) << json;
    EXPECT_EQ(problem->member, member);
  }
}

TEST(NativeSettings, SpellOutEventsThatTheNativeApiNamesWithStars) {
  FakeManagement management;
  Webhook webhook = buildkite_dialect().defaults();
  webhook.events = {"agent.*", "build.finished", "other/event"};
  const auto created = management.create(webhook);
  const Webhook* stored = std::get<const Webhook*>(created);
  const std::string path = "/v2/organizations/default/services/" + stored->id.to_uuid_text();
  const std::string shown = ask(buildkite_dialect(), management, "GET", path).response.body;
  EXPECT_EQ(Json(shown).at("/settings/events"),
            R"(["agent.connected","agent.lost","agent.disconnected","agent.stopping",)"
            R"("agent.stopped","agent.blocked","build.finished"])");
  EXPECT_EQ(Json(shown).at("/created_by"), "null");
  // Sent back as they are they change nothing.
  ask(buildkite_dialect(), management, "PATCH", path,
      R"({"settings":{"events":)" + Json(shown).at("/settings/events") + "}}");
  EXPECT_EQ(management.stored.begin()->second.events, webhook.events);
}

}  // namespace
}  // namespace ringpost::dialect::buildkite
