#include "../fake_management.h"
#include "dialect/attempt_id.h"
#include "dialect/devopness/request_log.h"
#include "hooks.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ringpost::dialect::devopness {
namespace {

using api::Answer;

class ApiTest : public testing::Test {
 protected:
  Answer request(const std::string& method, const std::string& target, std::string body = {}) {
    return ask(dialect(), management, method, target, std::move(body));
  }
  /// Makes an outgoing hook; returns its id.
  std::string make(const std::string& path = "/pipelines/33/hooks/outgoing",
                   std::string_view body = note_hook) {
    const Answer answer = request("POST", path, std::string{body});
    EXPECT_EQ(answer.response.status, 201) << answer.response.body;
    return value(answer, "id");
  }
  std::string value(const Answer& answer, std::string_view path) {
    document.assign(answer.response.body);
    return std::string{document.find(json::Path::constant(path)).text};
  }
  size_t count(const Answer& answer) {
    size_t items = 0;
    const std::string text = R"({"a":)" + answer.response.body + "}";
    document.assign(text);
    document.for_each_element(json::Path::constant("a"), [&](const json::Found&) {
      ++items;
      return true;
    });
    return items;
  }
  static std::string header(const Answer& answer, std::string_view name) {
    for (const auto& header : answer.response.headers) {
      if (header.name == name) return header.value;
    }
    return "(absent)";
  }

