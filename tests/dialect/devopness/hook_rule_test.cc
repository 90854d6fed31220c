#include "dialect/devopness/hook_rule.h"

#include "dialect/devopness/names.h"
#include "hooks.h"
#include "json/document.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::dialect::devopness {
namespace {

using subscription::EventFacts;

struct Asked {
  std::string type = "action.status_changed";
  std::string data = action();
};

bool wants(const subscription::Webhook& webhook, const Asked& asked) {
  json::Document data;
  json::Document extensions;
  data.assign(asked.data);
  extensions.assign("");
  const EventFacts facts({.organization = "default", .source = "pipeline/33", .type = asked.type},
                         data, extensions, {});
  const auto rule = make_hook_rule(webhook);
  EXPECT_EQ(rule->why_not(facts).empty(), rule->wants(facts));
  return rule->wants(facts);
}

std::string hook_on(const std::string& events, const std::string& conditions = "[]") {
  return R"({"name":"n","target_url":"https://a.example/","trigger_when":{"events":)" + events +
         R"(,"conditions":)" + conditions + "}}";
}

TEST(HookRule, TakesTheEventsOfAStatusFromTheTable) {
  const std::vector<std::pair<std::string_view, std::vector<std::string_view>>> table{
      {"pending", {}},
      {"waiting", {}},
      {"skipped", {}},
      {"queued", {"action.queued"}},
      {"in-progress", {"action.started"}},
      {"completed", {"action.completed"}},
      {"failed", {"action.failed"}},
  };
  for (const auto& [status, also] : table) {
    for (const std::string_view event : event_names) {
      const bool expected =
          event == "action.status_changed" || std::ranges::find(also, event) != also.end();
      const auto webhook = webhook_of(hook_on("[\"" + std::string{event} + "\"]"));
      EXPECT_EQ(wants(webhook, {.data = action(status)}), expected) << status << ' ' << event;
    }
  }
}

TEST(HookRule, WantsSeveralEventsOfOneRowOnce) {
  EXPECT_TRUE(wants(webhook_of(hook_on(R"(["action.status_changed","action.failed"])")),
                    {.data = action("failed")}));
}

TEST(HookRule, WantsNothingWithoutEvents) {
  EXPECT_FALSE(wants(webhook_of(hook_on("[]")), {}));
  EXPECT_FALSE(wants(webhook_of(R"({"name":"n","target_url":"https://a.example/"})"), {}));
}

TEST(HookRule, DoesNotTakeTheMakingOfAnActionForAChange) {
  const auto webhook = webhook_of(hook_on(R"(["action.status_changed"])"));
  EXPECT_FALSE(wants(webhook, {.type = "action.created", .data = action("pending")}));
  EXPECT_FALSE(wants(webhook, {.type = "build/finished"}));
  EXPECT_FALSE(wants(webhook, {.data = "{}"}));
  EXPECT_FALSE(wants(webhook, {.data = R"({"action":{"status":null}})"}));
  EXPECT_TRUE(wants(webhook, {.data = R"({"action":{"status":"cancelled"}})"}));
}

TEST(HookRule, AsksForTheActionTypeInTheOldFormOnly) {
  std::string json = hook_on(R"(["action.status_changed"])");
  json.insert(json.size() - 1,
              R"(,"action_type":"restart","resource_type":"application","resource_id":44)");
  auto webhook = webhook_of(json);
  EXPECT_TRUE(wants(webhook, {}));  // Its pipeline has one operation.
  Hook hook = hook_of(webhook);
  hook.pipeline_id.reset();
  ASSERT_FALSE(apply(hook, Layout::api, webhook));
  EXPECT_EQ(webhook.sources, std::vector<std::string>{"resource/application/44"});
  EXPECT_FALSE(wants(webhook, {}));
  hook.action_type = "deploy";
  ASSERT_FALSE(apply(hook, Layout::api, webhook));
  EXPECT_TRUE(wants(webhook, {}));
}

TEST(HookRule, AsksForEveryCondition) {
  const auto with = [](const std::string& conditions) {
    return wants(webhook_of(hook_on(R"(["action.status_changed"])", conditions)), {});
  };
  const std::string variable =
      R"({"path":"action.triggered_from.hook_parsed_variables.pipeline_id","accepted_values":)";
  EXPECT_TRUE(with("[" + variable + "[123]}]"));
  EXPECT_FALSE(with("[" + variable + "[124]}]"));
  EXPECT_TRUE(with(R"([{"path":"action.pipeline.id","accepted_values":["33"]}])"));
  EXPECT_FALSE(with("[" + variable + R"([123]},{"path":"user.name","accepted_values":["Bob"]}])"));
  EXPECT_TRUE(with(
      R"([{"path":"application.source_provider.access_token","accepted_values":["glpat-secret"]}])"));
}

// What is asked of the hook is decided once: it does not come with the event.
TEST(HookRule, AsksTheHookItself) {
  const auto with = [](const std::string& id) {
    return wants(
        webhook_of(hook_on(R"(["action.status_changed"])",
                           R"([{"path":"hook.pipeline_id","accepted_values":[)" + id + "]}]")),
        {.data = action("failed", R"(,"hook":{"pipeline_id":34})")});
  };
  EXPECT_TRUE(with("33"));
  EXPECT_FALSE(with("34"));
}

TEST(HookRule, WantsNothingForAnIncomingHook) {
  EXPECT_FALSE(wants(webhook_of(hook_on(R"(["action.status_changed"])"), true), {}));
}

TEST(Devopness, NamesTheSourceOfAnActionInThreeWays) {
  json::Document data;
  json::Document extensions;
  const std::string text = action();
  data.assign(text);
  extensions.assign("");
  const auto aliases = [&](std::string_view type) {
    std::vector<std::string> names;
    dialect().add_aliases(
        EventFacts({.organization = "", .source = "x", .type = type}, data, extensions, {}), names);
    return names;
  };
  EXPECT_EQ(aliases("action.failed"),
            (std::vector<std::string>{"pipeline/33", "resource/application/44"}));
  EXPECT_TRUE(aliases("build/finished").empty());
  data.assign(R"({"action":{"pipeline_id":null,"resource":{"type":7}}})");
  EXPECT_TRUE(aliases("action.failed").empty());
}

TEST(Devopness, ReadsTheBranchOfADeployment) {
  const auto paths = dialect().routing("action.failed");
  ASSERT_TRUE(paths && paths->branch != nullptr);
  json::Document data;
  const std::string text = action();
  data.assign(text);
  EXPECT_EQ(data.find(*paths->branch).text, "feature/login");
  EXPECT_FALSE(dialect().routing("build/finished"));
}

TEST(Devopness, RetriesAsTheDeliveryRulesSay) {
  const auto defaults = dialect().defaults();
  EXPECT_EQ(defaults.timeout_ms, 10'000u);
  EXPECT_EQ(defaults.schedule_s, (std::vector<uint32_t>{10, 60, 300}));
  EXPECT_EQ(defaults.events, std::vector<std::string>{"action.*"});
  for (const int status : {408, 429, 500, 502, 503, 599}) {
    EXPECT_TRUE(dialect().retries_status(static_cast<uint16_t>(status))) << status;
  }
  for (const int status : {300, 301, 304, 400, 401, 403, 404, 409, 422, 499}) {
    EXPECT_FALSE(dialect().retries_status(static_cast<uint16_t>(status))) << status;
  }
}

TEST(Devopness, MintsSecretsOfFortyLettersAndDigits) {
  const std::string one = dialect().mint_secret();
  EXPECT_EQ(one.size(), 40u);
  EXPECT_TRUE(std::ranges::all_of(one, [](unsigned char byte) { return std::isalnum(byte); }));
  EXPECT_NE(one, dialect().mint_secret());
  EXPECT_EQ(dialect().object_to_secret(one), "");
  EXPECT_NE(dialect().object_to_secret("a b"), "");
}

}  // namespace
}  // namespace ringpost::dialect::devopness
