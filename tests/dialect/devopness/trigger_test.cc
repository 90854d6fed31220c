#include "dialect/devopness/trigger.h"

#include "../fake_management.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "crypto/hmac.h"
#include "hooks.h"
#include "http/query.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace ringpost::dialect::devopness {
namespace {

// The specification's vector, section 4.
constexpr std::string_view vector_body =
    R"({"action":"opened","pull_request":{"number":7,"head":{"ref":"feature/login","sha":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"}}})";
constexpr std::string_view vector_digits =
    "3b030151563d5c5c0adc91e3d8302e9bf9c44ab26da7433e64cc71511cfc67a8";

constexpr std::string_view guide_variables =
    R"([{"name":"source_type","type":"string","required":true,"default_value":"branch"},)"
    R"({"name":"source_ref","path":"pull_request.head.ref","type":"string","required":true,"default_value":"main"},)"
    R"({"name":"pull_request_id","path":"pull_request.number","type":"integer","required":false},)"
    R"({"name":"pull_request_title","path":"pull_request.title","type":"string","required":false},)"
    R"({"name":"commit_hash","path":"pull_request.head.sha","type":"string","required":false}])";

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char byte) { return static_cast<char>(std::toupper(byte)); });
  return text;
}

class TriggerTest : public testing::Test {
 protected:
  /// Makes a hook over the API and gives it the vector's secret.
  void make_hook(const std::string& more = "") {
    const Answer made = ask(
        dialect(), management, "POST", "/pipelines/33/hooks/incoming",
        R"({"name":"from the git host","requires_secret":true,"secret_algorithm":"sha256",)"
        R"("secret_header_name":"x-hub-signature-256","action_type":"deploy","settings":{"variables":)" +
            std::string{guide_variables} + "}" + more + "}");
    ASSERT_EQ(made.response.status, 201) << made.response.body;
    subscription::Webhook& webhook = management.stored.begin()->second;
    webhook.secret = "devo-demo-secret";
    id = webhook.id.to_uuid_text();
  }

  using Answer = api::Answer;

  Answer call(std::string_view body, const std::string& signature, std::string path = "",
              const std::string& type = "application/json") {
    if (path.empty()) path = "/hooks/incoming/" + id;
    std::vector<http::Header> headers{{"Content-Type", type}};
    if (!signature.empty()) headers.push_back({"X-Hub-Signature-256", signature});
    return ask(dialect(), management, "POST", path, std::string{body}, headers);
  }
  Answer call() { return call(vector_body, "sha256=" + std::string{vector_digits}); }

  /// What the accepted event says at `path`.
  std::string accepted(std::string_view path) {
    const std::string data{as_text(management.accepted.back()->view().data)};
    json::Document document;
    document.assign(data);
    return std::string{document.find(json::Path::constant(path)).text};
  }

  FakeManagement management;
  std::string id;
};

TEST(Signature, AgreesWithTheVector) {
  ASSERT_EQ(vector_body.size(), 127u);
  EXPECT_EQ(crypto::hex_encode(crypto::bytes_of(crypto::sha256(as_bytes(vector_body)))),
            "ad090c90fced1b3d9f4cdaf214f0521637735b1e3c318b0c97342ac839741c42");
  subscription::Webhook webhook;
  webhook.secret = "devo-demo-secret";
  const auto good = [&](const std::string& header, std::string_view body = vector_body) {
    return signed_by(webhook, header, as_bytes(body), {});
  };
  const std::string digits{vector_digits};
  EXPECT_TRUE(good("sha256=" + digits));
  EXPECT_TRUE(good(digits));
  EXPECT_TRUE(good("sha256=" + upper(digits)));
  EXPECT_TRUE(good(upper(digits)));
  EXPECT_FALSE(good(""));
  EXPECT_FALSE(good("sha256="));
  EXPECT_FALSE(good("sha1=" + digits));
  EXPECT_FALSE(good("sha256=" + digits.substr(2)));
  EXPECT_FALSE(good("sha256=" + digits + "00"));
  EXPECT_FALSE(good("sha256=" + std::string(64, '0')));
  EXPECT_FALSE(good(digits, std::string{vector_body} + "\n"));
  for (size_t place = 0; place < digits.size(); ++place) {
    std::string wrong = digits;
    wrong[place] = wrong[place] == '0' ? '1' : '0';
    EXPECT_FALSE(good(wrong)) << place;
  }
}

