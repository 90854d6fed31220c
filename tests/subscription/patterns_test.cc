#include "subscription/patterns.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::subscription {
namespace {

// Goal: only patterns that can match something are accepted, and each refusal says why.
// Method: one table of texts and the word that the reason has to contain ("" for accepted).
struct Case {
  std::string text;
  std::string reason;
};

void expect_reason(Objection objection, const Case& expected) {
  if (expected.reason.empty()) {
    EXPECT_EQ(objection, "") << '"' << expected.text << '"';
  } else {
    EXPECT_NE(objection.find(expected.reason), Objection::npos)
        << '"' << expected.text << "\" got: " << objection;
  }
}

TEST(Patterns, RefusesSourcePatternsThatCannotMatch) {
  const std::vector<Case> cases{
      {"*", ""},
      {"app/c0ffee1234abcd56", ""},
      {"app/*", ""},
      {"resource/server/7", ""},
      {"folder/My Job", ""},
      {"caf\xC3\xA9/\xE6\x97\xA5\xE6\x9C\xAC", ""},
      {std::string(256, 'a'), ""},
      {"", "empty"},
      {std::string(257, 'a'), "too long"},
      {"**", "neither alone"},
      {"a*", "neither alone"},
      {"*a", "neither alone"},
      {"app/*/x", "neither alone"},
      {"a*b/*", "neither alone"},
      {"*/*", "neither alone"},
      {"app/**", "neither alone"},
      {"app.*", "neither alone"},
      {"/*", "no kind"},
      {"resource/server/*", "not a kind"},
      {" app", "space"},
      {"app ", "space"},
      {"app\n", "printed"},
      {std::string("a\0b", 3), "printed"},
      {"a\x7F", "printed"},
      {"a\xC2\x85", "printed"},      // NEL
      {"a\xE2\x80\x8B", "printed"},  // Zero-width space.
      {"a\xE2\x80\xAE"
       "b",
       "printed"},                   // Right-to-left override.
      {"a\xEF\xBB\xBF", "printed"},  // Byte order mark.
      {"a\xFF", "UTF-8"},
      {"a\xC3", "UTF-8"},
      {"a\xC0\x80", "UTF-8"},          // Overlong.
      {"a\xE0\x80\xAF", "UTF-8"},      // Overlong.
      {"a\xED\xA0\x80", "UTF-8"},      // Surrogate.
      {"a\xF4\x90\x80\x80", "UTF-8"},  // Above U+10FFFF.
      {"a\x80", "UTF-8"},
      {"a\xF8\x88\x80\x80\x80", "UTF-8"},
  };
  for (const Case& one : cases) expect_reason(object_to_source_pattern(one.text), one);
}

TEST(Patterns, RefusesEventPatternsThatCannotMatch) {
  const std::vector<Case> cases{
      {"*", ""},
      {"build/finished", ""},
      {"build/*", ""},
      {"build.*", ""},
      {"a/b.c/*", ""},
      {"", "empty"},
      {"/*", "nothing"},
      {".*", "nothing"},
      {"build*", "star"},
      {"build/*/x", "star"},
      {"*.done", "star"},
      {"*/*", "star"},
      {"build-*", "star"},
      {std::string(257, 'e'), "too long"},
      {"x\r\n", "printed"},
  };
  for (Case one : cases) {
    if (one.reason == "star") one.reason = "neither alone";
    expect_reason(object_to_event_pattern(one.text), one);
  }
}

TEST(Patterns, RefusesOrganizationsThatCouldBeTakenForAnother) {
  for (const char* good : {"default", "relay-demo", "ci", "a.b_c", "7"}) {
    EXPECT_EQ(object_to_organization(good), "") << good;
  }
  for (const char* bad :
       {"Ci", "ci ", " ci", "c i", "\xd1\x81i", "-ci", ".", "..", "a/b", "ci\n"}) {
    EXPECT_NE(object_to_organization(bad), "") << bad;
  }
  EXPECT_EQ(object_to_organization(std::string(organization_bytes_max, 'o')), "");
  EXPECT_NE(object_to_organization(std::string(organization_bytes_max + 1, 'o')), "");
  EXPECT_NE(object_to_organization(""), "");
}

TEST(Patterns, GivesASourceTheKindBeforeItsFirstSlash) {
  EXPECT_EQ(kind_prefix_size("app/x"), 4u);
  EXPECT_EQ(kind_prefix_size("resource/server/7"), 9u);
  EXPECT_EQ(kind_prefix_size("app/"), 4u);
  EXPECT_EQ(kind_prefix_size("app"), 0u);
  EXPECT_EQ(kind_prefix_size("/app"), 0u);
  EXPECT_EQ(kind_prefix_size(""), 0u);
}

TEST(Patterns, MatchesSourcesExactlyByKindOrAll) {
  EXPECT_TRUE(source_matches("*", "anything"));
  EXPECT_TRUE(source_matches("app/x", "app/x"));
  EXPECT_TRUE(source_matches("app/*", "app/x"));
  EXPECT_TRUE(source_matches("app/*", "app/x/y"));
  EXPECT_TRUE(source_matches("app/*", "app/"));
  EXPECT_FALSE(source_matches("app/*", "app"));
  EXPECT_FALSE(source_matches("app/*", "apple/x"));
  EXPECT_FALSE(source_matches("app/x", "app/X"));
  EXPECT_FALSE(source_matches("app/x", "app/xy"));
}

TEST(Patterns, TakesTheVersionOffTypesOfCdevents) {
  struct Row {
    std::string_view type;
    std::string_view unversioned;
  };
  const std::vector<Row> rows{
      {"dev.cdevents.pipelinerun.finished.0.2.0", "dev.cdevents.pipelinerun.finished"},
      {"dev.cdevents.pipelinerun.finished.0.3.0-draft", "dev.cdevents.pipelinerun.finished"},
      {"dev.cdevents.taskrun.started.10.20.300", "dev.cdevents.taskrun.started"},
      {"dev.cdevents.a.b.1.0.0-rc.1", "dev.cdevents.a.b"},
      {"dev.cdevents.a.b.1.0.0-1.2.3", "dev.cdevents.a.b"},
      {"dev.cdevents.a.b.1.0.0-x.1.2.3", "dev.cdevents.a.b"},
      {"dev.cdevents.a.1.2.3", "dev.cdevents.a"},
      {"dev.cdevents.a.1.2.3.4", "dev.cdevents.a.1"},
      {"dev.cdevents.a.b", ""},
      {"dev.cdevents.a.b.1", ""},
      {"dev.cdevents.a.b.1.2", ""},
      {"dev.cdevents.a.b.v1.2.3", ""},
      {"dev.cdevents.a.b.1.2.3-", ""},
      {"dev.cdevents.a.b.1.2.3x", ""},
      {"dev.cdevents.a.b.1..3", ""},
      {"dev.cdevents.a.b.1.2.", ""},
      {"dev.cdevents.a.b.1.2.3.", ""},
      {"dev.cdevents.a.b.-1.2.3", ""},
      {"dev.cdevents.1.2.3", ""},
      {"dev.cdevents.", ""},
      {"dev.cdevents", ""},
      {"dev.cdeventsx.tool-a.b.0.1.0", ""},
      {"DEV.cdevents.a.b.0.1.0", ""},
      {"com.example.a.b.0.1.0", ""},
      {"build/finished", ""},
      {"", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(unversioned_type(row.type), row.unversioned) << row.type;
}

TEST(Patterns, MatchesCdeventsWithAndWithoutTheirVersion) {
  constexpr std::string_view type = "dev.cdevents.pipelinerun.finished.0.2.0";
  for (const std::string_view pattern :
       {"*", "dev.*", "dev.cdevents.*", "dev.cdevents.pipelinerun.*",
        "dev.cdevents.pipelinerun.finished.*", "dev.cdevents.pipelinerun.finished",
        "dev.cdevents.pipelinerun.finished.0.2.0"}) {
    EXPECT_TRUE(event_matches(pattern, type)) << pattern;
    EXPECT_TRUE(any_event_matches({"x", std::string{pattern}}, type)) << pattern;
  }
  for (const std::string_view pattern :
       {"", "dev.cdevents.pipelinerun", "dev.cdevents.pipelinerun.finished.0",
        "dev.cdevents.pipelinerun.finished.0.1.0", "dev.cdevents.pipelinerun.finishe",
        "dev.cdevents.pipelinerun.started", "dev.cdevents.taskrun.*"}) {
    EXPECT_FALSE(event_matches(pattern, type)) << pattern;
  }
  // Nobody else's types lose their versions.
  EXPECT_FALSE(event_matches("com.example.done", "com.example.done.0.2.0"));
}

TEST(Patterns, MatchesEventsExactlyByPrefixOrAll) {
  EXPECT_TRUE(event_matches("*", "build"));
  EXPECT_TRUE(event_matches("build/*", "build/finished"));
  EXPECT_TRUE(event_matches("build.*", "build.finished.late"));
  EXPECT_TRUE(event_matches("a/b/*", "a/b/c"));
  EXPECT_FALSE(event_matches("build/*", "build"));
  EXPECT_FALSE(event_matches("build/*", "build/"));
  EXPECT_FALSE(event_matches("build/*", "build.finished"));
  EXPECT_FALSE(event_matches("build/*", "builds/finished"));
  EXPECT_FALSE(event_matches("build", "build/finished"));
  EXPECT_FALSE(event_matches("build*", "build/finished"));
  EXPECT_FALSE(any_event_matches({}, "build"));
  EXPECT_TRUE(any_event_matches({"x", "build"}, "build"));
}

}  // namespace
}  // namespace ringpost::subscription
