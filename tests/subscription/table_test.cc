#include "subscription/table.h"

#include "base/prng.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace ringpost::subscription {
namespace {

constexpr HashKey secret{0x0123456789abcdef, 0xfedcba9876543210};

Webhook webhook(uint32_t number, std::vector<std::string> sources = {"*"},
                std::vector<std::string> events = {"*"}) {
  Webhook made;
  made.number = number;
  made.sources = std::move(sources);
  made.events = std::move(events);
  return made;
}

Token token(uint32_t number, uint8_t first_byte) {
  Token made;
  made.number = number;
  made.sha256[0] = first_byte;
  made.sha256[31] = 7;
  return made;
}

std::vector<uint32_t> matches(const Snapshot& snapshot, const EventKey& key) {
  std::vector<const Webhook*> found;
  snapshot.match(key, found);
  std::vector<uint32_t> numbers;
  for (const Webhook* one : found) numbers.push_back(one->number);
  return numbers;
}

std::vector<uint32_t> matches(const SubscriptionTable& table, std::string_view source,
                              std::string_view type = "t") {
  return matches(table.current(), {.organization = "default", .source = source, .type = type});
}

using Numbers = std::vector<uint32_t>;

TEST(SubscriptionTable, FindsExactSourcesKindsAndWholeOrganizations) {
  SubscriptionTable table(0, secret);
  table.put(webhook(1, {"app/x"}));
  table.put(webhook(2, {"app/*"}));
  table.put(webhook(3));
  table.put(webhook(4, {"pipeline/x"}));
  table.put(webhook(5, {"resource/*"}));
  EXPECT_TRUE(matches(table, "app/x").empty()) << "nothing is visible before publish";
  EXPECT_EQ(table.publish(), 1u);
  EXPECT_EQ(matches(table, "app/x"), (Numbers{1, 2, 3}));
  EXPECT_EQ(matches(table, "app/y"), (Numbers{2, 3}));
  EXPECT_EQ(matches(table, "app"), (Numbers{3}));
  EXPECT_EQ(matches(table, "pipeline/x"), (Numbers{3, 4}));
  EXPECT_EQ(matches(table, "resource/server/7"), (Numbers{3, 5}));
  EXPECT_EQ(matches(table, ""), (Numbers{3}));
}

TEST(SubscriptionTable, NeverCrossesOrganizations) {
  SubscriptionTable table(0, secret);
  Webhook other = webhook(1, {"*", "app/*", "app/x"});
  other.organization = "other";
  table.put(other);
  table.put(webhook(2, {"app/x"}));
  table.publish();
  EXPECT_EQ(matches(table, "app/x"), (Numbers{2}));
  const Snapshot& snapshot = table.current();
  EXPECT_EQ(matches(snapshot, {"other", "app/x", "t"}), (Numbers{1}));
  EXPECT_TRUE(matches(snapshot, {"", "app/x", "t"}).empty());
  EXPECT_TRUE(matches(snapshot, {"othe", "rapp/x", "t"}).empty());
}

TEST(SubscriptionTable, MatchesAWebhookOnceHoweverOftenItSubscribed) {
  SubscriptionTable table(0, secret);
  table.put(webhook(7, {"*", "app/x", "app/*", "app/x"}, {"*", "t", "t"}));
  table.put(webhook(3, {"app/*", "app/x"}));
  table.put(webhook(9, {"app/x"}));
  table.put(webhook(1, {"*", "app/x"}));
  table.publish();
  EXPECT_EQ(matches(table, "app/x"), (Numbers{1, 3, 7, 9}));
  EXPECT_EQ(matches(table, "app/*"), (Numbers{1, 3, 7})) << "a source may look like a pattern";
  EXPECT_EQ(matches(table, "*"), (Numbers{1, 7}));
}

TEST(SubscriptionTable, AppendsToWhatIsThere) {
  SubscriptionTable table(0, secret);
  table.put(webhook(1));
  table.publish();
  std::vector<const Webhook*> found{nullptr};
  table.current().match({"default", "x", "t"}, found);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1]->number, 1u);
}

TEST(SubscriptionTable, PassesOverTypesThatAWebhookDoesNotWant) {
  SubscriptionTable table(0, secret);
  table.put(webhook(1, {"*"}, {"build/finished"}));
  table.put(webhook(2, {"*"}, {"build/*"}));
  table.put(webhook(3, {"*"}, {"build.*", "deploy/done"}));
  table.put(webhook(4, {"*"}, {}));
  table.publish();
  EXPECT_EQ(matches(table, "s", "build/finished"), (Numbers{1, 2}));
  EXPECT_EQ(matches(table, "s", "build/started"), (Numbers{2}));
  EXPECT_EQ(matches(table, "s", "build.started"), (Numbers{3}));
  EXPECT_EQ(matches(table, "s", "deploy/done"), (Numbers{3}));
  EXPECT_TRUE(matches(table, "s", "").empty());
}

