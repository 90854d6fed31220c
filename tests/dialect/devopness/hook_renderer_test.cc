#include "../rendered.h"
#include "base/json_writer.h"
#include "hooks.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::dialect::devopness {
namespace {

struct Sent : Rendered {
  explicit Sent(std::string text = action()) : data(std::move(text)) {
    event.type = "action.status_changed";
    event.source = "pipeline/33";
    event.data = as_bytes(data);
    event.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  }
  std::string data;
};

std::string hook_with(const std::string& members) {
  return R"({"name":"n","trigger_when":{"events":["action.failed"]},)" + members + "}";
}

/// A hook that sends `body` to a plain URL.
std::string body_hook(const std::string& body) {
  return hook_with(R"("target_url":"https://a.example/x","settings":{"request_body":)" + body +
                   "}");
}

TEST(HookRenderer, SendsTheExample) {
  Sent sent;
  sent.render(webhook_of(note_hook));
  EXPECT_EQ(sent.head,
            "POST /repos/acme/shop/issues/57/comments HTTP/1.1\r\n"
            "Host: git.example.org\r\n"
            "Authorization: Bearer glpat-secret\r\n"
            "Accept: application/json\r\n"
            "User-Agent: ringpost/0.1.0\r\n"
            "Content-Type: application/json\r\n"
            "ringpost-hops: 1\r\n"
            "Content-Length: 30\r\n\r\n");
  EXPECT_EQ(sent.body(), R"({"body":"shop is in-progress"})");
  EXPECT_TRUE(sent.request.logged_body.empty());
}

TEST(HookRenderer, FillsUrlAndBodyAsTheSecondExampleSays) {
  Sent sent;
  sent.render(webhook_of(hook_with(
      R"("target_url":"https://git.example.org/repos/{{ application.repository }}/issues/{{ action.triggered_from.hook_parsed_variables.pull_request_id }}?t={{ action.triggered_from.hook_parsed_variables.pull_request_title }}",)"
      R"("settings":{"request_body":{"body":"{{ application.name }}: {{ action.triggered_from.hook_parsed_variables.pull_request_title }}","n":"{{ action.id }}","{{ action.id }}":1,"l":["{{ user.name }}",2,null]}})")));
  EXPECT_TRUE(sent.head.starts_with(
      "POST /repos/acme/shop/issues/57?t=Say%20%22hi%22%20%26%20%3Cb%3E HTTP/1.1\r\n"))
      << sent.head;
  EXPECT_EQ(
      sent.body(),
      R"({"body":"shop: Say \"hi\" & <b>","n":"8801","{{ action.id }}":1,"l":["Ada",2,null]})");
}

TEST(HookRenderer, SendsAnEmptyObjectWithoutABody) {
  Sent sent;
  sent.render(webhook_of(hook_with(R"("target_url":"http://a.example:8080")")));
  EXPECT_TRUE(sent.head.starts_with("POST / HTTP/1.1\r\nHost: a.example:8080\r\n"));
  EXPECT_EQ(sent.body(), "{}");
}

TEST(HookRenderer, SendsNothingWhereATextFillsToNothing) {
  Sent sent;
  sent.render(webhook_of(body_hook(R"("{{ action.nothing }}")")));
  EXPECT_TRUE(sent.body().empty());
  EXPECT_TRUE(sent.request.body_is_made);
  EXPECT_NE(sent.head.find("Content-Length: 0\r\n"), std::string::npos) << sent.head;
  EXPECT_EQ(sent.header("Content-Type"), "(absent)");
  sent.render(webhook_of(hook_with(
      R"("target_url":"https://a.example/x","settings":{"request_headers":[)"
      R"({"name":"content-type","value":"text/plain"}],"request_body":"{{ action.nothing }}"})")));
  EXPECT_EQ(sent.header("content-type"), "(absent)");
}

// A value is data wherever it lands.
TEST(HookRenderer, LetsNoValueSpeakForTheBody) {
  const std::string forged =
      R"({"user":{"name":"x\",\"approved\":true,\"y\":\""},"action":{"id":7}})";
  Sent sent(forged);
  sent.render(webhook_of(body_hook(R"("{\"by\":\"{{ user.name }}\",\"id\":{{ action.id }}}")")));
  EXPECT_EQ(sent.header("Content-Type"), "application/json");
  EXPECT_EQ(sent.body(), R"({"by":"x\",\"approved\":true,\"y\":\"","id":7})");
  const auto sent_as = [&](const std::string& type, const std::string& text) {
    std::string body;
    append_json_string(body, text);
    sent.render(webhook_of(hook_with(
        R"("target_url":"https://a.example/x","settings":{"request_headers":[{"name":"Content-Type","value":")" +
        type + R"("}],"request_body":)" + body + "}")));
    return std::string{sent.body()};
  };
  EXPECT_EQ(sent_as("application/x-www-form-urlencoded", "by={{ user.name }}&id={{ action.id }}"),
            "by=x%22%2C%22approved%22%3Atrue%2C%22y%22%3A%22&id=7");
  EXPECT_EQ(sent_as("text/xml", "<by n=\"{{ user.name }}\"/>"),
            "<by n=\"x&quot;,&quot;approved&quot;:true,&quot;y&quot;:&quot;\"/>");
  // The webhook's own header counts where the hook has none.
  auto to = webhook_of(body_hook(R"("by={{ user.name }}")"));
  to.headers = {{"content-type", "application/x-www-form-urlencoded"}};
  sent.render(to);
  EXPECT_EQ(sent.body(), "by=x%22%2C%22approved%22%3Atrue%2C%22y%22%3A%22");
  // What was stored by an earlier version and is refused now.
  to.headers = {{"content-type", "application/json"}};
  const auto error = sent.try_render(to);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->detail, static_cast<int32_t>(Unrenderable::body_form));
}