  FakeManagement management;
  json::Document document;
};

TEST_F(ApiTest, ShowsTheSecretOnce) {
  const Answer made = request("POST", "/pipelines/33/hooks/outgoing", std::string{note_hook});
  ASSERT_EQ(made.response.status, 201) << made.response.body;
  EXPECT_EQ(made.when, Answer::When::published);
  const std::string secret = value(made, "secret");
  EXPECT_EQ(secret.size(), 40u);
  EXPECT_EQ(management.stored.begin()->second.secret, secret);
  const std::string id = value(made, "id");
  EXPECT_TRUE(Ulid::parse_uuid(id));
  EXPECT_EQ(value(made, "pipeline_id"), "33");
  EXPECT_EQ(value(made, "type"), "out");
  const Answer shown = request("GET", "/hooks/outgoing/" + id);
  EXPECT_EQ(shown.response.status, 200);
  EXPECT_EQ(value(shown, "secret"), "*****");
  EXPECT_EQ(shown.response.body.find(secret), std::string::npos);
  const Answer list = request("GET", "/pipelines/33/hooks");
  EXPECT_EQ(list.response.body.find("\"secret\":"), std::string::npos) << list.response.body;
  EXPECT_EQ(list.response.body.find("created_by_user"), std::string::npos);
}

TEST_F(ApiTest, MakesHooksInBothForms) {
  const std::string outgoing = make("/hooks/outgoing");
  EXPECT_EQ(management.stored[1].sources, std::vector<std::string>{"resource/application/44"});
  EXPECT_EQ(value(request("GET", "/hooks/outgoing/" + outgoing), "pipeline_id"), "");
  const std::string incoming =
      make("/hooks/incoming", R"({"name":"n","resource_type":"daemon","resource_id":5})");
  EXPECT_EQ(management.stored[2].sources, std::vector<std::string>{"resource/daemon/5"});
  EXPECT_EQ(value(request("GET", "/hooks/incoming/" + incoming), "url"),
            "https://relay.example.org/hooks/incoming/" + incoming);
  make("/pipelines/34/hooks/incoming", R"({"name":"n"})");
  EXPECT_EQ(management.stored[3].sources, std::vector<std::string>{"pipeline/34"});
  EXPECT_EQ(request("GET", "/hooks/incoming/" + outgoing).response.status, 404);
  EXPECT_EQ(request("GET", "/hooks/outgoing/" + incoming).response.status, 404);
}

TEST_F(ApiTest, RefusesWithTheFieldNamed) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"target_url":"https://a.example/"})", "name"},
      {R"({"name":"","target_url":"https://a.example/"})", "name"},
      {R"({"name":7,"target_url":"https://a.example/"})", "name"},
      {R"({"name":")" + std::string(61, 'x') + R"(","target_url":"https://a.example/"})", "name"},
      {R"({"name":"n"})", "target_url"},
      {R"({"name":"n","target_url":"https://a.example/","active":"yes"})", "active"},
      {R"({"name":"n","target_url":"https://a.example/","verify_ssl":1})", "verify_ssl"},
      {R"({"name":"n","target_url":"https://a.example/{{}}"})", "target_url"},
  };
  for (const auto& [body, field] : cases) {
    const Answer answer = request("POST", "/pipelines/33/hooks/outgoing", body);
    EXPECT_EQ(answer.response.status, 422) << body;
    document.assign(answer.response.body);
    EXPECT_EQ(document.find(json::Path::constant("errors." + field + ".0")).kind,
              json::Kind::string)
        << answer.response.body;
    EXPECT_NE(value(answer, "message"), "");
  }
  EXPECT_EQ(request("POST", "/pipelines/33/hooks/outgoing", "{").response.status, 422);
  EXPECT_EQ(
      request("POST", "/pipelines/33/hooks/outgoing", R"({"name":"a","name":"b"})").response.status,
      422);
  EXPECT_EQ(request("POST", "/hooks/outgoing", R"({"name":"n","target_url":"https://a.example/"})")
                .response.status,
            422);
  EXPECT_EQ(request("POST", "/pipelines/x/hooks/outgoing", std::string{note_hook}).response.status,
            404);
  EXPECT_EQ(request("POST", "/pipelines/0/hooks/outgoing", std::string{note_hook}).response.status,
            404);
  management.denied_destination = "is a private address";
  EXPECT_EQ(
      request("POST", "/pipelines/33/hooks/outgoing", std::string{note_hook}).response.body,
      R"({"message":"`target_url` is a private address.","errors":{"target_url":["`target_url` is a private address."]}})");
  management.denied_destination.reset();
  management.failure = api::refusal(503, "the change could not be stored");
  EXPECT_EQ(request("POST", "/pipelines/33/hooks/outgoing", std::string{note_hook}).response.body,
            R"({"message":"The change could not be stored."})");
  EXPECT_TRUE(management.stored.empty());
}

TEST_F(ApiTest, TakesSixtyCharactersOfAName) {
  std::string name;
  for (int index = 0; index < 60; ++index) name += "\xC3\xA9";
  make("/pipelines/33/hooks/outgoing",
       R"({"name":")" + name + R"(","target_url":"https://a.example/","unknown":1})");
}

TEST_F(ApiTest, UpdatesWhatIsGivenAndKeepsTheRest) {
  const std::string id = make();
  const std::string path = "/hooks/outgoing/" + id;
  const Answer done =
      request("PUT", path,
              R"({"id":")" + id +
                  R"(","name":"other","active":false,"verify_ssl":false,"pipeline_id":99})");
  EXPECT_EQ(done.response.status, 204) << done.response.body;
  EXPECT_EQ(done.response.body, "");
  EXPECT_EQ(done.when, Answer::When::published);
  const Answer shown = request("GET", path);
  EXPECT_EQ(value(shown, "name"), "other");
  EXPECT_EQ(value(shown, "active"), "false");
  EXPECT_EQ(value(shown, "verify_ssl"), "false");
  EXPECT_EQ(value(shown, "pipeline_id"), "33");
  EXPECT_EQ(value(shown, "settings.request_headers.0.name"), "Authorization");
  EXPECT_FALSE(management.stored[1].active());
  EXPECT_FALSE(management.stored[1].tls_verify);
  EXPECT_EQ(request("PUT", path,
                    R"({"id":")" + id +
                        R"(","name":"n","active":true,"target_url":"https://b.example/"})")
                .response.status,
            204);
  EXPECT_EQ(management.stored[1].destination.host, "b.example");
  EXPECT_TRUE(management.stored[1].active());
  EXPECT_EQ(request("PUT", path, R"({"name":"n"})").response.status, 422);
  EXPECT_EQ(request("PUT", path, R"({"id":")" + id + "\"}").response.status, 422);
  EXPECT_EQ(request("PUT", path, R"({"id":"018f6b1e-5555-4abc-8def-000000000005","name":"n"})")
                .response.status,
            422);
  EXPECT_EQ(request("PUT", "/hooks/incoming/" + id, R"({"id":")" + id + R"(","name":"n"})")
                .response.status,
            404);
}

// What is absent keeps its value, inside settings too; null clears.
TEST_F(ApiTest, UpdatesOneSettingAndKeepsTheOther) {
  const std::string path = "/hooks/outgoing/" + make();
  const auto put = [&](const std::string& settings) {
    const Answer done = request("PUT", path,
                                R"({"id":")" + path.substr(path.rfind('/') + 1) +
                                    R"(","name":"n","settings":)" + settings + "}");
    EXPECT_EQ(done.response.status, 204) << done.response.body;
    return request("GET", path);
  };
  Answer shown = put(R"({"request_body":{"text":"{{ action.status }}"}})");
  EXPECT_EQ(value(shown, "settings.request_headers.0.name"), "Authorization");
  EXPECT_EQ(value(shown, "settings.request_body"), R"({"text":"{{ action.status }}"})");
  shown = put(R"({"request_headers":null})");
  EXPECT_EQ(value(shown, "settings.request_headers"), "[]");
  EXPECT_EQ(value(shown, "settings.request_body"), R"({"text":"{{ action.status }}"})");
  EXPECT_EQ(value(put("{}"), "settings.request_body"), R"({"text":"{{ action.status }}"})");
  EXPECT_EQ(value(put("null"), "settings"), "");
}

