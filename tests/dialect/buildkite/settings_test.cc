// Goal: a webhook that the native API makes is what Buildkite's own API would have made: scope,
// sources and creator in step. Method: the dialect as the control side calls it.

#include "dialect/buildkite/settings.h"

#include "dialect/buildkite/buildkite.h"
#include "dialect/dialect.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::dialect::buildkite {
namespace {

using subscription::Token;
using subscription::Webhook;
using Sources = std::vector<std::string>;

const std::string one = "018f6b1e-aaaa-4abc-8def-00000000000a";
const std::string two = "018f6b1e-bbbb-4abc-8def-00000000000b";

/// What the native API does with `sources` and, if given, `settings`.
void set(Webhook& webhook, const Sources& sources, const std::string& settings = "{}",
         const Token& by = {}) {
  webhook.sources = sources;
  const auto problem = dialect().read_settings(settings, webhook);
  ASSERT_FALSE(problem) << problem->detail;
  dialect().take_sources(settings, by, webhook);
}

Webhook made(const Sources& sources, const std::string& settings = "{}", const Token& by = {},
             const std::vector<std::string>& events = {"*"}) {
  Webhook webhook = dialect().defaults();
  webhook.events = events;
  set(webhook, sources, settings, by);
  return webhook;
}

std::string scope_of(const Webhook& webhook) {
  const Settings settings = settings_of(webhook).value();
  std::string text{name(settings.scope)};
  for (const Ulid& id : settings.scope_ids) text += ' ' + id.to_uuid_text();
  return text;
}

TEST(NativeSources, ThatAreUuidsOfPipelinesBecomeTheScope) {
  const Webhook webhook =
      made({"pipeline/" + one, "pipeline/018F6B1E-BBBB-4ABC-8DEF-00000000000B"});
  EXPECT_EQ(scope_of(webhook), "some_projects " + one + " " + two);
  EXPECT_EQ(webhook.sources, (Sources{"pipeline/" + one, "pipeline/" + two, "*"}))
      << "agents' events come from any source";
  EXPECT_EQ(made({"pipeline/" + one}, "{}", {}, {"build.*"}).sources, Sources{"pipeline/" + one});
}

std::string shown(const Webhook& webhook) {
  std::string text;
  JsonWriter json{text};
  dialect().write_settings(json, webhook);
  return text.substr(0, text.find(",\"token_mode"));
}

// Goal: what filters is seen by the native API as by Buildkite's, and writing it back changes
// nothing.
TEST(NativeSettings, ShowAFilterAsTheScopeThatItIs) {
  for (const bool by_team : {true, false}) {
    Webhook webhook = made({"*"});
    (by_team ? webhook.filter.teams : webhook.filter.clusters) = {one, two};
    const std::string word = by_team ? "some_teams" : "some_clusters";
    EXPECT_EQ(shown(webhook),
              R"({"scope":")" + word + R"(","scope_uuids":[")" + one + R"(",")" + two + R"("])");
    const std::string stored = webhook.settings;
    for (const std::string& settings :
         {shown(webhook) + "}", R"({"scope":")" + word + "\"}", std::string{R"({"scope":"all"})"},
          std::string{R"({"token_mode":"token"})"}}) {
      set(webhook, {"*"}, settings);
      EXPECT_EQ(webhook.settings, stored) << settings;
    }
    set(webhook, {"*"}, R"({"scope":"some_projects","scope_uuids":[")" + one + "\"]}");
    EXPECT_EQ(scope_of(webhook), "some_projects " + one);
  }
}

TEST(NativeSources, OfAnyOtherKindStandBesideTheScopeOfAll) {
  for (const Sources& sources :
       {Sources{"*"}, Sources{"pipeline/app"}, Sources{"pipeline/" + one, "pipeline/app"},
        Sources{"app/" + one}, Sources{"pipeline/" + one, "*"}, Sources{"pipeline/*"}}) {
    const Webhook webhook = made(sources);
    EXPECT_EQ(scope_of(webhook), "all") << sources.front();
    EXPECT_EQ(webhook.sources, sources);
  }
}

TEST(NativeSources, YieldToAScopeThatIsNamed) {
  EXPECT_EQ(scope_of(made({"pipeline/" + one}, R"({"scope":"all"})")), "all");
  const Webhook webhook =
      made({"pipeline/" + one}, R"({"scope":"some_projects","scope_uuids":[")" + two + R"("]})");
  EXPECT_EQ(scope_of(webhook), "some_projects " + two);
  EXPECT_EQ(webhook.sources, (Sources{"pipeline/" + two, "*"}));
  EXPECT_EQ(scope_of(made({"pipeline/" + one},
                          R"({"scope":"some_teams","scope_uuids":[")" + two + R"("]})")),
            "some_teams " + two);
}

TEST(NativeSources, ChangeTheScopeThatTheyHaveMade) {
  Webhook webhook = made({"pipeline/" + one});
  set(webhook, {"pipeline/" + two, "*"}, R"({"token_mode":"signature"})");
  EXPECT_EQ(scope_of(webhook), "some_projects " + two) << "`*` is what an answer shows";
  set(webhook, {"pipeline/app"});
  EXPECT_EQ(scope_of(webhook), "all");
  EXPECT_EQ(webhook.sources, Sources{"pipeline/app"});
  set(webhook, {"pipeline/" + one});
  set(webhook, {"*"});
  EXPECT_EQ(scope_of(webhook), "all");
  EXPECT_EQ(webhook.sources, Sources{"*"});
}

// Sources show `*` for it, and saying that again must not open it to everything.
TEST(NativeSources, LeaveAnEmptyScopeEmpty) {
  Webhook webhook = made({"*"}, R"({"scope":"some_projects"})");
  EXPECT_EQ(scope_of(webhook), "some_projects");
  EXPECT_EQ(webhook.sources, Sources{"*"});
  set(webhook, {"*"});
  EXPECT_EQ(scope_of(webhook), "some_projects");
  set(webhook, {"pipeline/" + one});
  EXPECT_EQ(scope_of(webhook), "some_projects " + one);
}

TEST(NativeSources, KeepWithinATokensSources) {
  const Token narrow{.sources = {"pipeline/" + one}};
  Webhook webhook = made({"pipeline/" + one}, "{}", narrow);
  EXPECT_EQ(scope_of(webhook), "some_projects " + one);
  EXPECT_EQ(webhook.sources, Sources{"pipeline/" + one});
  ASSERT_FALSE(dialect().read_settings(R"({"token_mode":"signature"})", webhook));
  EXPECT_EQ(webhook.sources, Sources{"pipeline/" + one}) << "the scope has not changed";
}

TEST(NativeMaker, IsTheCreatorUnlessAnotherIsNamed) {
  const Token maker{.id = *Ulid::parse_uuid(two), .name = "ci", .created_at = from_unix_ns(7)};
  Webhook webhook = made({"*"});
  dialect().note_maker(maker, webhook);
  const auto creator = settings_of(webhook)->creator;
  ASSERT_TRUE(creator);
  EXPECT_EQ(creator->id, maker.id);
  EXPECT_EQ(creator->name, "ci");
  Webhook other = made({"*"}, R"({"sender":{"id":")" + one + R"(","name":"Ada"}})");
  dialect().note_maker(maker, other);
  EXPECT_EQ(settings_of(other)->creator->name, "Ada");
}

}  // namespace
}  // namespace ringpost::dialect::buildkite