TEST(SubscriptionTable, FindsWebhooksThatNameACdeventWithoutItsVersion) {
  const std::string finished = "dev.cdevents.pipelinerun.finished";
  // Each secret spreads the types over other bits of the rows' filters.
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SubscriptionTable table(0, {seed, ~seed});
    table.put(webhook(1, {"*"}, {finished}));
    table.put(webhook(2, {"app/*"}, {finished + ".0.2.0"}));
    table.put(webhook(3, {"app/x"}, {"dev.cdevents.pipelinerun.*"}));
    table.put(webhook(4, {"*"}, {"dev.cdevents.*"}));
    table.put(webhook(5, {"*"}, {"dev.cdevents.pipelinerun.started", finished + ".0.1.0"}));
    table.put(webhook(6, {"*"}, {"build/finished"}));
    table.publish();
    EXPECT_EQ(matches(table, "app/x", finished + ".0.2.0"), (Numbers{1, 2, 3, 4}));
    EXPECT_EQ(matches(table, "app/x", finished + ".0.1.0"), (Numbers{1, 3, 4, 5}));
    EXPECT_EQ(matches(table, "app/x", finished + ".1.0.0-draft"), (Numbers{1, 3, 4}));
    EXPECT_EQ(matches(table, "app/x", finished), (Numbers{1, 3, 4}));
    EXPECT_EQ(matches(table, "app/x", "build/finished"), (Numbers{6}));
    EXPECT_EQ(matches(table, "app/x", "build/finished.0.2.0"), Numbers{});
  }
}

TEST(SubscriptionTable, MatchesOnlyActiveWebhooksButKnowsTheOthersByNumber) {
  SubscriptionTable table(0, secret);
  Webhook changing = webhook(1, {"*", "app/x"});
  for (const WebhookState state :
       {WebhookState::active, WebhookState::disabled, WebhookState::active, WebhookState::broken}) {
    changing.state = state;
    table.put(changing);
    table.publish();
    EXPECT_EQ(matches(table, "app/x").size(), changing.active() ? 1u : 0u) << name(state);
    ASSERT_NE(table.current().webhook(1), nullptr);
    EXPECT_EQ(table.current().webhook(1)->state, state);
  }
}

