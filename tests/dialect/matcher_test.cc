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
  const bool found = !matcher.match(table.current(), event, sender).empty();
  if (sender == nullptr) {
    EXPECT_EQ(matcher.why_not(webhook, event).empty(), found);
  }
  return found;
}

TEST(Matcher, SaysWhyAnEventDoesNotGoToAWebhook) {
  journal::EventView event;
  event.source = "app/one";
  event.type = "build/finished";
  event.data = as_bytes(R"({"build":{"branch":"feature/x"}})");
  Webhook webhook;
  Matcher matcher;
  const auto why_not = [&] {
    webhook.rule = make_rule(webhook);
    return matcher.why_not(webhook, event);
  };
  EXPECT_EQ(why_not(), "");
  webhook.sources = {"app/two", "pipeline/*"};
  EXPECT_EQ(why_not(), "its source is not among `sources`");
  webhook.sources = {"app/*"};
  webhook.events = {"build/started"};
  EXPECT_EQ(why_not(), "its type is not among `events`");
  webhook.events = {"build/*"};
  EXPECT_EQ(why_not(), "");
  webhook.filter.data = R"({"path":"build.branch","equals":"main"})";
  EXPECT_EQ(why_not(), "`filter.data` does not hold: `build.branch`");
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

/// Thousands of webhooks, of which each second one wants the event, and the event.
class Crowd : public testing::Test {
 protected:
  static constexpr uint32_t count = 2'000;

  Crowd() {
    for (uint32_t number = 1; number <= count; ++number) {
      Webhook webhook = find("bitrise")->defaults();
      webhook.number = number;
      if (number % 4 != 0) {  // The others ask for nothing beyond source and type.
        webhook.filter.branches = number % 2 == 0 ? "main" : "release/*";
        webhook.rule = make_rule(webhook);
      }
      table_.put(std::move(webhook));
    }
    table_.publish();
    data_ = R"({"git":{)";
    for (int member = 0; member < 60'000; ++member) {
      data_ += "\"m" + std::to_string(member) + "\":1,";
    }
    data_ += R"("src_branch":"main"}})";
    event_.organization = "default";
    event_.source = "app/c0ffee";
    event_.type = "build/finished";
    event_.data = as_bytes(data_);
  }

  std::vector<uint32_t> wanting(uint32_t without = 0) const {
    std::vector<uint32_t> numbers;
    for (uint32_t number = 2; number <= count; number += 2) {
      if (number != without) numbers.push_back(number);
    }
    return numbers;
  }
  std::vector<uint32_t> found() const { return {matcher_.found().begin(), matcher_.found().end()}; }

  subscription::SubscriptionTable table_{1, HashKey{}};
  std::string data_;
  journal::EventView event_;
  Matcher matcher_;
};

TEST_F(Crowd, IsAskedInPartsWithTheSameResult) {
  matcher_.match(table_.current(), event_, nullptr);
  EXPECT_EQ(found(), wanting());
  matcher_.begin(table_.current(), event_, nullptr);
  int parts = 1;
  for (int64_t work = 1000; !matcher_.proceed(table_.current(), work); work = 1000) ++parts;
  EXPECT_EQ(found(), wanting());
  EXPECT_GT(parts, 100);
}

TEST_F(Crowd, CostsItsDataOnce) {
  matcher_.begin(table_.current(), event_, nullptr);
  constexpr int64_t given = 1'000'000'000;
  int64_t work = given;
  EXPECT_TRUE(matcher_.proceed(table_.current(), work));
  EXPECT_LT(given - work, int64_t{3} * static_cast<int64_t>(data_.size()) + count * 200);
}

TEST_F(Crowd, MayChangeBetweenTwoParts) {
  matcher_.begin(table_.current(), event_, nullptr);
  int64_t work = 1000;
  EXPECT_FALSE(matcher_.proceed(table_.current(), work));
  table_.remove(1998);
  table_.publish();
  table_.reclaim();
  work = 1'000'000'000;
  EXPECT_TRUE(matcher_.proceed(table_.current(), work));
  EXPECT_EQ(found(), wanting(1998));
}

}  // namespace
}  // namespace ringpost::dialect
