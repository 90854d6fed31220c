#include "dialect/devopness/hook.h"

#include "dialect/devopness/hook_writer.h"
#include "hooks.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::dialect::devopness {
namespace {

/// Which member is refused; `(taken)` if none is.
std::string refused(const std::string& members, bool incoming = false) {
  Hook hook;
  hook.incoming = incoming;
  if (!incoming) hook.target_url = "https://a.example/";
  hook.pipeline_id = 33;
  auto problem = read_hook("{" + members + "}", Layout::api, hook);
  subscription::Webhook webhook = dialect().defaults();
  if (!problem) problem = apply(hook, Layout::api, webhook);
  if (!problem) return "(taken)";
  EXPECT_EQ(problem->status, 422) << members;
  EXPECT_NE(problem->detail, "") << members;
  return problem->member;
}

std::string repeated(const std::string& item, size_t count) {
  std::string text;
  for (size_t index = 0; index < count; ++index) text += (index == 0 ? "" : ",") + item;
  return text;
}

TEST(Hook, RefusesWhatBreaksARuleAndNamesTheMember) {
  const std::string x256(256, 'x');
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("action_type":"deploy")", "(taken)"},
      {R"("action_type":"dance")", "action_type"},
      {R"("action_type":1)", "action_type"},
      {R"("action_type":null)", "(taken)"},
      {R"("resource_type":"daemon")", "(taken)"},
      {R"("resource_type":"moon")", "resource_type"},
      {R"("resource_id":"44")", "resource_id"},
      {R"("resource_id":-1)", "resource_id"},
      {R"("resource_id":9007199254740992)", "resource_id"},
      {R"("project_id":1.5)", "project_id"},
      {R"("environment_id":9007199254740991)", "(taken)"},
      {R"("target_url":null)", "(taken)"},
      {R"("target_url":"")", "target_url"},
      {R"("target_url":7)", "target_url"},
      {R"("target_url":"https://{{ user.name }}/")", "target_url"},
      {R"("target_url":"https://a.example/{{ Action.id }}")", "target_url"},
      {R"("requires_secret":true)", "secret_algorithm"},
      {R"("requires_secret":"yes")", "requires_secret"},
      {R"("requires_secret":true,"secret_algorithm":"sha256")", "secret_header_name"},
      {R"("requires_secret":true,"secret_algorithm":"md5","secret_header_name":"x")",
       "secret_algorithm"},
      {R"("requires_secret":true,"secret_algorithm":"sha256","secret_header_name":"x y")",
       "secret_header_name"},
      {R"("requires_secret":true,"secret_algorithm":"sha256","secret_header_name":")" +
           std::string(64, 'x') + "\"",
       "(taken)"},
      {R"("secret_header_name":")" + std::string(65, 'x') + "\"", "secret_header_name"},
      {R"("settings":[])", "settings"},
      {R"("settings":null)", "(taken)"},
      {R"("settings":{"request_headers":{}})", "settings.request_headers"},
      {R"("settings":{"request_headers":[{"name":"X"}]})", "settings.request_headers.0.value"},
      {R"("settings":{"request_headers":[{"value":"X"}]})", "settings.request_headers.0.name"},
      {R"("settings":{"request_headers":[{"name":"X y","value":""}]})",
       "settings.request_headers.0.name"},
      {R"("settings":{"request_headers":[{"name":"Host","value":"a"}]})",
       "settings.request_headers.0.name"},
      {R"("settings":{"request_headers":[{"name":"A","value":"1"},{"name":"a","value":"2"}]})",
       "settings.request_headers.1.name"},
      {R"("settings":{"request_headers":[{"name":")" + x256 + R"(","value":"a"}]})", "(taken)"},
      {R"("settings":{"request_headers":[{"name":"x)" + x256 + R"(","value":"a"}]})",
       "settings.request_headers.0.name"},
      {R"("settings":{"request_headers":[{"name":"X","value":")" + std::string(4096, 'x') +
           R"("}]})",
       "(taken)"},
      {R"("settings":{"request_headers":[{"name":"X","value":")" + std::string(4097, 'x') +
           R"("}]})",
       "settings.request_headers.0.value"},
      {R"("settings":{"request_headers":[{"name":"X","value":"a\r\nb"}]})",
       "settings.request_headers.0.value"},
      {R"("settings":{"request_headers":[{"name":"X","value":"{{ action.id"}]})",
       "settings.request_headers.0.value"},
      {R"("settings":{"request_headers":[)" + repeated(R"({"name":"X","value":"a"})", 2) + "]}",
       "settings.request_headers.1.name"},
      {R"("settings":{"request_body":7})", "settings.request_body"},
      {R"("settings":{"request_body":["{{ daemon.project.name }}"]})", "settings.request_body"},
      {R"("settings":{"request_body":"{{ application.source_provider.access_token }}"})",
       "(taken)"},
      {R"("settings":{"request_body":[{"a":"{{}}"}]})", "settings.request_body"},
      {R"("settings":{"request_body":")" + std::string(66'000, 'x') + "\"}", "settings"},
      {R"("resource_type":"daemon","settings":{"request_body":"{{ daemon.command }}"})", "(taken)"},
      {R"("resource_type":"daemon","settings":{"request_body":"{{ application.name }}"})",
       "settings.request_body"},
      {R"("resource_type":"daemon","settings":{"request_body":"{{ deployment.id }}"})",
       "settings.request_body"},
      {R"("resource_type":"application","settings":{"request_body":"{{ deployment.source.x }}"})",
       "(taken)"},
      {R"("trigger_when":[{"type":"action_status","accepted_values":["failed"]}])", "trigger_when"},
      {R"("trigger_when":{"events":"action.failed"})", "trigger_when.events"},
      {R"("trigger_when":{"events":["action.failed","action.begun"]})", "trigger_when.events.1"},
      {R"("trigger_when":{"events":null,"conditions":null})", "(taken)"},
      {R"("trigger_when":{"conditions":{}})", "trigger_when.conditions"},
      {R"("trigger_when":{"conditions":[{"path":"action.id"}]})",
       "trigger_when.conditions.0.accepted_values"},
      {R"("trigger_when":{"conditions":[{"path":"sender.login","accepted_values":[]}]})",
       "trigger_when.conditions.0.path"},
      {R"("trigger_when":{"conditions":[{"path":"daemon.project.name","accepted_values":[]}]})",
       "trigger_when.conditions.0.path"},
      {R"("is_auto_generated":true,"colour":"red")", "(taken)"},
  };
  for (const auto& [members, member] : cases) EXPECT_EQ(refused(members), member) << members;
}

