// Goal: whoever makes or reads a webhook that never gets an event is told why, over the native API;
// and nobody is warned of a webhook that works.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {
namespace {

using testing::ControlTest;
using testing::Json;

class WebhookWarnings : public ControlTest {
 protected:
  /// What the answer to its creation warns of.
  std::string warnings(const std::string& members) {
    const auto response =
        ask("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in", )" + members + "}");
    EXPECT_EQ(response.status, 201) << response.body;
    id_ = Json(response.body).text("/id");
    return warnings_in(response);
  }
  static std::string warnings_in(const http::Response& response) {
    Json json(response.body);
    std::string all;
    for (size_t index = 0; index < json.size("/warnings"); ++index) {
      all += json.text("/warnings/" + std::to_string(index)) + "\n";
    }
    return all;
  }

  std::string id_;  ///< Of the webhook made last.
};

TEST_F(WebhookWarnings, SayWhyNothingIsEverSent) {
  struct Case {
    const char* members;
    std::string_view names;  ///< What the warning names.
  };
  for (const Case& one : {
           Case{R"("enabled": false)", "ringpost webhook enable "},
           Case{R"("filter": {"branches": "main !main"})", "`filter.branches`"},
           Case{R"("filter": {"branches": "!*"})", "`filter.branches`"},
           Case{R"("organization": "nosuch")", "the organization nosuch"},
           Case{R"("dialect": "devopness")", "`settings.trigger_when.events`"},
           Case{R"("dialect": "devopness", "settings": {"pipeline_id": 33,
                   "trigger_when": {"events": ["action.completed"], "conditions":
                   [{"path": "hook.pipeline_id", "accepted_values": [34]}]}})",
                "`settings.trigger_when.conditions`"},
           Case{R"("dialect": "devopness", "settings": {"trigger_when": {
                   "events": ["action.completed"], "conditions":
                   [{"path": "action.id", "accepted_values": []}]}})",
                "`settings.trigger_when.conditions`"},
           Case{R"("dialect": "buildkite", "settings": {"scope": "some_projects"})",
                "`settings.scope_uuids`"},
           Case{R"("dialect": "buildkite", "settings": {"scope": "some_teams"})", "some_teams"},
           Case{R"("dialect": "buildkite", "settings": {"scope": "some_clusters",
                   "scope_uuids": ["0190e5c8-9b7d-4b6a-8d3f-1a2b3c4d5e6f"]},
                   "filter": {"clusters": ["0190e5c8-9b7d-4b6a-8d3f-1a2b3c4d5e70"]})",
                "`filter.clusters`"},
       }) {
    const std::string said = warnings(one.members);
    EXPECT_NE(said.find(one.names), std::string::npos) << one.members << "\n" << said;
    EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;  // One reason, one sentence.
  }
}

TEST_F(WebhookWarnings, AreNotGivenOfWebhooksThatWork) {
  for (const char* members :
       {R"("dialect": "standard")", R"("filter": {"branches": "* !main"})",
        R"("filter": {"teams": ["a"], "clusters": ["b"]})", R"("dialect": "bitrise")",
        R"("dialect": "cloudevents")", R"("dialect": "buildkite")",
        R"("dialect": "buildkite", "settings": {"scope": "some_clusters",
           "scope_uuids": ["0190e5c8-9b7d-4b6a-8d3f-1a2b3c4d5e6f"]},
           "filter": {"clusters": ["0190e5c8-9b7d-4b6a-8d3f-1a2b3c4d5e6f"]})",
        R"("dialect": "devopness", "settings": {"pipeline_id": 33, "trigger_when": {"events":
           ["action.completed"], "conditions": [{"path": "hook.pipeline_id", "accepted_values":
           [33]}]}})",
        R"("dialect": "devopness", "settings": {"type": "in", "pipeline_id": 33})"}) {
    EXPECT_EQ(warnings(members), "") << members;
  }
}

TEST_F(WebhookWarnings, AreThereUntilTheWebhookIsMended) {
  EXPECT_NE(warnings(R"("filter": {"branches": "main !*"})"), "");
  const std::string path = "/v1/webhooks/" + id_;
  EXPECT_NE(warnings_in(ask("GET", path)), "");
  EXPECT_NE(Json(ask("GET", "/v1/webhooks").body).text("/items/0/warnings/0"), "(none)");
  EXPECT_EQ(warnings_in(ask("PATCH", path, R"({"filter": {"branches": "main"}})")), "");
  EXPECT_NE(warnings_in(ask("POST", path + "/disable")), "");
  EXPECT_EQ(warnings_in(ask("POST", path + "/enable")), "");
}

TEST_F(WebhookWarnings, AskForATokenThatMaySendEvents) {
  const auto scope = [](subscription::Scope one) { return static_cast<uint8_t>(one); };
  add_token("reader", "mobile", scope(subscription::Scope::webhooks_read));
  restart();
  EXPECT_NE(warnings(R"("organization": "mobile")").find("events:write"), std::string::npos);
  add_token("sender", "mobile", scope(subscription::Scope::events_write));
  restart();
  ++clock_;  // Or ids would come again.
  EXPECT_EQ(warnings(R"("organization": "mobile")"), "");
  EXPECT_EQ(warnings_in(ask("GET", "/v1/webhooks/" + id_, {}, "reader")), "");
}

TEST_F(WebhookWarnings, AreNotSetByPeople) {
  warnings(R"("description": "one")");
  const auto refused = ask("PATCH", "/v1/webhooks/" + id_, R"({"warnings": []})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(Json(refused.body).text("/member"), "warnings");
}

}  // namespace
}  // namespace ringpost::control
