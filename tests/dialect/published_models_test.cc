// Goal: what the vendors' published schemas call required and not nullable is there in every answer
// about every resource, with a value of the right type: generated clients refuse the whole answer
// otherwise. Method: tables of these facts, one for each published model, and answers to the
// smallest bodies that the APIs take.

#include "dialect/bitrise/bitrise.h"
#include "dialect/buildkite/buildkite.h"
#include "dialect/devopness/devopness.h"
#include "fake_management.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::dialect {
namespace {

namespace dom = simdjson::dom;
using subscription::Webhook;

enum class Is : uint8_t { text, uuid, integer, flag, object, array, time };

/// What a member always is. `words`: one of these. `nullable`: or null, and yet always there.
struct Fact {
  std::string_view member;
  Is is{};
  bool nullable = false;
  std::vector<std::string_view> words{};
};

bool is_uuid(std::string_view text) {
  return Ulid::parse_uuid(text) && text[14] >= '1' && text[14] <= '8' &&
         std::string_view("89ab").find(text[19]) != std::string_view::npos;
}

bool fits(dom::element value, const Fact& fact) {
  std::string_view text;
  const bool is_text = value.get(text) == simdjson::SUCCESS;
  switch (fact.is) {
    case Is::text:
      return is_text &&
             (fact.words.empty() || std::ranges::find(fact.words, text) != fact.words.end());
    case Is::uuid: return is_text && is_uuid(text);
    case Is::time: return is_text && parse_rfc3339(text).has_value();
    case Is::integer: return value.is_int64() || value.is_uint64();
    case Is::flag: return value.is_bool();
    case Is::object: return value.is_object();
    case Is::array: return value.is_array();
  }
  return false;
}

void check(dom::element object, std::span<const Fact> facts, const std::string& where) {
  for (const Fact& fact : facts) {
    dom::element value;
    if (object.at_key(fact.member).get(value) != simdjson::SUCCESS) {
      ADD_FAILURE() << where << ": no " << fact.member;
      continue;
    }
    const bool good = value.is_null() ? fact.nullable : fits(value, fact);
    EXPECT_TRUE(good) << where << ": " << fact.member << " is " << simdjson::minify(value);
  }
}

void check(const api::Answer& answer, std::string_view pointer, std::span<const Fact> facts,
           const std::string& where) {
  dom::parser parser;
  dom::element root;
  dom::element object;
  ASSERT_FALSE(parser.parse(answer.response.body).get(root)) << where << answer.response.body;
  ASSERT_FALSE(root.at_pointer(pointer).get(object)) << where << answer.response.body;
  check(object, facts, where);
}

std::string member(const api::Answer& answer, std::string_view pointer) {
  dom::parser parser;
  std::string_view text;
  EXPECT_FALSE(parser.parse(answer.response.body).at_pointer(pointer).get(text))
      << answer.response.body;
  return std::string{text};
}

void log_one(FakeManagement& management, const Webhook& webhook, journal::EventView event,
             bool answered) {
  auto& logged = management.log_delivery(webhook, event, journal::DeliveryStatus::dead);
  journal::OutcomeView outcome;
  outcome.event = journal::Position::make(0, 1, 4096);
  outcome.started_at = management.now;
  outcome.failed = !answered;
  outcome.error = {Errc::refused, Side::endpoint, 0};
  if (answered) {
    outcome.http_status = 200;
    outcome.request_head = "POST / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    outcome.response_head = "HTTP/1.1 200 OK\r\n\r\n";
  }
  FakeManagement::log_attempt(logged, outcome);
}

// --- Devopness -----------------------------------------------------------------------------------

const std::vector<std::string_view> action_types{
    "check_provisioned", "configure",  "delete", "deploy",
    "get_status",        "provision",  "reload", "remove",
    "restart",           "rotate_key", "start",  "stop"};
const std::vector<std::string_view> resource_types{
    "application",     "credential",   "cronjob",     "daemon",  "deployment",
    "network",         "network-rule", "server",      "service", "ssh-key",
    "ssl-certificate", "subnet",       "virtual-host"};

const std::vector<Fact> hook_relation{{"id", Is::uuid},
                                      {"name", Is::text},
                                      {"type", Is::text, false, {"in", "out"}},
                                      {"action_type", Is::text, false, action_types},
                                      {"url", Is::text, true},
                                      {"target_url", Is::text, true},
                                      {"is_auto_generated", Is::flag},
                                      {"requires_secret", Is::flag},
                                      {"verify_ssl", Is::flag},
                                      {"active", Is::flag},
                                      {"project_id", Is::integer},
                                      {"environment_id", Is::integer},
                                      {"pipeline_id", Is::integer, true},
                                      {"resource_type", Is::text, false, resource_types},
                                      {"resource_id", Is::integer},
                                      {"settings", Is::object, true},
                                      {"trigger_when", Is::object},
                                      {"created_at", Is::time},
                                      {"updated_at", Is::time}};

std::vector<Fact> with(std::vector<Fact> facts, const std::vector<Fact>& more) {
  facts.insert(facts.end(), more.begin(), more.end());
  return facts;
}

const std::vector<Fact> hook = with(hook_relation, {{"secret", Is::text},
                                                    {"secret_algorithm", Is::text, true},
                                                    {"secret_header_name", Is::text, true},
                                                    {"created_by_user", Is::object, true}});
const std::vector<Fact> hook_user{
    {"id", Is::integer}, {"name", Is::text}, {"email", Is::text}, {"url_slug", Is::text}};
const std::vector<Fact> trigger_when{{"events", Is::array}, {"conditions", Is::array}};
const std::vector<Fact> request_relation{{"id", Is::uuid},
                                         {"hook_id", Is::uuid},
                                         {"action_id", Is::integer, true},
                                         {"retry_of", Is::uuid, true},
                                         {"ip_address", Is::text},
                                         {"created_at", Is::time},
                                         {"updated_at", Is::time}};
const std::vector<Fact> hook_request =
    with(request_relation, {{"url", Is::text},
                            {"request_headers", Is::object},
                            {"request_body", Is::object},
                            {"response_status_code", Is::integer},
                            {"response_headers", Is::object},
                            {"response_body", Is::object},
                            {"hook", Is::object, true}});
const std::vector<Fact> login_response{{"token_type", Is::text},
                                       {"expires_in", Is::integer},
                                       {"access_token", Is::text},
                                       {"refresh_token", Is::text}};
const std::vector<Fact> api_error{{"message", Is::text}};

class PublishedModels : public ::testing::Test {
 protected:
  api::Answer devopness(const std::string& method, const std::string& path,
                        const std::string& body = {}) {
    return ask(devopness::dialect(), management, method, path, body);
  }
  api::Answer bitrise(const std::string& method, const std::string& path,
                      const std::string& body = {}) {
    return ask(bitrise::dialect(), management, method, path, body);
  }
  api::Answer buildkite(const std::string& method, const std::string& path,
                        const std::string& body = {}) {
    return ask(buildkite::dialect(), management, method, path, body);
  }