TEST(Hook, RefusesVariablesThatBreakARule) {
  const std::string rest = R"(,"type":"string","required":false)";
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"([{"name":"a")" + rest + "}]", "(taken)"},
      {R"([{"name":"a-b_C9","path":"x.0.y")" + rest + "}]", "(taken)"},
      {"{}", "settings.variables"},
      {"[7]", "settings.variables.0.name"},
      {R"([{"name":"")" + rest + "}]", "settings.variables.0.name"},
      {R"([{"name":"a b")" + rest + "}]", "settings.variables.0.name"},
      {R"([{"name":"a.b")" + rest + "}]", "settings.variables.0.name"},
      {R"([{"name":")" + std::string(129, 'a') + "\"" + rest + "}]", "settings.variables.0.name"},
      {R"([{"name":"a")" + rest + R"(},{"name":"a")" + rest + "}]", "settings.variables.1.name"},
      {R"([{"name":"a","path":"x..y")" + rest + "}]", "settings.variables.0.path"},
      {R"([{"name":"a","required":true}])", "settings.variables.0.type"},
      {R"([{"name":"a","type":"number","required":true}])", "settings.variables.0.type"},
      {R"([{"name":"a","type":"string"}])", "settings.variables.0.required"},
      {R"([{"name":"a","default_value":"x")" + rest + "}]", "(taken)"},
      {R"([{"name":"a","default_value":null)" + rest + "}]", "(taken)"},
      {R"([{"name":"a","default_value":{})" + rest + "}]", "settings.variables.0.default_value"},
      {R"([{"name":"a","type":"integer","required":true,"default_value":"x"}])",
       "settings.variables.0.default_value"},
      {R"([{"name":"a","type":"array","required":true,"default_value":["x",1,true]}])", "(taken)"},
      {R"([{"name":"a","type":"array","required":true,"default_value":[[]]}])",
       "settings.variables.0.default_value"},
  };
  for (const auto& [variables, member] : cases) {
    EXPECT_EQ(refused(R"("settings":{"variables":)" + variables + "}", true), member) << variables;
  }
  std::string many;
  for (int index = 0; index < 65; ++index) {
    many += (index == 0 ? R"({"name":"a)" : R"(,{"name":"a)") + std::to_string(index) + "\"" +
            rest + "}";
  }
  EXPECT_EQ(refused(R"("settings":{"variables":[)" + many + "]}", true), "settings.variables");
}