TEST(HookRenderer, NamesTheTypeOfATextThatHasNone) {
  Sent sent;
  sent.render(webhook_of(body_hook(R"("{{ application.name }} is {{ action.status }}")")));
  EXPECT_EQ(sent.header("Content-Type"), "text/plain; charset=utf-8");
  sent.render(webhook_of(body_hook(R"("{{ action.action_data }}")")));
  EXPECT_EQ(sent.header("Content-Type"), "application/json");
  EXPECT_EQ(sent.body(), R"({"deployment":{"source_type":"branch","source_ref":"feature/login"}})");
  const std::vector<std::pair<std::string_view, std::string_view>> cases{
      {R"("[{{ action.id }}]")", "application/json"},
      {R"("\"{{ action.id }}\"")", "application/json"},
      {R"("a={{ action.id }}&b=1")", "application/x-www-form-urlencoded"},
      {R"("<?xml version='1.0'?><a>{{ action.id }}</a>")", "application/xml; charset=utf-8"},
      {R"("<build>{{ action.id }}</build>")", "application/xml; charset=utf-8"},
      {R"(" <!DOCTYPE HTML><p>{{ action.id }}")", "text/html; charset=utf-8"},
      {R"("<p class='x'>{{ action.id }}</p>")", "text/html; charset=utf-8"},
      {R"("[{{ action.id }}] done")", "text/plain; charset=utf-8"},
  };
  for (const auto& [body, type] : cases) {
    sent.render(webhook_of(body_hook(std::string{body})));
    EXPECT_EQ(sent.header("Content-Type"), type) << body;
  }
}

