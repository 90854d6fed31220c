// Goal: which events a webhook gets, by names, scope, branch and cluster (specification 3.1 and 5).
// Method: the table that the relay matches with, one webhook and one event at a time.

#include "dialect/buildkite/rule.h"

#include "../../subscription/branch_cases.h"
#include "dialect/buildkite/events.h"
#include "dialect/buildkite/settings.h"
#include "dialect/dialect.h"
#include "dialect/matcher.h"
#include "subscription/table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::dialect::buildkite {
namespace {

using subscription::Webhook;
using Texts = std::vector<std::string>;

const std::string pipeline_a = "018f6b1e-aaaa-4abc-8def-00000000000a";
const std::string pipeline_b = "018f6b1e-bbbb-4abc-8def-00000000000b";
const std::string team_a = "018f6b1e-1111-4abc-8def-00000000000a";
const std::string cluster_a = "018f6b1e-cccc-4abc-8def-00000000000a";
const std::string cluster_b = "018f6b1e-cccc-4abc-8def-00000000000b";

std::string pipeline_data(const std::string& id, const std::string& cluster) {
  return R"({"build":{"branch":"main"},"pipeline":{"id":")" + id +
         R"(","slug":"app","cluster_id":")" + cluster + R"("}})";
}

struct Event {
  std::string type = "build.finished";
  std::string source = "pipeline/app";
  std::string data = pipeline_data(pipeline_a, cluster_a);
  std::string branch{};
  std::string extensions{};
};

Webhook hook(Scope scope, const Texts& ids, Texts events = {"*"}) {
  Webhook made = find("buildkite")->defaults();
  made.number = 1;
  made.events = std::move(events);
  Settings settings{.scope = scope};
  for (const std::string& id : ids) settings.scope_ids.push_back(*Ulid::parse_uuid(id));
  made.settings = to_text(settings);
  made.sources = sources_of(settings, made.events);
  return made;
}

bool gets(Webhook webhook, const Event& event, const subscription::Token* sender = nullptr) {
  subscription::SubscriptionTable table(1, HashKey{});
  webhook.rule = make_rule(webhook);
  table.put(webhook);
  table.publish();
  journal::EventView view;
  view.organization = "default";
  view.source = event.source;
  view.type = event.type;
  view.branch = event.branch;
  view.extensions = event.extensions;
  view.data = as_bytes(event.data);
  Matcher matcher;
  const bool found = !matcher.match(table.current(), view, sender).empty();
  if (sender == nullptr) {
    EXPECT_EQ(matcher.why_not(webhook, view).empty(), found);
  }
  return found;
}

TEST(Events, AreEighteen) {
  const std::vector<std::string_view> names(event_names().begin(), event_names().end());
  EXPECT_EQ(names, (std::vector<std::string_view>{
                       "ping", "build.scheduled", "build.running", "build.failing",
                       "build.finished", "build.skipped", "job.scheduled", "job.started",
                       "job.finished", "job.activated", "job.promised_exit_status",
                       "agent.connected", "agent.lost", "agent.disconnected", "agent.stopping",
                       "agent.stopped", "agent.blocked", "cluster_token.registration_blocked"}));
  EXPECT_FALSE(is_event_name("build.started"));  // Whatever a sample says.
  EXPECT_FALSE(is_event_name("package.created"));
}

TEST(Scope, AllTakesEveryPipelineAndAgent) {
  for (const std::string_view type : event_names()) {
    EXPECT_EQ(gets(hook(Scope::all, {}), {.type = std::string{type}}), type != "ping") << type;
    EXPECT_FALSE(gets(hook(Scope::all, {}, {}), {.type = std::string{type}})) << type;
  }
}

TEST(Scope, TakesTheNamedEventsOnly) {
  const Webhook webhook = hook(Scope::all, {}, {"build.finished", "ping"});
  EXPECT_TRUE(gets(webhook, {}));
  EXPECT_FALSE(gets(webhook, {.type = "build.running"}));
  EXPECT_FALSE(gets(webhook, {.type = "ping"}));  // A producer's is nobody's.
}