// GitHub's webhooks can send forms, which is what they do unless somebody chooses otherwise.
TEST_F(TriggerTest, ReadsTheJsonInAFormAndTheSignatureOverTheForm) {
  make_hook();
  const std::string type = "application/x-www-form-urlencoded";
  std::string form = "payload=";
  http::append_percent_encoded(form, vector_body);
  const auto signature_of = [](std::string_view body) {
    return "sha256=" +
           crypto::hex_encode(crypto::bytes_of(
               crypto::HmacSha256Key{as_bytes("devo-demo-secret")}.sign(as_bytes(body))));
  };
  EXPECT_EQ(call(form, "sha256=" + std::string{vector_digits}, "", type).response.status, 403)
      << "the signature of the JSON is not that of the form";
  ASSERT_EQ(call(form, signature_of(form), "", type).response.status, 200);
  EXPECT_EQ(accepted("action.triggered_from.hook_parsed_variables.source_ref"), "feature/login");
  EXPECT_EQ(accepted("request.body.action"), "opened");
  for (const std::string wrong :
       {"", "a=1", "payload=%7B%7D&payload=%7B%7D", "payload=%7", "payload=x"}) {
    EXPECT_EQ(call(wrong, signature_of(wrong), "", type).response.status, 422) << wrong;
  }
  EXPECT_EQ(management.accepted.size(), 1u);
}

TEST_F(TriggerTest, OfAllRoutesOnlyCallsTakeForms) {
  for (const api::Route& route : dialect().routes()) {
    const bool calls = route.method == "POST" && (route.pattern.ends_with("/trigger") ||
                                                  route.pattern == "/hooks/incoming/{hook_id}" ||
                                                  route.pattern == "/hooks-incoming/{hook_id}");
    EXPECT_EQ(route.takes_forms, calls) << route.pattern;
  }
}

// Goal: whatever sources the native API gave the webhook, an event is of one source.
TEST_F(TriggerTest, IsOfTheHooksOwnSource) {
  make_hook();
  management.stored.begin()->second.sources = {"app/*", "*"};
  ASSERT_EQ(call().response.status, 200);
  EXPECT_EQ(management.accepted.back()->view().source, "pipeline/33");
}

TEST(Signature, HoldsWithTheSecretBeforeWhileThatIsGood) {
  subscription::Webhook webhook;
  webhook.secret = "another";
  webhook.previous_secret = "devo-demo-secret";
  webhook.previous_secret_until = from_unix_ns(1000);
  EXPECT_TRUE(signed_by(webhook, vector_digits, as_bytes(vector_body), from_unix_ns(999)));
  EXPECT_FALSE(signed_by(webhook, vector_digits, as_bytes(vector_body), from_unix_ns(1000)));
}

TEST_F(TriggerTest, AcceptsTheVectorAsAnEvent) {
  make_hook();
  const Answer answer = call();
  EXPECT_EQ(answer.response.status, 200);
  EXPECT_EQ(answer.when, Answer::When::stored);
  EXPECT_EQ(answer.response.body, R"({"message":"Hook successfully triggered","errors":null})");
  ASSERT_EQ(answer.response.headers.size(), 1u);
  EXPECT_EQ(answer.response.headers[0].name, "X-Devopness-Action-Id");
  EXPECT_EQ(answer.response.headers[0].value, "8801");
  ASSERT_EQ(management.accepted.size(), 1u);
  const journal::EventView& event = management.accepted[0]->view();
  EXPECT_EQ(event.type, "hook.triggered");
  EXPECT_EQ(event.source, "pipeline/33");
  EXPECT_EQ(event.organization, "default");
  EXPECT_EQ(accepted("hook.id"), id);
  EXPECT_EQ(accepted("hook.name"), "from the git host");
  EXPECT_EQ(accepted("action.id"), "8801");
  EXPECT_EQ(accepted("action.type"), "deploy");
  EXPECT_EQ(accepted("action.pipeline_id"), "33");
  EXPECT_EQ(accepted("action.status"), "pending");
  EXPECT_EQ(accepted("action.triggered_from.trigger_type"), "hook");
  EXPECT_EQ(accepted("action.triggered_from.hook_id"), id);
  EXPECT_EQ(accepted("action.triggered_from.ip_address"), "192.0.2.10");
  EXPECT_EQ(
      accepted("action.triggered_from.hook_parsed_variables"),
      R"({"source_type":"branch","source_ref":"feature/login","pull_request_id":7,)"
      R"("pull_request_title":null,"commit_hash":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"})");
}

TEST_F(TriggerTest, IsFoundAtAllItsUrls) {
  make_hook();
  const std::string good{vector_digits};
  for (const std::string& path :
       {"/hooks/" + id + "/trigger", "/hooks/incoming/" + id, "/hooks-incoming/" + id}) {
    EXPECT_EQ(call(vector_body, good, path).response.status, 200) << path;
    EXPECT_EQ(ask(dialect(), management, "PATCH", path).response.status, 405) << path;
  }
  EXPECT_EQ(ask(dialect(), management, "GET", "/hooks/" + id + "/trigger").response.status, 405);
  EXPECT_EQ(ask(dialect(), management, "PUT", "/hooks-incoming/" + id).response.status, 405);
}

