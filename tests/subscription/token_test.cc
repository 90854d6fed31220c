#include "subscription/token.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::subscription {
namespace {

using Texts = std::vector<std::string>;

Token restricted_to(Texts sources) {
  Token token;
  token.sources = std::move(sources);
  return token;
}

TEST(Token, NamesOfScopesAreReadBack) {
  for (const Scope scope : all_scopes) EXPECT_EQ(parse_scope(name(scope)), scope);
  for (const char* text : {"", "Admin", "events", "events:write ", "events:read"}) {
    EXPECT_FALSE(parse_scope(text)) << text;
  }
}

// Goal: figures of all organizations are for tokens of the operators' organization alone.
TEST(Token, ReadsTheMetricsOfTheWholeRelayOrNone) {
  Token token;
  for (const Scope scope : all_scopes) {
    token.scopes = static_cast<uint8_t>(scope);
    EXPECT_EQ(token.may_read_metrics(), scope == Scope::metrics_read || scope == Scope::admin);
  }
  token.sources = {"*"};
  EXPECT_TRUE(token.may_read_metrics());
  token.sources = {"app/x"};
  EXPECT_FALSE(token.may_read_metrics());
  token.sources.clear();
  token.organization = "acme";
  EXPECT_FALSE(token.may_read_metrics());
}

TEST(Token, TouchesTheSourcesOfItsPatternsOnly) {
  struct Row {
    Texts sources;
    const char* source;
    bool may;
  };
  const Row rows[] = {
      {{}, "app/x", true},
      {{"*"}, "app/x", true},
      {{"app/x"}, "app/x", true},
      {{"app/x"}, "app/xy", false},
      {{"app/x"}, "app", false},
      {{"app/x"}, "App/x", false},
      {{"app/*"}, "app/x", true},
      {{"app/*"}, "app/x/y", true},
      {{"app/*"}, "app", false},
      {{"app/*"}, "apple/x", false},
      {{"app/*"}, "other/app/x", false},
      {{"pipeline/1", "app/*"}, "app/x", true},
      {{"pipeline/1", "app/*"}, "pipeline/2", false},
      {{"pipeline/1", "*"}, "resource/server/7", true},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(restricted_to(row.sources).may_touch(row.source), row.may)
        << testing::PrintToString(row.sources) << " " << row.source;
  }
}

TEST(Token, CoversPatternsThatStandForNothingElse) {
  struct Row {
    Texts sources;
    Texts patterns;
    bool covered;
  };
  const Row rows[] = {
      {{}, {}, true},
      {{}, {"*"}, true},
      {{}, {"app/x"}, true},
      {{"*"}, {"*"}, true},
      {{"*"}, {}, true},
      {{"app/x", "*"}, {"pipeline/*"}, true},
      {{"app/*"}, {}, false},  // Nothing named: everything meant.
      {{"app/*"}, {"*"}, false},
      {{"app/*"}, {"app/*"}, true},
      {{"app/*"}, {"app/x", "app/y"}, true},
      {{"app/*"}, {"app/x", "pipeline/y"}, false},
      {{"app/*"}, {"apple/*"}, false},
      {{"app/x"}, {"app/*"}, false},
      {{"app/x"}, {"app/x"}, true},
      {{"app/x", "app/y"}, {"app/x", "app/y"}, true},
      {{"app/x", "app/y"}, {"app/x", "app/z"}, false},
      {{"resource/*"}, {"resource/server/7"}, true},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(restricted_to(row.sources).covers(row.patterns), row.covered)
        << testing::PrintToString(row.sources) << " " << testing::PrintToString(row.patterns);
  }
}

TEST(Token, GivesOnlyWhatItHas) {
  const auto bits = [](auto... scopes) {
    return static_cast<uint8_t>((0 | ... | static_cast<int>(scopes)));
  };
  Token token;
  token.scopes = bits(Scope::events_write, Scope::webhooks_read);
  EXPECT_TRUE(token.may_give(0));
  EXPECT_TRUE(token.may_give(bits(Scope::webhooks_read)));
  EXPECT_FALSE(token.may_give(bits(Scope::webhooks_read, Scope::webhooks_write)));
  EXPECT_FALSE(token.may_give(bits(Scope::admin)));
  token.scopes = bits(Scope::admin);
  EXPECT_TRUE(token.may_give(bits(Scope::webhooks_write, Scope::admin)));
}

TEST(Token, ExpiresAtItsInstant) {
  Token token;
  EXPECT_FALSE(token.expired(WallTime::max()));
  token.expires_at = from_unix_ns(100);
  EXPECT_FALSE(token.expired(from_unix_ns(99)));
  EXPECT_TRUE(token.expired(from_unix_ns(100)));
}

TEST(Token, OperatesTheRelayAsAnUnrestrictedAdminOfTheFirstOrganization) {
  Token token;
  EXPECT_FALSE(token.is_operator());
  token.scopes = static_cast<uint8_t>(Scope::admin);
  EXPECT_TRUE(token.is_operator());
  token.sources = {"app/*"};
  EXPECT_FALSE(token.is_operator());
  token.sources = {"app/*", "*"};
  EXPECT_TRUE(token.is_operator());
  token.organization = "acme";
  EXPECT_FALSE(token.is_operator());
}

TEST(Token, KnowsItsHashByEveryByte) {
  Token token;
  for (size_t index = 0; index < token.sha256.size(); ++index) {
    token.sha256[index] = static_cast<uint8_t>(index * 7);
  }
  EXPECT_TRUE(token.has_hash(token.sha256));
  for (size_t index = 0; index < token.sha256.size(); ++index) {
    auto other = token.sha256;
    other[index] ^= 0x80;
    EXPECT_FALSE(token.has_hash(other)) << index;
  }
}

}  // namespace
}  // namespace ringpost::subscription