TEST(Scope, ProjectsAreFoundByIdWhateverTheSourceIsCalled) {
  const Webhook webhook = hook(Scope::some_projects, {pipeline_a}, {"build.finished"});
  EXPECT_EQ(webhook.sources, Texts{"pipeline/" + pipeline_a});
  EXPECT_TRUE(gets(webhook, {}));
  EXPECT_TRUE(gets(webhook, {.source = "anything"}));
  const std::string no_pipeline = R"({"build":{"branch":"main"}})";
  EXPECT_TRUE(gets(webhook, {.source = "pipeline/" + pipeline_a, .data = no_pipeline}));
  EXPECT_FALSE(gets(webhook, {.source = "pipeline/" + pipeline_b, .data = no_pipeline}));
  EXPECT_FALSE(gets(webhook, {.data = no_pipeline}));
  EXPECT_FALSE(gets(webhook, {.data = pipeline_data(pipeline_b, cluster_a)}));
}

TEST(Scope, ProjectsAreFoundByIdInAnyCase) {
  EXPECT_TRUE(gets(hook(Scope::some_projects, {pipeline_a}, {"build.finished"}),
                   {.data = R"({"pipeline":{"id":"018F6B1E-AAAA-4ABC-8DEF-00000000000A"}})"}));
}

TEST(Scope, ProjectsKeepOtherPipelinesOutButNoAgents) {
  const Webhook webhook =
      hook(Scope::some_projects, {pipeline_a}, {"build.finished", "job.finished", "agent.lost"});
  EXPECT_EQ(webhook.sources, (Texts{"pipeline/" + pipeline_a, "*"}));
  EXPECT_TRUE(gets(webhook, {.type = "agent.lost", .source = "agent/7", .data = "{}"}));
  EXPECT_TRUE(gets(webhook, {}));
  EXPECT_TRUE(gets(webhook, {.type = "job.finished"}));
  const std::string other = pipeline_data(pipeline_b, cluster_a);
  EXPECT_FALSE(gets(webhook, {.data = other}));
  EXPECT_FALSE(gets(webhook, {.type = "job.finished", .data = other}));
}

// Not even an agent's event, which a scope that names something does not keep out.
TEST(Scope, TakesNothingWhereItIsEmpty) {
  for (const Scope scope : {Scope::some_projects, Scope::some_teams, Scope::some_clusters}) {
    const Webhook webhook = hook(scope, {});
    EXPECT_FALSE(gets(webhook, {}));
    EXPECT_FALSE(gets(webhook, {.type = "agent.lost", .source = "agent/7", .data = "{}"}));
  }
}

// The webhook takes events of every source (agents have no pipeline), so the rule alone keeps it.
TEST(Scope, ProjectsAreThoseThatTheSenderMayNameToo) {
  const Webhook webhook =
      hook(Scope::some_projects, {pipeline_a}, {"build.finished", "agent.lost"});
  subscription::Token sender;
  sender.sources = {"pipeline/app"};
  EXPECT_FALSE(gets(webhook, {}, &sender));
  sender.sources = {"pipeline/app", "pipeline/" + pipeline_a};
  EXPECT_TRUE(gets(webhook, {}, &sender));
  EXPECT_TRUE(gets(webhook, {.source = "pipeline/" + pipeline_a}, &sender));
}

TEST(Scope, TeamsComeFromTheEventsAttribute) {
  const Webhook webhook = hook(Scope::some_teams, {team_a});
  EXPECT_FALSE(gets(webhook, {}));
  EXPECT_TRUE(gets(webhook, {.extensions = R"({"teams":["x",")" + team_a + R"("]})"}));
  EXPECT_FALSE(gets(webhook, {.extensions = R"({"teams":["x"]})"}));
  EXPECT_TRUE(gets(webhook, {.type = "agent.lost", .source = "agent/7", .data = "{}"}));
}

