// Goal: a webhook cannot subscribe to what its dialect never sends, and is told what it can.
// Method: tables of patterns, taken and refused, for each dialect that knows its events.

#include "dialect/dialect.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace ringpost::dialect {
namespace {

struct Row {
  const char* dialect;
  const char* pattern;
  const char* part;  ///< Of the refusal; empty: it is taken.
};

void expect_verdict(const Row& row, const std::string& objection) {
  SCOPED_TRACE(std::string{row.dialect} + " " + row.pattern);
  if (std::string_view{row.part}.empty()) {
    EXPECT_EQ(objection, "");
  } else {
    EXPECT_NE(objection.find(row.part), std::string::npos) << objection;
  }
}

TEST(Dialect, RefusesEventsThatItNeverSends) {
  const std::vector<Row> rows{
      {"bitrise", "*", ""},
      {"bitrise", "build/*", ""},
      {"bitrise", "build/triggered", ""},
      {"bitrise", "build/finished", ""},
      {"bitrise", "pipeline/*", ""},
      {"bitrise", "build", R"(settings.events, as ["build"])"},
      {"bitrise", "all", R"(settings.events, as ["all"])"},
      {"bitrise", "pipeline", R"(settings.events, as ["pipeline"])"},
      {"bitrise", "build/started", R"("build/triggered" and "build/finished")"},
      {"bitrise", "build.finished", R"("build/triggered" and "build/finished")"},
      {"bitrise", "build.*", R"("build/triggered" and "build/finished")"},
      {"buildkite", "*", ""},
      {"buildkite", "build.*", ""},
      {"buildkite", "ping", ""},
      {"buildkite", "cluster_token.registration_blocked", ""},
      {"buildkite", "build.started", "build.scheduled, build.running"},
      {"buildkite", "build/*", R"("build.*")"},
      {"buildkite", "build", R"("build.*")"},
      {"devopness", "*", ""},
      {"devopness", "action.*", ""},
      {"devopness", "action.completed", ""},
      {"devopness", "action.deployed", ""},
      {"devopness", "action.created", "settings.trigger_when.events"},
      {"devopness", "deploy", "action.completed, action.failed"},
      {"devopness", "action/*", R"("action.*")"},
      {"standard", "whatever", ""},
      {"cloudevents", "com.example.thing", ""},
  };
  for (const Row& row : rows) expect_verdict(row, find(row.dialect)->object_to_event(row.pattern));
}

TEST(Dialect, RefusesSourcesThatItsOwnApiCannotName) {
  const std::vector<Row> rows{
      {"bitrise", "*", ""},
      {"bitrise", "app/*", ""},
      {"bitrise", "app/c0ffee_1-2", ""},
      {"bitrise", "ci/any name!", ""},
      {"bitrise", "app/bad slug!", "1 to 64 letters"},
      {"bitrise", "app/", "1 to 64 letters"},
      {"devopness", "*", ""},
      {"devopness", "pipeline/*", ""},
      {"devopness", "resource/*", ""},
      {"devopness", "pipeline/33", ""},
      {"devopness", "resource/application/44", ""},
      {"devopness", "scheduler", ""},
      {"devopness", "pipeline/app", "pipeline/33"},
      {"devopness", "pipeline/033", "pipeline/33"},
      {"devopness", "pipeline/0", "pipeline/33"},
      {"devopness", "pipeline/9007199254740992", "pipeline/33"},
      {"devopness", "resource/moon/1", "ssl-certificate"},
      {"devopness", "resource/server", "resource/TYPE/ID"},
      {"devopness", "resource/server/", "resource/TYPE/ID"},
      {"devopness", "resource/server/x", "resource/TYPE/ID"},
      {"buildkite", "pipeline/app", ""},
      {"standard", "app/bad slug!", ""},
  };
  for (const Row& row : rows) expect_verdict(row, find(row.dialect)->object_to_source(row.pattern));
}

// Whatever a dialect gives by itself has to be what it takes.
TEST(Dialect, TakesItsOwnDefaults) {
  for (const Dialect* dialect : all()) {
    const subscription::Webhook webhook = dialect->defaults();
    for (const std::string& event : webhook.events) EXPECT_EQ(dialect->object_to_event(event), "");
    for (const std::string& source : webhook.sources) {
      EXPECT_EQ(dialect->object_to_source(source), "");
    }
  }
}

}  // namespace
}  // namespace ringpost::dialect