TEST_F(ApiTest, KeepsACredentialThatComesBackAsItWasShown) {
  const std::string settings =
      R"("settings":{"request_headers":[{"name":"Private-Token","value":"glpat-static"}]})";
  const Answer made = request("POST", "/pipelines/33/hooks/outgoing",
                              R"({"name":"n","target_url":"https://a.example/",)" + settings + "}");
  EXPECT_EQ(value(made, "settings.request_headers.0.value"), "glpat-static");
  const std::string id = value(made, "id");
  const std::string path = "/hooks/outgoing/" + id;
  EXPECT_EQ(value(request("GET", path), "settings.request_headers.0.value"), "*****");
  EXPECT_EQ(request("GET", "/pipelines/33/hooks").response.body.find("glpat-static"),
            std::string::npos);
  const auto put = [&](const std::string& name) {
    return request("PUT", path,
                   R"({"id":")" + id +
                       R"(","name":"other","settings":{"request_headers":[{"name":")" + name +
                       R"(","value":"*****"}]}})");
  };
  const Answer refused = put("Authorization");
  EXPECT_EQ(refused.response.status, 422);
  EXPECT_NE(refused.response.body.find("settings.request_headers.0.value"), std::string::npos);
  EXPECT_EQ(put("private-token").response.status, 204);
  EXPECT_EQ(hook_of(management.stored[1]).request_headers.at(0).second, "glpat-static");
  EXPECT_EQ(request("POST", "/pipelines/33/hooks/outgoing",
                    R"({"name":"n","target_url":"https://a.example/","settings":)"
                    R"({"request_headers":[{"name":"Private-Token","value":"*****"}]}})")
                .response.status,
            422);
}

TEST_F(ApiTest, TurnsAnIncomingHookOffAndOn) {
  const std::string id = make("/pipelines/33/hooks/incoming", R"({"name":"n"})");
  const auto set = [&](const char* active) {
    return request("PUT", "/hooks/incoming/" + id,
                   R"({"id":")" + id + R"(","name":"n","active":)" + active + "}")
        .response.status;
  };
  EXPECT_EQ(set("false"), 204);
  EXPECT_EQ(request("POST", "/hooks/incoming/" + id, "{}").response.status, 404);
  EXPECT_EQ(set("true"), 204);
  EXPECT_EQ(request("POST", "/hooks/incoming/" + id, "{}").response.status, 200);
  EXPECT_FALSE(management.stored[1].active());
}

TEST_F(ApiTest, RemovesAHook) {
  const std::string id = make();
  EXPECT_EQ(request("DELETE", "/hooks/incoming/" + id).response.status, 404);
  EXPECT_EQ(request("DELETE", "/hooks/outgoing/" + id).response.status, 204);
  EXPECT_EQ(request("DELETE", "/hooks/outgoing/" + id).response.status, 404);
  EXPECT_TRUE(management.stored.empty());
}

TEST_F(ApiTest, SeesOnlyItsOrganizationsHooks) {
  const std::string id = make();
  management.organization = "other";
  EXPECT_EQ(request("GET", "/hooks/outgoing/" + id).response.status, 404);
  EXPECT_EQ(request("DELETE", "/hooks/outgoing/" + id).response.status, 404);
  EXPECT_EQ(request("GET", "/hooks/outgoing/" + id + "/requests").response.status, 404);
  EXPECT_EQ(request("GET", "/pipelines/33/hooks").response.body, "[]");
}

