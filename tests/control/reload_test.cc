// Goal: a reload of the configuration is answered when it is in force everywhere, or refused as a
// whole.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::control {
namespace {

using subscription::Scope;
using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::shard_count;

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