TEST(Scope, ClustersHoldPipelines) {
  const Webhook webhook = hook(Scope::some_clusters, {cluster_a});
  EXPECT_TRUE(gets(webhook, {}));
  EXPECT_TRUE(gets(webhook, {.type = "job.started"}));
  EXPECT_FALSE(gets(webhook, {.data = pipeline_data(pipeline_a, cluster_b)}));
  const std::string none = R"({"pipeline":{"cluster_id":null}})";
  EXPECT_FALSE(gets(webhook, {.data = none}));
  EXPECT_TRUE(gets(webhook, {.data = none, .extensions = R"({"cluster":")" + cluster_a + R"("})"}));
}

TEST(Scope, ClustersHoldAgentsAndTokensWhereTheClusterIsKnown) {
  const Webhook webhook = hook(Scope::some_clusters, {cluster_a});
  const auto is_wanted = [&](const char* type, std::string data, std::string extensions = {}) {
    return gets(webhook, {.type = type,
                          .source = "agent/7",
                          .data = std::move(data),
                          .extensions = std::move(extensions)});
  };
  const auto job = [](const std::string& cluster) {
    return R"({"agent":{"job":{"cluster_id":")" + cluster + R"("}}})";
  };
  const auto token = [](const std::string& cluster) {
    return R"({"cluster_token":{"cluster_url":"https://api.example.org/clusters/)" + cluster +
           R"("}})";
  };
  EXPECT_TRUE(is_wanted("agent.lost", "{}"));
  EXPECT_TRUE(is_wanted("agent.lost", R"({"agent":{"job":null}})"));
  EXPECT_TRUE(is_wanted("agent.lost", job(cluster_a)));
  EXPECT_FALSE(is_wanted("agent.lost", job(cluster_b)));
  EXPECT_TRUE(is_wanted("agent.blocked", token(cluster_a)));
  EXPECT_FALSE(is_wanted("agent.blocked", token(cluster_b)));
  EXPECT_FALSE(is_wanted("cluster_token.registration_blocked", token(cluster_b)));
  EXPECT_FALSE(is_wanted("agent.lost", "{}", R"({"cluster":")" + cluster_b + R"("})"));
}

TEST(Scope, UnreadableSettingsLetNothingThrough) {
  Webhook webhook = hook(Scope::all, {});
  webhook.settings = "{";
  EXPECT_FALSE(gets(webhook, {}));
}

TEST(BranchFilter, MatchesAsTheTablesSay) {
  for (const auto& expected : subscription::branch_cases) {
    Webhook webhook = hook(Scope::all, {});
    webhook.filter.branches = expected.patterns;
    const std::string data = R"({"build":{"branch":")" + std::string{expected.branch} + R"("}})";
    for (const char* type : {"build.finished", "job.finished"}) {
      EXPECT_EQ(gets(webhook, {.type = type, .data = data}), expected.match)
          << expected.patterns << " " << expected.branch << " " << type;
    }
  }
}

TEST(BranchFilter, IsForBuildsAndJobsOnly) {
  Webhook webhook = hook(Scope::all, {});
  webhook.filter.branches = "release/*";
  for (const std::string_view type : event_names()) {
    if (type == "ping") continue;
    const bool has_branch = type.starts_with("build.") || type.starts_with("job.");
    // An agent's event has no branch, also if an attribute or a member looks like one.
    EXPECT_EQ(gets(webhook, {.type = std::string{type}, .branch = "main"}), !has_branch) << type;
    EXPECT_EQ(gets(webhook, {.type = std::string{type}}), !has_branch) << type;
  }
}

TEST(Aliases, NameThePipelineByIdAndSlug) {
  Webhook webhook = hook(Scope::all, {});
  for (const std::string& source : {"pipeline/" + pipeline_a, std::string{"pipeline/app"}}) {
    webhook.sources = {source};
    EXPECT_TRUE(gets(webhook, {.source = "somewhere"})) << source;
    // Whatever its data says, an agent is of no pipeline.
    EXPECT_FALSE(gets(webhook, {.type = "agent.lost", .source = "somewhere"})) << source;
    webhook.sources = {source + "x"};
    EXPECT_FALSE(gets(webhook, {.source = "somewhere"})) << source;
  }
}

}  // namespace
}  // namespace ringpost::dialect::buildkite