TEST_F(ApiTest, ListsInPages) {
  for (int index = 0; index < 5; ++index) make();
  make("/hooks/incoming", R"({"name":"n","resource_type":"application","resource_id":44})");
  make("/pipelines/34/hooks/outgoing");
  EXPECT_EQ(count(request("GET", "/pipelines/33/hooks")), 5u);
  EXPECT_EQ(count(request("GET", "/applications/44/hooks")), 7u);
  EXPECT_EQ(request("GET", "/applications/45/hooks").response.body, "[]");
  EXPECT_EQ(request("GET", "/pipelines/" + std::string(7000, '0') + "33/hooks").response.status,
            404);
  const Answer middle = request("GET", "/pipelines/33/hooks?page=2&per_page=2&other=1");
  EXPECT_EQ(count(middle), 2u);
  const std::string base = "<https://relay.example.org/pipelines/33/hooks?page=";
  EXPECT_EQ(header(middle, "Link"),
            base + "1&per_page=2>; rel=\"first\", " + base + "3&per_page=2>; rel=\"last\", " +
                base + "1&per_page=2>; rel=\"previous\", " + base + "3&per_page=2>; rel=\"next\"");
  const Answer last = request("GET", "/pipelines/33/hooks?page=3&per_page=2");
  EXPECT_EQ(count(last), 1u);
  EXPECT_EQ(header(last, "Link").find("next"), std::string::npos);
  const Answer first = request("GET", "/pipelines/33/hooks");
  EXPECT_EQ(header(first, "Link").find("previous"), std::string::npos);
  EXPECT_EQ(request("GET", "/pipelines/33/hooks?page=9").response.body, "[]");
  for (const char* query :
       {"page=0", "page=x", "page=-1", "per_page=0", "per_page=101", "page=1&page=2", "%"}) {
    EXPECT_EQ(request("GET", std::string("/pipelines/33/hooks?") + query).response.status, 422)
        << query;
  }
  EXPECT_EQ(request("GET", "/pipelines/33/hooks?per_page=100").response.status, 200);
}

TEST_F(ApiTest, ShowsEachAttemptAsAHookRequest) {
  const std::string id = make();
  const subscription::Webhook& webhook = management.stored[1];
  const std::string data = action();
  journal::EventView event;
  event.data = as_bytes(data);
  auto& logged = management.log_delivery(webhook, event, journal::DeliveryStatus::delivered);
  const WallTime begun = management.now;
  FakeManagement::log_attempt(
      logged, {.started_at = begun,
               .duration = std::chrono::seconds(1),
               .failed = true,
               .error = {Errc::certificate_invalid, Side::endpoint, 10}});  // It has expired.
  const std::string head =
      "POST /repos/acme/shop/issues/57/comments HTTP/1.1\r\nHost: git.example.org\r\n"
      "Authorization: *****\r\nContent-Type: application/json\r\n\r\n";
  FakeManagement::log_attempt(
      logged, {.started_at = begun + std::chrono::seconds(10),
               .http_status = 201,
               .request_head = head,
               .response_head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n",
               .response_body = as_bytes(R"({"id": 1})"),
               .request_body = as_bytes(R"({"body":"shop is in-progress"})")});
  const std::string first = logged.id.to_uuid_text();
  const std::string second = attempt_id(logged.id, 2).to_uuid_text();
  const Answer list = request("GET", "/hooks/outgoing/" + id + "/requests");
  EXPECT_EQ(list.response.body,
            R"([{"id":")" + second + R"(","hook_id":")" + id +
                R"(","action_id":8801,"retry_of":")" + first +
                R"(","ip_address":"","created_at":")" +
                to_rfc3339(begun + std::chrono::seconds(10)) + R"(","updated_at":")" +
                to_rfc3339(begun + std::chrono::seconds(10)) + R"("},{"id":")" + first +
                R"(","hook_id":")" + id +
                R"(","action_id":8801,"retry_of":null,"ip_address":"","created_at":")" +
                to_rfc3339(begun) + R"(","updated_at":")" +
                to_rfc3339(begun + std::chrono::seconds(1)) + R"("}])");
  const Answer one = request("GET", "/hook-requests/" + second);
  ASSERT_EQ(one.response.status, 200) << one.response.body;
  EXPECT_EQ(value(one, "id"), second);
  EXPECT_EQ(value(one, "retry_of"), first);
  EXPECT_EQ(value(one, "url"), "https://git.example.org/repos/acme/shop/issues/57/comments");
  EXPECT_EQ(value(one, "request_headers.Authorization"), "*****");
  EXPECT_EQ(value(one, "request_body"), R"({"body":"shop is in-progress"})");
  EXPECT_EQ(value(one, "response_status_code"), "201");
  EXPECT_EQ(value(one, "response_headers.Content-Type"), "application/json");
  EXPECT_EQ(value(one, "response_body"), R"({"id":1})");
  EXPECT_EQ(value(one, "hook.id"), id);
  const Answer failed = request("GET", "/hook-requests/" + first);
  EXPECT_EQ(value(failed, "response_status_code"), "0");
  EXPECT_EQ(value(failed, "response_headers"), "{}");
  EXPECT_NE(value(failed, "response_body.error").find("expired"), std::string::npos);
  EXPECT_EQ(
      request("GET", "/hook-requests/" + attempt_id(logged.id, 3).to_uuid_text()).response.status,
      404);
  EXPECT_EQ(request("GET", "/hook-requests/nonsense").response.status, 404);
  management.organization = "other";
  EXPECT_EQ(request("GET", "/hook-requests/" + second).response.status, 404);
}

