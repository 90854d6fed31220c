// Goal: which names of an event's source a webhook can use does not depend on other webhooks.
// Method: the table that the relay matches with, with one webhook in it.

#include "dialect/matcher.h"

#include "base/bytes.h"
#include "dialect/dialect.h"
#include "subscription/table.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace ringpost::dialect {
namespace {

using subscription::Webhook;

const std::string build =
    R"({"pipeline":{"id":"018f6b1e-aaaa-4abc-8def-00000000000a","slug":"app"}})";
const std::string action =
    R"({"action":{"pipeline_id":12,"resource":{"type":"server","id":7},"status":"failed"}})";

Webhook of_source(const std::string& source) {
  Webhook webhook;
  webhook.number = 1;
  webhook.sources = {source};
  webhook.rule = make_rule(webhook);
  return webhook;
}

bool gets(const Webhook& webhook, std::string_view type, std::string_view data,
          const subscription::Token* sender = nullptr) {
  subscription::SubscriptionTable table(1, HashKey{});
  table.put(webhook);
  table.publish();
  journal::EventView event;
  event.organization = "default";
  event.source = "ci/main";
  event.type = type;
  event.data = as_bytes(data);
  Matcher matcher;
  std::vector<const Webhook*> found;
  matcher.match(table.current(), event, sender, found);
  return !found.empty();
}

TEST(Matcher, FindsTheOnlyWebhookByAnotherNameOfTheSource) {
  for (const char* name :
       {"ci/main", "pipeline/app", "pipeline/018f6b1e-aaaa-4abc-8def-00000000000a"}) {
    EXPECT_TRUE(gets(of_source(name), "build.finished", build)) << name;
  }
  for (const char* name : {"ci/main", "pipeline/12", "resource/server/7"}) {
    EXPECT_TRUE(gets(of_source(name), "action.failed", action)) << name;
  }
  for (const char* name : {"pipeline/other", "pipeline/12", "app/app"}) {
    EXPECT_FALSE(gets(of_source(name), "build.finished", build)) << name;
  }
  EXPECT_FALSE(gets(of_source("pipeline/app"), "build/finished", build)) << "a type of others";
}

TEST(Matcher, UsesOnlyThoseOtherNamesThatTheSenderMayUse) {
  const char* const uuid = "pipeline/018f6b1e-aaaa-4abc-8def-00000000000a";
  subscription::Token sender;
  EXPECT_TRUE(gets(of_source("pipeline/app"), "build.finished", build, &sender)) << "unrestricted";
  sender.sources = {"ci/main"};
  EXPECT_TRUE(gets(of_source("ci/main"), "build.finished", build, &sender));
  EXPECT_TRUE(gets(of_source("*"), "build.finished", build, &sender));
  EXPECT_FALSE(gets(of_source("pipeline/app"), "build.finished", build, &sender));
  EXPECT_FALSE(gets(of_source("resource/server/7"), "action.failed", action, &sender));
  sender.sources = {"ci/main", uuid};
  EXPECT_TRUE(gets(of_source(uuid), "build.finished", build, &sender));
  EXPECT_FALSE(gets(of_source("pipeline/app"), "build.finished", build, &sender));
}

TEST(Matcher, LooksAtNoDataForNamesThatNoDialectAdds) {
  for (const char* name : {"*", "app/c0ffee", "pipeline/*", "resource/*", "pipelines"}) {
    EXPECT_EQ(of_source(name).rule, nullptr) << name;
  }
}

// A webhook of any dialect may ask for branches of Bitrise's builds.
TEST(Matcher, FindsTheBranchOfABitriseBuildInItsData) {
  const auto on = [](std::string_view branch) {
    return R"({"build_slug":"b","git":{"provider":"github","src_branch":")" + std::string{branch} +
           R"(","dst_branch":"main","tag":null}})";
  };
  for (const char* dialect : {"bitrise", "standard"}) {
    Webhook webhook = find(dialect)->defaults();
    webhook.number = 1;
    webhook.filter.branches = "main release/*";
    webhook.rule = make_rule(webhook);
    for (const char* type : {"build/triggered", "build/finished"}) {
      SCOPED_TRACE(std::string{dialect} + " " + type);
      EXPECT_TRUE(gets(webhook, type, on("main")));
      EXPECT_TRUE(gets(webhook, type, on("release/2")));
      EXPECT_FALSE(gets(webhook, type, on("feature/login"))) << "dst_branch does not count";
      EXPECT_TRUE(gets(webhook, type, on(""))) << "a tag is of no branch";
      EXPECT_TRUE(gets(webhook, type, "{}"));
    }
    EXPECT_TRUE(gets(webhook, "build/other", on("feature/login"))) << "nobody's type";
  }
}

}  // namespace
}  // namespace ringpost::dialect