TEST(Hook, CountsCharactersNotBytes) {
  std::string value;
  for (int index = 0; index < 4096; ++index) value += "\xC3\xA9";
  EXPECT_EQ(refused(R"("settings":{"request_headers":[{"name":"X","value":")" + value + R"("}]})"),
            "(taken)");
}

TEST(Hook, LimitsTheNumberOfHeaders) {
  std::string headers;
  for (int index = 0; index < 33; ++index) {
    headers += (index == 0 ? R"({"name":"X)" : R"(,{"name":"X)") + std::to_string(index) +
               R"(","value":"a"})";
  }
  EXPECT_EQ(refused(R"("settings":{"request_headers":[)" + headers + "]}"),
            "settings.request_headers");
}

TEST(Hook, LimitsTheExpansionsOfTheWholeHook) {
  const auto body = [](size_t count) {
    std::string text;
    for (size_t index = 0; index < count; ++index) text += "{{ action.id }}";
    return R"("target_url":"https://a.example/{{ action.id }}","settings":{"request_body":")" +
           text + "\"}";
  };
  EXPECT_EQ(refused(body(63)), "(taken)");
  EXPECT_EQ(refused(body(64)), "settings.request_body");
}

TEST(Hook, KeepsWhatIsAbsentAlsoInsideSettings) {
  auto webhook = webhook_of(note_hook);
  Hook hook = hook_of(webhook);
  ASSERT_FALSE(read_hook(R"({"name":"other"})", Layout::api, hook));
  EXPECT_EQ(hook.request_headers.size(), 1u);
  EXPECT_EQ(hook.resource_id, 44);
  EXPECT_EQ(hook.events, event_bit("action.status_changed"));
  ASSERT_FALSE(
      read_hook(R"({"settings":{"request_body":"x"},"action_type":null,"project_id":null})",
                Layout::api, hook));
  EXPECT_EQ(hook.request_headers.size(), 1u);
  EXPECT_EQ(hook.request_body, "\"x\"");
  EXPECT_EQ(hook.action_type, "");
  EXPECT_EQ(hook.project_id, 0);
  EXPECT_EQ(hook.environment_id, 22);
}

TEST(Hook, ComesBackFromTheStoreAsItWas) {
  const auto webhook = webhook_of(note_hook);
  const Hook hook = hook_of(webhook);
  std::string again;
  JsonWriter json(again);
  write_settings(json, hook, Credentials::shown);
  EXPECT_EQ(again, webhook.settings);
  EXPECT_EQ(webhook.sources, std::vector<std::string>{"pipeline/33"});
  EXPECT_EQ(webhook.destination.host, "git.example.org");
  EXPECT_EQ(webhook.destination.target, "/repos/acme/shop/issues/");
}

TEST(Hook, IsWrittenAsTheExampleShowsIt) {
  const auto webhook = webhook_of(note_hook);
  std::string text;
  JsonWriter json(text);
  write_hook(json, webhook, hook_of(webhook), Shape::full, "https://relay.example.org");
  EXPECT_EQ(
      text,
      R"({"id":"018f6b1e-5555-4abc-8def-000000000005","name":"note on the pull request","type":"out",)"
      R"("action_type":"deploy","url":null,"target_url":"https://git.example.org/repos/acme/shop/issues/{{ action.triggered_from.hook_parsed_variables.pull_request_id }}/comments",)"
      R"("is_auto_generated":false,"requires_secret":false,"verify_ssl":true,"active":true,)"
      R"("project_id":11,"environment_id":22,"pipeline_id":33,"resource_type":"application","resource_id":44,)"
      R"("settings":{"request_headers":[{"name":"Authorization","value":"Bearer {{ application.source_provider.access_token }}"}],)"
      R"("request_body":{"body":"{{ application.name }} is {{ action.status }}"}},)"
      R"("trigger_when":{"events":["action.status_changed"],"conditions":[]},)"
      R"("secret":"*****","secret_algorithm":null,"secret_header_name":null,"created_by_user":null,)"
      R"("created_at":"2031-05-04T09:08:07.000000Z","updated_at":"2031-05-04T09:08:07.000000Z"})");
}

