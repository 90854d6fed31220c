#include "subscription/filter_rule.h"

#include "base/siphash.h"
#include "subscription/branch_patterns.h"
#include "subscription/table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::subscription {
namespace {

/// An event with everything that a rule may ask of it.
struct Event {
  std::string branch;
  std::string extensions;
  std::string data = R"({"build":{"branch":"from-data"},"pipeline":{"cluster_id":"c-data"}})";

  bool passes(const Filter& filter) const {
    json::Document data_document;
    json::Document extensions_document;
    data_document.assign(data);
    extensions_document.assign(extensions);
    const json::Path branch_path = json::Path::constant("build.branch");
    const json::Path cluster_path = json::Path::constant("pipeline.cluster_id");
    const EventFacts facts({.organization = "o", .source = "s", .type = "t", .branch = branch},
                           data_document, extensions_document, {&branch_path, &cluster_path});
    const auto rule = make_filter_rule(filter);
    if (rule == nullptr) return true;
    why_not = rule->why_not(facts);
    EXPECT_EQ(why_not.empty(), rule->wants(facts));
    return rule->wants(facts);
  }

  mutable std::string why_not;  ///< Of the last filter.
};

TEST(FilterRule, AsksForNothingWhenEmpty) {
  EXPECT_EQ(make_filter_rule({}), nullptr);
}

TEST(FilterRule, AsksTheAttributeBeforeTheData) {
  Event event;
  EXPECT_TRUE(event.passes({.branches = "from-*"}));
  EXPECT_FALSE(event.passes({.branches = "main"}));
  event.branch = "main";
  EXPECT_TRUE(event.passes({.branches = "main"}));
  EXPECT_FALSE(event.passes({.branches = "from-*"}));
}

TEST(FilterRule, AsksTheDataBesidesAllElse) {
  const Event event;
  const std::string of_data = R"({"path":"build.branch","equals":"from-data"})";
  EXPECT_TRUE(event.passes({.data = of_data}));
  EXPECT_TRUE(event.passes({.branches = "from-*", .clusters = {"c-data"}, .data = of_data}));
  EXPECT_FALSE(event.passes({.branches = "main", .data = of_data}));
  EXPECT_FALSE(event.passes({.teams = {"t"}, .data = of_data}));
  EXPECT_FALSE(event.passes({.data = R"({"not":)" + of_data + "}"}));
}

TEST(FilterRule, DoesNotFilterByBranchWhatHasNone) {
  Event event;
  event.data = R"({"agent":{"id":"1"}})";
  EXPECT_TRUE(event.passes({.branches = "main"}));
  EXPECT_TRUE(event.passes({.branches = "!main"}));
}

TEST(FilterRule, FindsClustersInExtensionsAndData) {
  Event event;
  EXPECT_TRUE(event.passes({.clusters = {"x", "c-data"}}));
  event.extensions = R"({"cluster":"own"})";
  EXPECT_TRUE(event.passes({.clusters = {"own"}}));
  EXPECT_FALSE(event.passes({.clusters = {"c-data"}}));
  event.data = "{}";
  event.extensions = "";
  EXPECT_FALSE(event.passes({.clusters = {"own"}}));
}

TEST(FilterRule, WantsOneOfTheEventsTeams) {
  Event event;
  EXPECT_FALSE(event.passes({.teams = {"a"}}));
  event.extensions = R"({"teams":"a"})";
  EXPECT_TRUE(event.passes({.teams = {"a"}}));
  event.extensions = R"({"teams":["b","c"]})";
  EXPECT_TRUE(event.passes({.teams = {"c", "x"}}));
  EXPECT_FALSE(event.passes({.teams = {"a"}}));
  EXPECT_FALSE(event.passes({.branches = "main", .teams = {"c"}}));
}

TEST(FilterRule, SaysWhatIsNotAsTheFilterAsks) {
  const Event event;
  const auto why_not = [&event](const Filter& filter) {
    EXPECT_FALSE(event.passes(filter));
    return event.why_not;
  };
  EXPECT_EQ(why_not({.branches = "main"}),
            "its branch \"from-data\" is not among `filter.branches`");
  EXPECT_EQ(why_not({.clusters = {"x"}}), "its cluster \"c-data\" is not among `filter.clusters`");
  EXPECT_EQ(why_not({.teams = {"x"}}), "it names no team, and `filter.teams` asks for one");
  const std::string good = R"({"path":"build.branch","equals":"from-data"})";
  const std::string bad = R"({"path":"build.branch","prefix":"x"})";
  EXPECT_EQ(why_not({.data = R"({"all":[)" + good + "," + bad + "]}"}),
            "`filter.data` does not hold: `build.branch`");
  EXPECT_EQ(why_not({.data = R"({"any":[)" + bad + "]}"}),
            "`filter.data` does not hold: none of what `any` lists");
  EXPECT_EQ(why_not({.data = R"({"not":)" + good + "}"}),
            "`filter.data` does not hold: what `not` excludes");
}

class AsksForSource final : public EventRule {
 public:
  explicit AsksForSource(std::string source) : source_(std::move(source)) {}
  bool wants(const EventFacts& event) const override { return event.source() == source_; }
  std::string why_not(const EventFacts& event) const override {
    return wants(event) ? "" : "another source";
  }