TEST(HookRenderer, LetsTheHookReplaceWhatWeWouldWrite) {
  Sent sent;
  auto to = webhook_of(
      hook_with(R"("target_url":"https://a.example/x","settings":{"request_headers":[)"
                R"({"name":"content-type","value":"text/plain"},{"name":"ACCEPT","value":"*/*"},)"
                R"({"name":"user-agent","value":"{{ user.name }}"}]})"));
  to.headers = {{"X-Team", "mobile"}, {"Accept", "text/html"}};
  sent.render(to);
  EXPECT_EQ(sent.head,
            "POST /x HTTP/1.1\r\nHost: a.example\r\ncontent-type: text/plain\r\nACCEPT: */*\r\n"
            "user-agent: Ada\r\nX-Team: mobile\r\nringpost-hops: 1\r\nContent-Length: 2\r\n\r\n");
}

TEST(HookRenderer, LetsTheWebhooksHeadersReplaceTheDefaults) {
  Sent sent;
  auto to = webhook_of(hook_with(R"("target_url":"https://a.example/x")"));
  to.headers = {{"content-type", "text/plain"}};
  sent.render(to);
  EXPECT_EQ(sent.header("content-type"), "text/plain");
  EXPECT_EQ(sent.header("Content-Type"), "(absent)");
  EXPECT_EQ(sent.header("Accept"), "application/json");
}

TEST(HookRenderer, ResolvesEveryRoot) {
  Sent sent;
  sent.render(webhook_of(body_hook(
      R"("{{ action.id }} {{ hook.name }} {{ hook.secret }} {{ user.name }} {{ application.name }} {{ deployment.source.pull_request_id }} {{ application.source_provider.access_token }} {{ hook.pipeline_id }}")")));
  EXPECT_EQ(sent.body(),
            "8801 note on the pull request devo-demo-secret Ada shop 57 glpat-secret 33");
  EXPECT_EQ(sent.request.logged_body, "8801 note on the pull request ***** Ada shop 57 ***** 33");
}

// What a resource holds besides plain values is a relation, or holds one.
TEST(HookRenderer, ShowsNoRelationOfAResource) {
  Sent sent(action("failed", R"(,"daemon":{"command":"run","project":{"name":"p"},"tags":["a"]})"));
  sent.render(webhook_of(body_hook(
      R"("{{ daemon.command }}|{{ daemon.project }}|{{ daemon.tags }}|{{ daemon }}|{{ application.source_provider }}")")));
  EXPECT_EQ(sent.body(), "run||||");
}

TEST(HookRenderer, MasksSecretsInWhatIsLogged) {
  Sent sent;
  const auto to = webhook_of(hook_with(
      R"("target_url":"https://a.example/x/{{ hook.secret }}/y","settings":{"request_headers":[)"
      R"({"name":"X-Hook","value":"a {{ hook.secret }}"},{"name":"X-Plain","value":"{{ action.id }}"},)"
      R"({"name":"Private-Token","value":"{{ application.source_provider.access_token }}"}],)"
      R"("request_body":{"a":"{{ hook.secret }}","b":"{{ action.id }}"}})"));
  sent.render(to);
  EXPECT_TRUE(sent.head.starts_with("POST /x/devo-demo-secret/y HTTP/1.1\r\n"));
  EXPECT_EQ(sent.body(), R"({"a":"devo-demo-secret","b":"8801"})");
  EXPECT_EQ(sent.request.logged_body, R"({"a":"*****","b":"8801"})");
  const std::string shown = make_renderer(to)->masked(sent.head);
  EXPECT_EQ(shown.find("devo-demo-secret"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("glpat"), std::string::npos) << shown;
  EXPECT_TRUE(
      shown.starts_with("POST /x/***** HTTP/1.1\r\nHost: a.example\r\nX-Hook: *****\r\n"
                        "X-Plain: 8801\r\nPrivate-Token: *****\r\n"))
      << shown;
  EXPECT_TRUE(shown.ends_with("\r\n\r\n"));
}

TEST(HookRenderer, FailsForGoodWhenTheValuesCannotBeSent) {
  const auto fails = [](const std::string& members, const std::string& value) {
    std::string json;
    append_json_string(json, value);
    Sent sent(R"({"action":{"v":)" + json + "}}");
    const auto error = sent.try_render(webhook_of(hook_with(members)));
    EXPECT_TRUE(error) << members;
    if (!error) return Unrenderable{};
    EXPECT_EQ(error->code, Errc::not_renderable);
    EXPECT_FALSE(retryable(error->code));
    return static_cast<Unrenderable>(error->detail);
  };
  const std::string url = R"("target_url":"https://a.example/{{ action.v }}")";
  EXPECT_EQ(fails(url, ".."), Unrenderable::target_path);
  EXPECT_EQ(fails(url, std::string(2048, 'a')), Unrenderable::target_bytes);
  const std::string fixed = R"("target_url":"https://a.example/","settings":)";
  const std::string header =
      fixed + R"({"request_headers":[{"name":"X-A","value":"{{ action.v }}"}]})";
  EXPECT_EQ(fails(header, "a\r\nX-Evil: 1"), Unrenderable::header_value);
  EXPECT_EQ(fails(header, std::string("a\0b", 3)), Unrenderable::header_value);
  EXPECT_EQ(fails(header, std::string(8193, 'a')), Unrenderable::header_value);
  EXPECT_EQ(fails(fixed + R"({"request_body":"{{ action.v }}"})", std::string(256 * 1024 + 1, 'a')),
            Unrenderable::body_bytes);
  std::string many = fixed + R"({"request_headers":[)";
  for (int index = 0; index < 5; ++index) {
    many += std::string(index == 0 ? "" : ",") + R"({"name":"X-)" + std::to_string(index) +
            R"(","value":"{{ action.v }}"})";
  }
  EXPECT_EQ(fails(many + "]}", std::string(8000, 'a')), Unrenderable::header_value);
}

TEST(HookRenderer, SendsNothingForAnIncomingHook) {
  Sent sent;
  const auto error = sent.try_render(webhook_of(R"({"name":"n"})", true));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->detail, static_cast<int32_t>(Unrenderable::sends_nothing));
}

TEST(HookRenderer, FollowsAUrlThatTheNativeApiSet) {
  Sent sent;
  auto to = webhook_of(note_hook);
  to.destination = {
      .url = "https://b.example/z", .tls = true, .host = "b.example", .port = 443, .target = "/z"};
  sent.render(to);
  EXPECT_TRUE(sent.head.starts_with("POST /z HTTP/1.1\r\nHost: b.example\r\n")) << sent.head;
  EXPECT_EQ(hook_of(to).target_url, "https://b.example/z");
}

TEST(HookRenderer, ARedeliverysHeadersReplaceTheHooks) {
  Sent sent;
  sent.event.header_overrides = "Authorization: Bearer other\n";
  sent.render(webhook_of(note_hook));
  EXPECT_EQ(sent.header("Authorization"), "Bearer other");
}

}  // namespace
}  // namespace ringpost::dialect::devopness