TEST_F(TriggerTest, RefusesAMissingOrWrongSignature) {
  make_hook();
  for (const std::string& signature : {std::string{}, std::string(64, 'a'), std::string{"x"}}) {
    const Answer answer = call(vector_body, signature);
    EXPECT_EQ(answer.response.status, 403);
    EXPECT_NE(answer.response.body.find("\"message\":"), std::string::npos);
  }
  EXPECT_TRUE(management.accepted.empty());
  EXPECT_TRUE(management.logged.empty());
}

TEST_F(TriggerTest, IsNotFoundIfUnknownInactiveOrOutgoing) {
  make_hook(R"(,"active":false)");
  EXPECT_EQ(call().response.status, 404);
  EXPECT_EQ(call(vector_body, "", "/hooks/incoming/nonsense").response.status, 404);
  EXPECT_EQ(
      call(vector_body, "", "/hooks/incoming/018f6b1e-5555-4abc-8def-000000000005").response.status,
      404);
  auto outgoing = webhook_of(note_hook);
  management.stored[outgoing.number] = outgoing;
  EXPECT_EQ(
      call(vector_body, "", "/hooks/" + outgoing.id.to_uuid_text() + "/trigger").response.status,
      404);
}

TEST_F(TriggerTest, AnswersWhenItsConditionsAreNotMetAndLogsTheCall) {
  make_hook(
      R"(,"trigger_when":{"conditions":[{"name":"c","type":"request_body","path":"action","accepted_values":["closed"]}]})");
  const Answer answer = call();
  EXPECT_EQ(answer.response.status, 200);
  EXPECT_EQ(answer.when, Answer::When::now);
  EXPECT_EQ(answer.response.body, R"({"message":"Hook conditions not met","errors":null})");
  EXPECT_TRUE(answer.response.headers.empty());
  EXPECT_TRUE(management.accepted.empty());
  ASSERT_EQ(management.notified.size(), 1u);
  EXPECT_EQ(management.notified[0].event->view().type, "hook.not_triggered");
}

TEST_F(TriggerTest, AnswersWhenItsConditionsAreMet) {
  make_hook(
      R"(,"trigger_when":{"conditions":[{"type":"request_body","path":"pull_request.number","accepted_values":["7"]}]})");
  EXPECT_EQ(call().response.status, 200);
  EXPECT_EQ(management.accepted.size(), 1u);
}

TEST_F(TriggerTest, RefusesWhatItCannotRead) {
  const Answer made = ask(
      dialect(), management, "POST", "/pipelines/33/hooks/incoming",
      R"({"name":"n","settings":{"variables":[{"name":"v","type":"integer","required":true}]}})");
  ASSERT_EQ(made.response.status, 201);
  id = management.stored.begin()->second.id.to_uuid_text();
  for (const char* body : {"{", "7", "\"x\"", "null", "{}", R"({"v":"x"})", ""}) {
    const Answer answer = call(body, "");
    EXPECT_EQ(answer.response.status, 422) << body;
  }
  EXPECT_EQ(
      call("{}", "").response.body,
      R"({"message":"`v` is required: the body has nothing at v.","errors":{"v":["`v` is required: the body has nothing at v."]}})");
  EXPECT_EQ(call(R"({"v":"7"})", "").response.status, 200);
}

TEST_F(TriggerTest, IsLoggedAsAHookRequest) {
  make_hook();
  call();
  const Answer list = ask(dialect(), management, "GET", "/hooks/incoming/" + id + "/requests");
  ASSERT_EQ(list.response.status, 200);
  json::Document document;
  document.assign(list.response.body);
  const auto found = [&](std::string_view path) {
    return std::string{document.find(json::Path::constant(path)).text};
  };
  const std::string request = found("0.id");
  EXPECT_EQ(found("0.hook_id"), id);
  EXPECT_EQ(found("0.action_id"), "8801");
  EXPECT_EQ(found("0.ip_address"), "192.0.2.10");
  EXPECT_EQ(accepted("action.triggered_from.hook_request_id"), request);
  const Answer one = ask(dialect(), management, "GET", "/hook-requests/" + request);
  ASSERT_EQ(one.response.status, 200) << one.response.body;
  document.assign(one.response.body);
  EXPECT_EQ(found("id"), request);
  EXPECT_EQ(found("url"), "https://relay.example.org/hooks/incoming/" + id);
  EXPECT_EQ(found("request_headers.Content-Type"), "application/json");
  EXPECT_EQ(found("request_body.pull_request.number"), "7");
  EXPECT_EQ(found("response_status_code"), "200");
  EXPECT_EQ(found("response_body.message"), "Hook successfully triggered");
  EXPECT_EQ(found("hook.id"), id);
}

}  // namespace
}  // namespace ringpost::dialect::devopness