 private:
  const std::string source_;
};

// Goal: a rule decides where source and type already fit, and other names of the source count.
TEST(Snapshot, AsksRulesAndLooksUpAliases) {
  SubscriptionTable table(0, {1, 2});
  Webhook ruled;
  ruled.number = 1;
  ruled.rule = std::make_shared<AsksForSource>("pipeline/app");
  table.put(ruled);
  Webhook by_id;
  by_id.number = 2;
  by_id.sources = {"pipeline/018f"};
  table.put(by_id);
  table.publish();
  EXPECT_EQ(table.current().rule_count(), 1u);

  json::Document data;
  json::Document extensions;
  const auto numbers = [&](std::string_view source, std::vector<std::string> aliases) {
    const EventFacts facts({.organization = "default", .source = source, .type = "t"}, data,
                           extensions, {});
    std::vector<const Webhook*> found;
    table.current().match(
        {.organization = "default", .source = source, .type = "t", .aliases = aliases}, found);
    std::vector<uint32_t> result;
    for (const Webhook* webhook : found) {
      if (webhook->rule == nullptr || webhook->rule->wants(facts)) {
        result.push_back(webhook->number);
      }
    }
    return result;
  };
  EXPECT_EQ(numbers("pipeline/app", {}), (std::vector<uint32_t>{1}));
  EXPECT_EQ(numbers("pipeline/app", {"pipeline/018f", "pipeline/018f"}),
            (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(numbers("pipeline/018f", {"pipeline/app"}), (std::vector<uint32_t>{2}));
  EXPECT_TRUE(numbers("pipeline/x", {"a", "b", "c", "d", "pipeline/018f"}).empty())
      << "more aliases than the limit are not looked up";

  ruled.rule = nullptr;
  table.put(ruled);
  table.publish();
  EXPECT_EQ(table.current().rule_count(), 0u);
}

TEST(FilterRule, ReadsAnEventOnceForAllWebhooks) {
  std::string text = R"({"git":{)";
  for (int member = 0; member < 60'000; ++member) text += "\"m" + std::to_string(member) + "\":1,";
  text += R"("src_branch":"main","cluster":"c"}})";
  std::string teams = R"({"teams":[)";
  for (int team = 0; team < 5'000; ++team) teams += "\"t" + std::to_string(team % 500) + "\",";
  teams += "\"last\"]}";
  json::Document data;
  json::Document extensions;
  data.assign(text);
  extensions.assign(teams);
  const json::Path branch = json::Path::constant("git.src_branch");
  const json::Path cluster = json::Path::constant("git.cluster");
  const EventFacts facts({.organization = "o", .source = "s", .type = "t", .branch = ""}, data,
                         extensions, {&branch, &cluster});
  const auto wanted = make_filter_rule({.branches = "main", .teams = {"t9"}, .clusters = {"c"}});
  const auto unwanted = make_filter_rule({.branches = "main", .teams = {"no"}, .clusters = {"c"}});
  EXPECT_TRUE(wanted->wants(facts));
  const uint64_t work = facts.work();
  EXPECT_GT(work, text.size());
  for (int webhook = 0; webhook < 2'000; ++webhook) {
    EXPECT_TRUE(wanted->wants(facts));
    EXPECT_FALSE(unwanted->wants(facts));
  }
  EXPECT_EQ(facts.work(), work);
  EXPECT_EQ(facts.teams().size(), 500u) << "each once";
}

TEST(FilterRule, WantsNoBranchThatIsLongerThanABranchCanBe) {
  Event event;
  event.branch = std::string(BranchPatterns::branch_bytes_max + 1, 'a');
  EXPECT_FALSE(event.passes({.branches = "*"}));
  EXPECT_FALSE(event.passes({.branches = "!main"}));
  EXPECT_TRUE(event.passes({.clusters = {"c-data"}})) << "not asked for";
}

}  // namespace
}  // namespace ringpost::subscription