TEST_F(ApiTest, LogsAHundredRequestsOfThirtyDays) {
  const std::string id = make();
  const subscription::Webhook& webhook = management.stored[1];
  const std::string data = action();
  journal::EventView event;
  event.data = as_bytes(data);
  const WallTime now = management.now;
  const auto log_at = [&](WallTime time) {
    management.now = time;
    auto& logged = management.log_delivery(webhook, event, journal::DeliveryStatus::delivered);
    FakeManagement::log_attempt(logged, {.started_at = time, .http_status = 200});
    management.now = now;
    return logged.id.to_uuid_text();
  };
  const std::string old = log_at(now - std::chrono::hours(24 * 30 + 1));
  const std::string path = "/hooks/outgoing/" + id + "/requests?per_page=100";
  EXPECT_EQ(request("GET", path).response.body, "[]");
  EXPECT_EQ(request("GET", "/hook-requests/" + old).response.status, 404);
  for (int index = 0; index < 105; ++index) log_at(now - std::chrono::seconds(200 - index));
  EXPECT_EQ(count(request("GET", path)), 100u);
  EXPECT_EQ(header(request("GET", path), "Link").find("next"), std::string::npos);
}

TEST_F(ApiTest, ExchangesAPasswordForAToken) {
  const Answer good =
      request("POST", "/users/login", R"({"email":"ada@example.org","password":"correct"})");
  EXPECT_EQ(good.response.status, 200);
  EXPECT_EQ(good.when, Answer::When::published);
  EXPECT_EQ(good.response.body,
            R"({"access_token":"rp_granted","token_type":"Bearer","expires_in":86400,)"
            R"("refresh_token":"rp_refresh"})");
  EXPECT_EQ(request("POST", "/users/login", R"({"email":"ada@example.org","password":"x"})")
                .response.status,
            401);
  EXPECT_EQ(request("POST", "/users/login", R"({"email":"a"})").response.status, 422);
  EXPECT_EQ(request("POST", "/users/login", R"({"password":"a"})").response.status, 422);
}

TEST_F(ApiTest, SaysWhatIsThere) {
  EXPECT_EQ(request("GET", "/hooks/sideways/x").response.status, 404);
  EXPECT_EQ(request("PATCH", "/pipelines/33/hooks").response.status, 405);
  EXPECT_TRUE(dialect().owns_path("/hooks"));
  EXPECT_FALSE(dialect().owns_path("/v1/webhooks"));
  EXPECT_FALSE(dialect().owns_path("/hooksx"));
  EXPECT_FALSE(dialect().owns_path("/"));
}

TEST(LoggedBody, IsAnObjectOrRawTextCutAtSixteenKib) {
  const auto written = [](std::string_view body) {
    std::string text;
    JsonWriter json(text);
    write_logged_body(json, body);
    return text;
  };
  EXPECT_EQ(written(R"({"a": 1.50})"), R"({"a":1.50})");
  EXPECT_EQ(written("[1]"), R"({"raw":"[1]"})");
  EXPECT_EQ(written("plain \"text\""), R"({"raw":"plain \"text\""})");
  EXPECT_EQ(written(""), R"({"raw":""})");
  const std::string long_object = R"({"a":")" + std::string(20'000, 'x') + "\"}";
  EXPECT_EQ(written(long_object).size(), std::string_view{R"({"raw":""})"}.size() + 16 * 1024 + 3);
}

}  // namespace
}  // namespace ringpost::dialect::devopness