TEST(Hook, StarsWhatSomebodyWroteIntoAHeaderThatNamesACredential) {
  struct Row {
    const char* name;
    const char* value;
    bool starred;
  };
  for (const Row& row : {
           Row{"Authorization", "Bearer glpat-static", true},
           Row{"private-token", "glpat-static", true},
           Row{"X-Api-Key", "", true},
           Row{"Authorization", "Bearer glpat-static {{ action.id }}", true},
           Row{"Authorization", "glpat-static {{ action.id }}", true},
           Row{"Authorization", "Bearer {{ action.id }}glpat-static", true},
           Row{"Authorization", "Bearer {{ action.id }}-{{ hook.id }}", true},
           Row{"Authorization", "{{ action.id }} Bearer", true},
           Row{"Authorization", "Bearer {{ application.source_provider.access_token }}", false},
           Row{"Authorization", "bEARER  {{ action.id }}{{ hook.id }} ", false},
           Row{"Authorization", "token {{ action.id }}", false},
           Row{"Authorization", "Basic {{action.id}}", false},
           Row{"Private-Token", "{{ action.id }}", false},
           Row{"X-Team", "mobile", false},
       }) {
    EXPECT_EQ(holds_credential(row.name, row.value), row.starred) << row.name << ' ' << row.value;
  }
}

TEST(Hook, ShowsACredentialInTheAnswerToCreateAlone) {
  const auto webhook = webhook_of(
      R"({"name":"n","target_url":"https://a.example/","settings":{"request_headers":)"
      R"([{"name":"X-Team","value":"mobile"},{"name":"Authorization","value":"Bearer static"}]}})");
  for (const Shape shape : {Shape::relation, Shape::full, Shape::named, Shape::created}) {
    std::string text;
    JsonWriter json(text);
    write_hook(json, webhook, hook_of(webhook), shape, {});
    const bool shown = text.find("Bearer static") != std::string::npos;
    EXPECT_EQ(shown, shape == Shape::created) << text;
    EXPECT_NE(text.find(R"({"name":"X-Team","value":"mobile"})"), std::string::npos) << text;
    EXPECT_EQ(text.find(R"({"name":"Authorization","value":"*****"})") == std::string::npos, shown);
    // The hook's own templates can name the secret.
    const bool with_secret = text.find("devo-demo-secret") != std::string::npos;
    EXPECT_EQ(with_secret, shape == Shape::named || shape == Shape::created) << text;
  }
}