  FakeManagement management;
};

TEST_F(PublishedModels, OfDevopnessHooks) {
  struct Made {
    const char* path;
    const char* kind;
    const char* body;
  };
  for (const Made& made :
       {Made{"/pipelines/33/hooks/incoming", "incoming", R"({"name":"a"})"},
        Made{"/pipelines/33/hooks/incoming", "incoming",
             R"({"name":"a","active":null,"verify_ssl":null,"settings":null,"trigger_when":null,
                    "requires_secret":null,"action_type":null,"resource_type":null})"},
        Made{"/hooks/incoming", "incoming",
             R"({"name":"a","resource_type":"daemon","resource_id":5})"},
        Made{"/pipelines/33/hooks/outgoing", "outgoing",
             R"({"name":"a","target_url":"https://a.example/"})"},
        Made{"/hooks/outgoing", "outgoing",
             R"({"name":"a","target_url":"https://a.example/","resource_type":"application",
                    "resource_id":5,"trigger_when":{}})"}}) {
    const auto created = devopness("POST", made.path, made.body);
    ASSERT_EQ(created.response.status, 201) << made.body << created.response.body;
    check(created, "", hook, made.body);
    check(created, "/trigger_when", trigger_when, made.body);
    check(created, "/created_by_user", hook_user, made.body);
    EXPECT_GE(member(created, "/created_by_user/name").size(), 3u);
    const std::string path = std::string{"/hooks/"} + made.kind + '/' + member(created, "/id");
    check(devopness("GET", path), "", hook, path);
    const auto updated = devopness("PUT", path,
                                   R"({"id":")" + member(created, "/id") +
                                       R"(","name":"b","trigger_when":null,"settings":null})");
    EXPECT_EQ(updated.response.status, 204) << updated.response.body;
    check(devopness("GET", path), "", hook, path);
    check(devopness("GET", path), "/trigger_when", trigger_when, path);
  }
  check(devopness("GET", "/pipelines/33/hooks"), "/0", hook_relation, "list");
  check(devopness("GET", "/applications/5/hooks"), "/0", hook_relation, "list");
}