TEST(SubscriptionTable, MatchesNothingForTextsBeyondTheLimits) {
  SubscriptionTable table(0, secret);
  table.put(webhook(1));
  table.put(webhook(2, {"app/*"}, {"build/*"}));
  table.publish();
  const std::string long_name(100'000, 'a');
  const Snapshot& snapshot = table.current();
  EXPECT_TRUE(matches(snapshot, {long_name, "s", "t"}).empty());
  EXPECT_EQ(matches(snapshot, {"default", long_name, "t"}), (Numbers{1}));
  EXPECT_EQ(matches(snapshot, {"default", long_name + "/x", "t"}), (Numbers{1}));
  EXPECT_EQ(matches(snapshot, {"default", "app/" + long_name, "build/" + long_name}),
            (Numbers{1, 2}));
  const std::string kind(255, 'k');
  EXPECT_EQ(matches(snapshot, {"default", kind + "/", "t"}), (Numbers{1}));
}

TEST(SubscriptionTable, ReplacesAndRemovesByNumber) {
  SubscriptionTable table(0, secret);
  table.put(webhook(1, {"a"}));
  table.put(webhook(2, {"a"}));
  table.publish();
  table.put(webhook(1, {"b"}));
  table.publish();
  EXPECT_EQ(matches(table, "a"), (Numbers{2}));
  EXPECT_EQ(matches(table, "b"), (Numbers{1}));
  table.remove(1);
  EXPECT_EQ(matches(table, "b"), (Numbers{1})) << "removed only with the next publish";
  table.publish();
  EXPECT_TRUE(matches(table, "b").empty());
  EXPECT_EQ(table.current().webhook(1), nullptr);
  EXPECT_EQ(table.stats().webhooks, 1u);
}

TEST(SubscriptionTable, TakesTheLastOfSeveralChangesBetweenPublishes) {
  SubscriptionTable table(0, secret);
  table.put(webhook(1, {"a"}));
  table.remove(1);
  table.put(webhook(1, {"b"}));
  table.put(webhook(2, {"b"}));
  table.remove(2);
  table.publish();
  EXPECT_TRUE(matches(table, "a").empty());
  EXPECT_EQ(matches(table, "b"), (Numbers{1}));
  EXPECT_EQ(table.stats().webhooks, 1u);
}

TEST(SubscriptionTable, PublishesNoVersionWithoutAChange) {
  SubscriptionTable table(0, secret);
  EXPECT_EQ(table.publish(), 0u);
  table.remove(17);
  table.remove_token(17);
  EXPECT_EQ(table.publish(), 0u);
  table.put(webhook(1));
  EXPECT_EQ(table.publish(), 1u);
  EXPECT_EQ(table.publish(), 1u);
}

GitSource git_source(uint32_t number, uint8_t first_byte) {
  GitSource source;
  source.number = number;
  source.sha256 = token(number, first_byte).sha256;
  return source;
}

TEST(SubscriptionTable, FindsGitSourcesByTheirHashAlone) {
  SubscriptionTable table{0, {1, 2}};
  table.put_git_source(git_source(1, 0xAA));
  table.put_git_source(git_source(2, 0xAB));
  EXPECT_EQ(table.current().git_source(git_source(0, 0xAA).sha256), nullptr) << "not published";
  table.publish();
  ASSERT_NE(table.current().git_source(git_source(0, 0xAA).sha256), nullptr);
  EXPECT_EQ(table.current().git_source(git_source(0, 0xAA).sha256)->number, 1u);
  EXPECT_EQ(table.current().token(git_source(0, 0xAA).sha256), nullptr) << "it is no token";
  auto near = git_source(0, 0xAA).sha256;  // The same place, another hash.
  near.back() ^= 1;
  EXPECT_EQ(table.current().git_source(near), nullptr);
  GitSource changed = git_source(1, 0xAA);
  changed.enabled = false;
  table.put_git_source(changed);
  table.remove_git_source(2);
  table.publish();
  EXPECT_FALSE(table.current().git_source(changed.sha256)->enabled);
  EXPECT_EQ(table.current().git_source(git_source(0, 0xAB).sha256), nullptr);
  table.remove_git_source(1);
  table.publish();
  table.reclaim();
  EXPECT_EQ(table.stats().blocks_retired, 0u);
}

TEST(SubscriptionTable, FindsTokensByTheirHash) {
  SubscriptionTable table(0, secret);
  table.put_token(token(1, 0xAA));
  table.put_token(token(2, 0xAB));
  table.publish();
  ASSERT_NE(table.current().token(token(0, 0xAA).sha256), nullptr);
  EXPECT_EQ(table.current().token(token(0, 0xAA).sha256)->number, 1u);
  auto near = token(0, 0xAA).sha256;  // The same place, another hash.
  near[31] ^= 1;
  EXPECT_EQ(table.current().token(near), nullptr);
  table.put_token(token(1, 0xBB));  // Rotated.
  table.publish();
  EXPECT_EQ(table.current().token(token(0, 0xAA).sha256), nullptr);
  EXPECT_EQ(table.current().token(token(0, 0xBB).sha256)->number, 1u);
  table.remove_token(1);
  table.publish();
  EXPECT_EQ(table.current().token(token(0, 0xBB).sha256), nullptr);
  EXPECT_EQ(table.stats().tokens, 1u);
}

TEST(SubscriptionTable, HoldsOneBlockWhenEmptyAndAgainAfterEverythingIsRemoved) {
  SubscriptionTable table(0, secret);
  EXPECT_EQ(table.stats().blocks_live, 1u);
  for (uint32_t number = 1; number <= 1000; ++number) {
    table.put(webhook(number, {"app/" + std::to_string(number), "*"}));
    table.put_token(token(number, static_cast<uint8_t>(number)));
  }
  table.publish();
  EXPECT_GT(table.stats().blocks_live, 3000u);
  for (uint32_t number = 1; number <= 1000; ++number) {
    table.remove(number);
    table.remove_token(number);
  }
  table.publish();
  const SubscriptionTable::Stats stats = table.stats();
  EXPECT_EQ(stats.webhooks, 0u);
  EXPECT_EQ(stats.tokens, 0u);
  EXPECT_EQ(stats.source_bytes, 0u);
  EXPECT_EQ(stats.blocks_retired, 0u);
  EXPECT_LE(stats.blocks_live, 1u + 3 * branch_count) << "empty branches may stay";
}

// Goal: the table agrees with the obvious implementation after any history.
// Method: random puts, removals and publishes over few names, so that they meet often; after each
// publish every lookup is compared with a scan of all webhooks through patterns.h.
struct Model {
  explicit Model(uint64_t seed) : random(seed), table(1, {seed, ~seed}) {}

  std::string pick(const std::vector<std::string>& from) { return from[random.below(from.size())]; }

  std::vector<std::string> picks(const std::vector<std::string>& from) {
    std::vector<std::string> picked(random.between(0, 3));
    for (std::string& one : picked) one = pick(from);
    return picked;
  }

  Webhook make(uint32_t number) {
    Webhook made = webhook(number, picks(sources), picks(events));
    made.organization = pick(organizations);
    made.state = random.chance(1, 5) ? WebhookState::disabled : WebhookState::active;
    made.description = std::to_string(random.next());
    return made;
  }

  void change() {
    const auto number = static_cast<uint32_t>(random.between(1, 40));
    if (random.chance(1, 3)) {
      expected.erase(number);
      table.remove(number);
    } else {
      expected[number] = make(number);
      table.put(expected[number]);
    }
  }

  Numbers scan(const EventKey& key) const {
    Numbers found;
    for (const auto& [number, one] : expected) {
      bool source = false;
      for (const std::string& pattern : one.sources) source |= source_matches(pattern, key.source);
      if (source && one.active() && one.organization == key.organization &&
          any_event_matches(one.events, key.type)) {
        found.push_back(number);
      }
    }
    return found;
  }

  void compare(const Snapshot& snapshot) const {
    for (const std::string& organization : organizations) {
      for (const std::string& source : sources) {
        for (const std::string& type : events) {
          const EventKey key{organization, source, type};
          ASSERT_EQ(matches(snapshot, key), scan(key))
              << organization << ' ' << source << ' ' << type;
        }
      }
    }
    for (uint32_t number = 1; number <= 40; ++number) {
      const auto one = expected.find(number);
      const Webhook* found = snapshot.webhook(number);
      ASSERT_EQ(found != nullptr, one != expected.end()) << number;
      if (found == nullptr) continue;
      ASSERT_EQ(found->description, one->second.description);
    }
    ASSERT_EQ(snapshot.webhook_count(), expected.size());
  }

  const std::vector<std::string> organizations{"default", "acme", ""};
  const std::vector<std::string> sources{
      "*",    "app/*",  "app/x", "app/y", "app", "res/*", "res/t/1", "res/t/long-name-of-a-thing-1",
      "pipe", "app/**", "app/"};
  const std::vector<std::string> events{"*",       "build/*",  "build/done", "build/start",
                                        "build.*", "build.ok", "x"};
  Prng random;
  SubscriptionTable table;
  std::map<uint32_t, Webhook> expected;
};

TEST(SubscriptionTable, AgreesWithAScanAfterAnyHistory) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(seed);
    SubscriptionTable::Reader& reader = model.table.reader(0);
    reader.online();
    for (int round = 0; round < 40; ++round) {
      for (uint64_t left = model.random.between(1, 12); left > 0; --left) model.change();
      model.table.publish();
      model.compare(reader.snapshot());
      if (testing::Test::HasFatalFailure()) return reader.offline();
      if (model.random.chance(1, 4)) reader.quiescent();
    }
    reader.offline();
    EXPECT_TRUE(model.table.reclaim());
  }
}

// Goal: large tables, where sub-tables hold many keys and every probe passes strangers.
TEST(SubscriptionTable, FindsEachOfManyKeysAndNoOther) {
  SubscriptionTable table(0, secret);
  constexpr uint32_t count = 20'000;
  for (uint32_t number = 1; number <= count; ++number) {
    table.put(webhook(number, {"app/" + std::to_string(number)}));
  }
  table.publish();
  for (uint32_t number = 1; number <= count; ++number) {
    ASSERT_EQ(matches(table, "app/" + std::to_string(number)), (Numbers{number}));
    ASSERT_TRUE(matches(table, "apq/" + std::to_string(number)).empty());
    ASSERT_EQ(table.current().webhook(number)->number, number);
  }
  EXPECT_EQ(table.current().webhook(0), nullptr);
  EXPECT_EQ(table.current().webhook(count + 1), nullptr);
  EXPECT_EQ(table.current().webhook(UINT32_MAX), nullptr);
}

}  // namespace
}  // namespace ringpost::subscription