TEST(Hook, KeepsTheSpellingOfABody) {
  const auto webhook = webhook_of(
      R"({"name":"n","target_url":"https://a.example/","settings":{"request_body":{"z": 1.50, "a": [1e5, "x"]}}})");
  EXPECT_EQ(hook_of(webhook).request_body, R"({"z":1.50,"a":[1e5,"x"]})");
}

// An incoming hook is a webhook that is never active: nothing matches it, nothing is sent.
TEST(Hook, KeepsTheWebhookOfAnIncomingHookInactive) {
  const auto webhook = webhook_of(R"({"name":"n"})", true);
  EXPECT_FALSE(webhook.active());
  EXPECT_TRUE(webhook.events.empty());
  EXPECT_TRUE(webhook.schedule_s.empty());
  EXPECT_EQ(webhook.destination.host, "incoming.invalid");
  EXPECT_TRUE(dialect().takes_calls(webhook));
  EXPECT_FALSE(dialect().takes_calls(webhook_of(note_hook)));
}

TEST(Hook, IsListedWithItsPipelineAndItsApplication) {
  EXPECT_EQ(dialect().groups(webhook_of(note_hook)),
            (std::vector<std::string>{"pipeline/33", "application/44"}));
  EXPECT_EQ(dialect().groups(webhook_of(R"({"name":"n"})", true)),
            std::vector<std::string>{"pipeline/33"});
}

// --- the native API's settings -------------------------------------------------------------------

std::string read_native(const std::string& settings, subscription::Webhook& webhook) {
  const auto problem = dialect().read_settings(settings, webhook);
  return problem ? problem->member : "(taken)";
}

subscription::Webhook native_webhook() {
  auto webhook = dialect().defaults();
  webhook.destination = {
      .url = "https://a.example/x", .tls = true, .host = "a.example", .port = 443, .target = "/x"};
  return webhook;
}

TEST(HookSettings, MakeEveryKindOfHook) {
  auto webhook = native_webhook();
  EXPECT_EQ(read_native("{}", webhook), "(taken)");
  EXPECT_EQ(hook_of(webhook).target_url, "https://a.example/x");
  EXPECT_EQ(webhook.sources, std::vector<std::string>{"*"});
  EXPECT_EQ(read_native(R"({"target_url":"https://a.example/{{ action.id }}","pipeline_id":33,)"
                        R"("request_headers":[{"name":"X","value":"{{ user.name }}"}],)"
                        R"("request_body":{"a":1},"trigger_when":{"events":["action.failed"]}})",
                        webhook),
            "(taken)");
  EXPECT_EQ(webhook.destination.url, "https://a.example/");
  EXPECT_EQ(webhook.sources, std::vector<std::string>{"pipeline/33"});
  EXPECT_EQ(read_native(R"({"request_body":null})", webhook), "(taken)");
  const Hook hook = hook_of(webhook);
  EXPECT_EQ(hook.request_headers.size(), 1u);
  EXPECT_EQ(hook.request_body, "");
  EXPECT_EQ(hook.target_url, "https://a.example/{{ action.id }}");
  auto incoming = native_webhook();
  EXPECT_EQ(read_native(R"({"type":"in","pipeline_id":33,"active":false,"variables":)"
                        R"([{"name":"a","type":"string","required":true}]})",
                        incoming),
            "(taken)");
  EXPECT_FALSE(incoming.active());
  EXPECT_FALSE(hook_of(incoming).takes_calls);
}

TEST(HookSettings, TakeWhoseTheHookIsFromItsOneSource) {
  const auto made = [](const std::string& source, const std::string& settings = "{}") {
    auto webhook = native_webhook();
    webhook.sources = {source};
    EXPECT_EQ(read_native(settings, webhook), "(taken)") << source;
    EXPECT_EQ(webhook.sources, std::vector<std::string>{source});
    return webhook;
  };
  EXPECT_EQ(dialect().groups(made("pipeline/33")), std::vector<std::string>{"pipeline/33"});
  const Hook resource = hook_of(made("resource/application/44"));
  EXPECT_FALSE(resource.pipeline_id);
  EXPECT_EQ(resource.resource_type, "application");
  EXPECT_EQ(resource.resource_id, 44);
  EXPECT_FALSE(hook_of(made("pipeline/*")).pipeline_id);
  EXPECT_FALSE(hook_of(made("scheduler")).pipeline_id);
  EXPECT_EQ(hook_of(made("pipeline/33", R"({"type":"in"})")).pipeline_id, 33);
  EXPECT_EQ(hook_of(made("pipeline/33", R"({"pipeline_id":33})")).pipeline_id, 33);
  EXPECT_EQ(hook_of(made("pipeline/33", R"({"resource_type":"server"})")).resource_type, "server");
  // The sources can be changed without the settings.
  auto webhook = made("pipeline/33");
  webhook.sources = {"pipeline/44"};
  EXPECT_EQ(hook_of(webhook).pipeline_id, 44);
  EXPECT_EQ(read_native(R"({"request_body":{}})", webhook), "(taken)");
  EXPECT_EQ(webhook.sources, std::vector<std::string>{"pipeline/44"});
  webhook.sources = {"resource/server/7"};
  EXPECT_EQ(dialect().groups(webhook), std::vector<std::string>{});
  EXPECT_EQ(read_native(R"({"request_body":"{{ server.name }}"})", webhook), "(taken)");
  webhook.sources = {"resource/daemon/7"};
  EXPECT_EQ(hook_of(webhook).resource_type, "server") << "the template has to go on";
  webhook.sources = {"pipeline/44", "pipeline/45"};
  EXPECT_EQ(read_native(R"({"request_body":null})", webhook), "(taken)");
  EXPECT_EQ(webhook.sources.size(), 2u);
}

TEST(HookSettings, MoveAHookButDoNotContradictTheSourcesBesideThem) {
  const auto changed = [](std::vector<std::string> sources, const std::string& settings) {
    auto webhook = native_webhook();
    EXPECT_EQ(read_native(R"({"pipeline_id":33})", webhook), "(taken)");
    if (!sources.empty()) webhook.sources = std::move(sources);
    const std::string member = read_native(settings, webhook);
    return member == "(taken)" ? webhook.sources.front() : member;
  };
  EXPECT_EQ(changed({}, R"({"pipeline_id":44})"), "pipeline/44");
  EXPECT_EQ(changed({"pipeline/44"}, R"({"pipeline_id":44})"), "pipeline/44");
  EXPECT_EQ(changed({"pipeline/55"}, R"({"pipeline_id":44})"), "sources");
  EXPECT_EQ(changed({"resource/server/7"}, R"({"resource_type":"daemon"})"), "sources");
  auto webhook = native_webhook();
  webhook.sources = {"pipeline/44"};
  EXPECT_EQ(read_native(R"({"pipeline_id":33})", webhook), "sources");
  webhook = native_webhook();
  webhook.sources = {"pipeline/33", "scheduler"};
  EXPECT_EQ(read_native(R"({"pipeline_id":33})", webhook), "sources");
}

TEST(HookSettings, LeaveTheUrlAsItIsSpelled) {
  auto webhook = native_webhook();
  webhook.destination.url = "https://A.Example/x";
  EXPECT_EQ(read_native("{}", webhook), "(taken)");
  EXPECT_EQ(webhook.destination.url, "https://A.Example/x");
  EXPECT_EQ(hook_of(webhook).target_url, "https://a.example/x");
}

TEST(HookSettings, StarACredentialAndTakeTheStarsBack) {
  auto webhook = native_webhook();
  ASSERT_EQ(
      read_native(R"({"request_headers":[{"name":"Authorization","value":"Bearer s"}]})", webhook),
      "(taken)");
  std::string shown;
  JsonWriter json(shown);
  dialect().write_settings(json, webhook);
  EXPECT_EQ(shown.find("Bearer s"), std::string::npos) << shown;
  EXPECT_EQ(read_native(R"({"request_headers":[{"name":"X","value":"y"},)"
                        R"({"name":"authorization","value":"*****"}]})",
                        webhook),
            "(taken)");
  const Hook hook = hook_of(webhook);
  ASSERT_EQ(hook.request_headers.size(), 2u);
  EXPECT_EQ(hook.request_headers[1].second, "Bearer s");
  EXPECT_EQ(read_native(R"({"request_headers":[{"name":"X-Token","value":"*****"}]})", webhook),
            "settings.request_headers.0.value");
  EXPECT_EQ(read_native(R"({"request_headers":[{"name":"X-Team","value":"*****"}]})", webhook),
            "(taken)")
      << "no credential: stars are a text like others";
}

TEST(HookSettings, AreRefusedWithTheirMember) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"colour":"red"})", "settings.colour"},
      {R"({"type":"both"})", "settings.type"},
      {R"({"type":7})", "settings.type"},
      {R"({"request_body":"{{}}"})", "settings.request_body"},
      {R"({"target_url":"https://b.example/"})", "settings.target_url"},
      {R"({"target_url":"http://a.example/"})", "settings.target_url"},
      {R"({"target_url":"https://a.example:444/"})", "settings.target_url"},
      {R"({"trigger_when":{"events":["x"]}})", "settings.trigger_when.events.0"},
      {R"({"type":"in"})", "settings.pipeline_id"},
      {R"({"type":"in","resource_type":"server"})", "settings.pipeline_id"},
      {R"({"type":"in","resource_type":"server","resource_id":7})", "(taken)"},
  };
  for (const auto& [settings, member] : cases) {
    auto webhook = native_webhook();
    EXPECT_EQ(read_native(settings, webhook), member) << settings;
  }
  auto webhook = native_webhook();
  ASSERT_EQ(read_native("{}", webhook), "(taken)");
  EXPECT_EQ(read_native(R"({"type":"in"})", webhook), "settings.type");
}

}  // namespace
}  // namespace ringpost::dialect::devopness