TEST_F(PublishedModels, OfDevopnessHookRequests) {
  const auto created = devopness("POST", "/pipelines/33/hooks/outgoing",
                                 R"({"name":"a","target_url":"https://a.example/"})");
  const std::string path = "/hooks/outgoing/" + member(created, "/id") + "/requests";
  for (const bool answered : {false, true}) {
    log_one(management, management.stored.begin()->second,
            {.source = "pipeline/33", .type = "action.failed", .data = as_bytes("{}")}, answered);
    const auto list = devopness("GET", path);
    check(list, "/0", request_relation, "list");
    check(devopness("GET", "/hook-requests/" + member(list, "/0/id")), "", hook_request, "one");
  }
  const auto incoming = devopness("POST", "/pipelines/33/hooks/incoming", R"({"name":"a"})");
  const std::string id = member(incoming, "/id");
  const auto triggered = devopness("POST", "/hooks/" + id + "/trigger", "{}");
  check(triggered, "", std::vector<Fact>{{"message", Is::text}, {"errors", Is::object, true}},
        "trigger");
  const auto list = devopness("GET", "/hooks/incoming/" + id + "/requests");
  check(list, "/0", request_relation, "list");
  check(devopness("GET", "/hook-requests/" + member(list, "/0/id")), "", hook_request, "one");
  check(list, "/0", std::vector<Fact>{{"id", Is::uuid}}, "ids of requests");
}

TEST_F(PublishedModels, OfDevopnessLogins) {
  const auto login =
      devopness("POST", "/users/login", R"({"email":"ada@example.org","password":"correct"})");
  EXPECT_EQ(login.response.status, 200);
  check(login, "", login_response, "login");
  const auto refreshed =
      devopness("POST", "/users/refresh-token",
                R"({"refresh_token":")" + member(login, "/refresh_token") + "\"}");
  EXPECT_EQ(refreshed.response.status, 200);
  check(refreshed, "", login_response, "refresh");
  for (const char* body : {"{}", R"({"refresh_token":7})", R"({"refresh_token":null})"}) {
    const auto refused = devopness("POST", "/users/refresh-token", body);
    EXPECT_EQ(refused.response.status, 422) << body;
    check(refused, "", api_error, body);
  }
  const auto unknown = devopness("POST", "/users/refresh-token", R"({"refresh_token":"x"})");
  EXPECT_EQ(unknown.response.status, 401);
  check(unknown, "", api_error, "unknown");
  EXPECT_EQ(devopness("GET", "/users/logout").response.status, 204);
}

// --- Buildkite -----------------------------------------------------------------------------------

const std::vector<Fact> service{
    {"id", Is::uuid},
    {"graphql_id", Is::text, true},
    {"url", Is::text},
    {"provider", Is::object},
    {"description", Is::text, true},
    {"enabled", Is::flag},
    {"scope", Is::text, false, {"all", "some_projects", "some_teams", "some_clusters"}},
    {"scope_uuids", Is::array},
    {"branch_configuration", Is::text, true},
    {"build_states", Is::object},
    {"settings", Is::object},
    {"created_at", Is::time},
    {"created_by", Is::object, true}};
const std::vector<Fact> service_settings{
    {"url", Is::text},     {"version", Is::integer},
    {"token", Is::text},   {"token_mode", Is::text, false, {"token", "signature"}},
    {"events", Is::array}, {"tls_verify", Is::flag}};
const std::vector<Fact> build_states{{"build_passed", Is::flag},   {"build_fixed", Is::flag},
                                     {"build_failed", Is::flag},   {"build_blocked", Is::flag},
                                     {"build_canceled", Is::flag}, {"build_failing", Is::flag},
                                     {"job_activated", Is::flag}};
const std::vector<Fact> user{{"id", Is::uuid},         {"graphql_id", Is::text},
                             {"name", Is::text},       {"email", Is::text},
                             {"avatar_url", Is::text}, {"created_at", Is::time}};
const std::vector<Fact> organization{{"id", Is::uuid},         {"graphql_id", Is::text},
                                     {"url", Is::text},        {"web_url", Is::text},
                                     {"name", Is::text},       {"slug", Is::text},
                                     {"agents_url", Is::text}, {"emojis_url", Is::text},
                                     {"created_at", Is::time}, {"pipelines_url", Is::text}};

TEST_F(PublishedModels, OfBuildkiteServices) {
  const std::string base = "/v2/organizations/default/services";
  for (const char* members :
       {"", R"(,"description":null,"scope":null,"scope_uuids":null,"branch_configuration":null,
               "build_states":null)",
        R"(,"scope":"some_projects")", R"(,"scope":"some_teams","scope_uuids":[])"}) {
    const auto created =
        buildkite("POST", base,
                  R"({"provider":"webhook","settings":{"url":"https://a.example/"})" +
                      std::string{members} + "}");
    ASSERT_EQ(created.response.status, 201) << members << created.response.body;
    const std::string path = base + "/" + member(created, "/id");
    const auto cleared = R"({"description":null,"branch_configuration":null,"scope":null,
                             "scope_uuids":[],"build_states":null,
                             "settings":{"events":null,"token":null,"token_mode":null,
                                         "tls_verify":null,"version":null}})";
    std::vector<api::Answer> answers;
    answers.push_back(created);
    answers.push_back(buildkite("GET", path));
    answers.push_back(buildkite("PATCH", path, cleared));
    answers.push_back(buildkite("PUT", path + "/disable"));
    answers.push_back(buildkite("PUT", path + "/enable"));
    for (const auto& answer : answers) {
      check(answer, "", service, members);
      check(answer, "/settings", service_settings, members);
      check(answer, "/build_states", build_states, members);
      check(answer, "/created_by", user, members);
    }
  }
  check(buildkite("GET", base), "/items/0", service, "list");
}

TEST_F(PublishedModels, OfABuildkitePing) {
  const auto created =
      buildkite("POST", "/v2/organizations/default/services",
                R"({"provider":"webhook","settings":{"url":"https://a.example/"}})");
  ASSERT_EQ(created.response.status, 201);
  const auto made = buildkite::dialect().ping(management.stored.begin()->second, "https://r");
  const std::string ping = std::get<Dialect::Ping>(made).data;
  dom::parser parser;
  dom::element root;
  ASSERT_FALSE(parser.parse(ping).get(root));
  check(root.at_key("organization").value_unsafe(), organization, "organization");
  check(root.at_key("service").value_unsafe(), std::vector<Fact>{{"id", Is::uuid}}, "service");
}

TEST_F(PublishedModels, OfBuildkiteRequestIds) {
  const std::string base = "/v2/organizations/default/services";
  const auto created =
      buildkite("POST", base, R"({"provider":"webhook","settings":{"url":"https://a.example/"}})");
  const std::string path = base + "/" + member(created, "/id") + "/requests";
  for (int round = 0; round < 20; ++round) {
    log_one(management, management.stored.begin()->second,
            {.source = "pipeline/app", .type = "build.finished", .data = as_bytes("{}")}, true);
    const auto list = buildkite("GET", path);
    check(list, "/items/0", std::vector<Fact>{{"id", Is::uuid}}, "request");
    const std::string again = path + "/" + member(list, "/items/0/id") + "/redeliver";
    EXPECT_EQ(buildkite("POST", again).response.status, 202);
  }
}

// --- Bitrise -------------------------------------------------------------------------------------

const std::vector<Fact> outgoing_webhook{{"slug", Is::text},
                                         {"url", Is::text},
                                         {"events", Is::array},
                                         {"headers", Is::object},
                                         {"registered_by_addon", Is::flag},
                                         {"created_at", Is::time},
                                         {"updated_at", Is::time}};
const std::vector<Fact> delivery_item{{"slug", Is::text},
                                      {"request_url", Is::text},
                                      {"request_headers", Is::text},
                                      {"request_payload", Is::text},
                                      {"response_http_status", Is::integer, true},
                                      {"response_seconds", Is::integer, true},
                                      {"response_headers", Is::text, true},
                                      {"response_body", Is::text, true},
                                      {"created_at", Is::time},
                                      {"updated_at", Is::time}};
const std::vector<Fact> paging{{"page_item_limit", Is::integer}, {"total_item_count", Is::integer}};

TEST_F(PublishedModels, OfBitriseWebhooks) {
  const std::string base = "/v0.1/apps/a/outgoing-webhooks";
  const std::string body = R"({"events":["all"],"url":"host.example"})";
  const auto created = bitrise("POST", base, body);
  ASSERT_EQ(created.response.status, 201) << created.response.body;
  check(created, "/data", outgoing_webhook, "create");
  EXPECT_EQ(member(created, "/data/url"), "host.example") << "as it was sent";
  const std::string path = base + "/" + member(created, "/data/slug");
  check(bitrise("PUT", path, body), "/data", outgoing_webhook, "update");
  EXPECT_EQ(management.stored.begin()->second.destination.url, "https://host.example");
  check(bitrise("GET", base), "/data/0", outgoing_webhook, "list");
  check(bitrise("GET", base), "/paging", paging, "list");
  for (const bool answered : {false, true}) {
    log_one(management, management.stored.begin()->second,
            {.source = "app/a", .type = "build/finished", .data = as_bytes("{}")}, answered);
    const auto list = bitrise("GET", path + "/delivery-items");
    check(list, "/data/0", delivery_item, "deliveries");
    check(list, "/paging", paging, "deliveries");
    const std::string item = path + "/delivery-items/" + member(list, "/data/0/slug");
    check(bitrise("GET", item), "", delivery_item, "delivery");
  }
  check(bitrise("DELETE", path), "/data", outgoing_webhook, "delete");
}

}  // namespace
}  // namespace ringpost::dialect
