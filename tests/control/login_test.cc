// Goal: only the right password of a configured user gives a token; nobody learns who has an
// account, and guessing is slow. Method: a login whose hashes are readable, with an in-memory
// store.

#include "control/login.h"

#include "control/store/store.h"
#include "control_fakes.h"
#include "crypto/digest.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using testing::at;

class LoginTest : public ::testing::Test {
 protected:
  using Outcome = std::variant<Login::Granted, Login::Refused, Login::Throttled, Error>;

  Outcome attempt(const std::string& email, const std::string& password,
                  const std::string& peer = "192.0.2.1:7") {
    return login_.attempt({.email = email,
                           .password = password,
                           .peer = *io::Address::parse(peer),
                           .wall_now = at(clock_),
                           .now = Instant{std::chrono::seconds(clock_)}});
  }
  Outcome refresh(const std::string& token, const std::string& peer = "192.0.2.1:7") {
    table_.publish();
    return login_.refresh({.token = token,
                           .peer = *io::Address::parse(peer),
                           .wall_now = at(clock_),
                           .now = Instant{std::chrono::seconds(clock_)}});
  }
  Login::Granted logged_in() {
    const auto outcome = attempt_slowly("ann@example.org", "ann");
    EXPECT_TRUE(std::holds_alternative<Login::Granted>(outcome));
    return std::get<Login::Granted>(outcome);
  }
  /// What the authenticator asks.
  const subscription::Token* in_force(const std::string& text) {
    table_.publish();
    return table_.current().token(crypto::sha256(as_bytes(text)));
  }
  bool refused(const std::string& token) {
    clock_ += 100;
    return std::holds_alternative<Login::Refused>(refresh(token));
  }
  void set_users(const std::string& hash_of_ann) {
    std::vector<LoginUser> users;
    if (!hash_of_ann.empty()) {
      users.push_back({.email = "ann@example.org", .scrypt_text = hash_of_ann, .scopes = 32});
    }
    login_.set_users(std::move(users));
  }
  /// Each from a source of its own, and slowly.
  Outcome attempt_slowly(const std::string& email, const std::string& password) {
    clock_ += 100;
    return attempt(email, password);
  }
  std::vector<const subscription::Token*> tokens(const std::string& organization) {
    return registry_.list(organization, {}, 1000, [](const auto&) { return true; });
  }
  std::vector<std::string> operations(const std::string& organization) {
    std::vector<std::string> names;
    const auto entries = store_->audit().list(
        {.organization = organization, .since = {}, .until = {}, .before = {}, .limit = 1000});
    for (const AuditEntry& entry : *entries) names.push_back(entry.operation);
    return names;
  }

  std::unique_ptr<Store> store_ =
      Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store;
  subscription::SubscriptionTable table_{0, HashKey{}};
  Prng random_{3};
  TokenRegistry registry_{*store_, table_};
  Audit audit_{*store_, random_};
  int64_t clock_ = 1000;
  std::vector<std::string> verified_;  // Which hashes were looked at.
  Counters counters_;
  PasswordGate passwords_{random_, counters_, [this](PasswordWanted&& wanted) {
                            verified_.push_back(wanted.text);
                            return PasswordVerdict{
                                .text = wanted.text,
                                .right = "hash of " + wanted.password == wanted.text,
                                .next_text = {}};
                          }};
  Login login_{{registry_, audit_, random_, passwords_},
               {{.email = "ann@example.org", .scrypt_text = "hash of ann", .scopes = 32},
                {.email = "Bob@Example.org",
                 .scrypt_text = "hash of bob",
                 .organization = "acme",
                 .scopes = 2}}};
};

TEST_F(LoginTest, ExchangesAPasswordForATokenOfADay) {
  const auto outcome = attempt("bob@example.org", "bob");
  const auto* granted = std::get_if<Login::Granted>(&outcome);
  ASSERT_NE(granted, nullptr);
  EXPECT_TRUE(granted->token.starts_with("rp_"));
  EXPECT_EQ(granted->expires_at, at(clock_) + std::chrono::hours(24));
  table_.publish();
  const auto* token = table_.current().token(crypto::sha256(as_bytes(granted->token)));
  ASSERT_NE(token, nullptr);
  EXPECT_EQ(token->name, "login Bob@Example.org");
  EXPECT_EQ(token->organization, "acme");
  EXPECT_EQ(token->scopes, 2);
  EXPECT_EQ(token->expires_at, granted->expires_at);
  EXPECT_EQ(operations("acme"), std::vector<std::string>{"token.create"});
}

TEST_F(LoginTest, RefusesStrangersAndWrongPasswordsAlikeAndAfterAsMuchWork) {
  for (const auto& [email, password] :
       std::vector<std::pair<std::string, std::string>>{{"ann@example.org", "bob"},
                                                        {"ann@example.org", ""},
                                                        {"ann@example.org", std::string(2000, 'x')},
                                                        {"nobody@example.org", "ann"},
                                                        {"nobody@example.org", "bob"},
                                                        {"", ""},
                                                        {"ann@example.org ", "ann"}}) {
    verified_.clear();
    EXPECT_TRUE(std::holds_alternative<Login::Refused>(attempt_slowly(email, password))) << email;
    EXPECT_EQ(verified_.size(), 1u) << email;
  }
  EXPECT_TRUE(tokens("default").empty());
  EXPECT_TRUE(operations("default").empty());
}

TEST_F(LoginTest, TakesFiveFailuresAMinuteOfOneUserFromOneSource) {
  for (const char* email : {"ann@example.org", "nobody@example.org"}) {
    clock_ += 1000;
    for (int count = 0; count < 5; ++count) {
      clock_ += 1;
      EXPECT_TRUE(std::holds_alternative<Login::Refused>(attempt(email, "x"))) << count;
    }
    verified_.clear();
    const auto throttled = attempt(email, "ann");
    ASSERT_TRUE(std::holds_alternative<Login::Throttled>(throttled));
    EXPECT_EQ(std::get<Login::Throttled>(throttled).retry_after_s, 8u);
    EXPECT_TRUE(verified_.empty()) << "a throttled attempt costs nothing";
    EXPECT_TRUE(std::holds_alternative<Login::Throttled>(attempt("ANN@example.org", "x")));
  }
  clock_ += 60;
  EXPECT_TRUE(std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann")));
}

TEST_F(LoginTest, DoesNotLockAUserOutForAStrangersFailures) {
  for (int count = 0; count < 5; ++count) {
    clock_ += 1;
    attempt("ann@example.org", "x", "192.0.2.66:1");
  }
  EXPECT_TRUE(
      std::holds_alternative<Login::Throttled>(attempt("ann@example.org", "ann", "192.0.2.66:1")));
  EXPECT_TRUE(
      std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann", "192.0.2.1:7")));
}

// Beyond the wider limit a source without failures has its one try, and so has one from which the
// user has logged in; one that has failed waits. It is the same for a user who does not exist.
TEST_F(LoginTest, HoldsBackWhoFailsWhenAUserIsGuessedFromManySources) {
  ASSERT_TRUE(
      std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann", "198.51.100.1:1")));
  for (const std::string email : {"ann@example.org", "nobody@example.org"}) {
    clock_ += 1000;
    for (uint32_t count = 0; count < 2 * PasswordGate::user_failures_per_minute; ++count) {
      if (count % 2 == 0) clock_ += 1;
      attempt(email, "x", "192.0.2." + std::to_string(count) + ":1");
    }
    clock_ += 1;
    attempt(email, "x", "192.0.2.59:1");  // Whichever has failed may try every other second.
    verified_.clear();
    EXPECT_TRUE(std::holds_alternative<Login::Throttled>(attempt(email, "ann", "192.0.2.58:1")));
    EXPECT_TRUE(verified_.empty());
    EXPECT_TRUE(std::holds_alternative<Login::Refused>(attempt(email, "x", "198.51.100.9:1")))
        << "no failures: its first try";
    EXPECT_TRUE(std::holds_alternative<Login::Throttled>(attempt(email, "x", "198.51.100.9:1")));
  }
  clock_ += 60;
  for (uint32_t count = 0; count < 2 * PasswordGate::user_failures_per_minute; ++count) {
    if (count % 2 == 0) clock_ += 1;
    attempt("ann@example.org", "x", "192.0.2." + std::to_string(count) + ":1");
  }
  clock_ += 1;
  EXPECT_TRUE(std::holds_alternative<Login::Refused>(
      attempt("ann@example.org", "mistyped", "198.51.100.1:1")));
  EXPECT_TRUE(
      std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann", "198.51.100.1:1")))
      << "failed a moment ago, but has been here before";
}

TEST_F(LoginTest, KeepsVerificationsForWhereAUserHasBeenBefore) {
  ASSERT_TRUE(
      std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann", "198.51.100.1:1")));
  clock_ += 10;
  for (int count = 0; count < 50; ++count) {
    attempt("user" + std::to_string(count), "x", "192.0.2." + std::to_string(count) + ":1");
  }
  EXPECT_TRUE(std::holds_alternative<Login::Throttled>(
      attempt("bob@example.org", "bob", "198.51.100.1:1")));
  EXPECT_TRUE(
      std::holds_alternative<Login::Granted>(attempt("Ann@example.org", "ann", "198.51.100.1:1")));
}

TEST_F(LoginTest, RemembersThirtyTwoSourcesOfAUser) {
  ASSERT_TRUE(
      std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann", "198.51.100.1:1")));
  for (size_t count = 0; count < PasswordGate::known_sources_max; ++count) {
    clock_ += 1;
    attempt("ann@example.org", "ann", "203.0.113." + std::to_string(count) + ":1");
  }
  clock_ += 10;
  for (int count = 0; count < 50; ++count) {
    attempt("user" + std::to_string(count), "x", "192.0.2." + std::to_string(count) + ":1");
  }
  EXPECT_TRUE(std::holds_alternative<Login::Throttled>(
      attempt("ann@example.org", "ann", "198.51.100.1:1")));
  EXPECT_TRUE(
      std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann", "203.0.113.0:1")));
}

TEST_F(LoginTest, TakesFiveFailuresAMinuteFromOneSourceForWhomever) {
  for (int count = 0; count < 5; ++count) {
    clock_ += 1;
    attempt("user" + std::to_string(count), "x", "[2001:db8::" + std::to_string(count) + "]:1");
  }
  EXPECT_TRUE(std::holds_alternative<Login::Throttled>(
      attempt("ann@example.org", "ann", "[2001:db8::99]:1")));
  EXPECT_TRUE(
      std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann", "192.0.2.1:1")));
}

TEST_F(LoginTest, VerifiesTwiceASecondAtMost) {
  int verified = 0;
  int throttled = 0;
  for (int count = 0; count < 50; ++count) {
    const auto outcome =
        attempt("user" + std::to_string(count), "x", "192.0.2." + std::to_string(count) + ":1");
    (std::holds_alternative<Login::Throttled>(outcome) ? throttled : verified) += 1;
  }
  EXPECT_EQ(verified, 2);
  EXPECT_EQ(throttled, 48);
  EXPECT_EQ(verified_.size(), 2u);
  clock_ += 1;
  EXPECT_TRUE(std::holds_alternative<Login::Granted>(attempt("ann@example.org", "ann")));
}

TEST_F(LoginTest, ExchangesARefreshTokenOnceForAFreshPair) {
  const Login::Granted first = logged_in();
  EXPECT_TRUE(first.refresh_token.starts_with("rp_"));
  EXPECT_NE(first.refresh_token, first.token);
  clock_ += 3600;
  const auto outcome = refresh(first.refresh_token);
  ASSERT_TRUE(std::holds_alternative<Login::Granted>(outcome));
  const auto& second = std::get<Login::Granted>(outcome);
  EXPECT_EQ(second.expires_at, at(clock_) + std::chrono::hours(24));
  EXPECT_EQ(in_force(first.token), nullptr);
  ASSERT_NE(in_force(second.token), nullptr);
  EXPECT_EQ(in_force(second.token)->name, "login ann@example.org");
  EXPECT_EQ(in_force(second.token)->scopes, 32);
  EXPECT_TRUE(refused(first.refresh_token)) << "used up";
  EXPECT_EQ(tokens("default").size(), 2u);
  EXPECT_TRUE(std::holds_alternative<Login::Granted>(refresh(second.refresh_token)));
}

// Its text is nowhere: not in the store, and not as a token that opens anything.
TEST_F(LoginTest, ARefreshTokenOpensNothingByItself) {
  const Login::Granted granted = logged_in();
  EXPECT_EQ(in_force(granted.refresh_token), nullptr);
  for (const auto* token : tokens("default")) {
    EXPECT_FALSE(token->has_hash(crypto::sha256(as_bytes(granted.refresh_token))));
  }
  EXPECT_TRUE(refused(granted.token)) << "a token to work with is none to refresh";
  EXPECT_TRUE(refused(""));
}

TEST_F(LoginTest, ARefreshTokenLivesForThirtyDays) {
  const Login::Granted granted = logged_in();
  const int64_t month_s = 30 * 24 * 3600;
  clock_ += month_s - 1;
  ASSERT_TRUE(registry_.remove_expired(at(clock_)));  // The token beside it, after its day.
  EXPECT_EQ(tokens("default").size(), 1u);
  const auto outcome = refresh(granted.refresh_token);
  ASSERT_TRUE(std::holds_alternative<Login::Granted>(outcome));
  clock_ += month_s;
  EXPECT_TRUE(refused(std::get<Login::Granted>(outcome).refresh_token));
}

TEST_F(LoginTest, ARefreshTokenEndsWithItsUserAndItsPassword) {
  const Login::Granted granted = logged_in();
  set_users("hash of another");
  EXPECT_TRUE(refused(granted.refresh_token));
  set_users("");
  EXPECT_TRUE(refused(granted.refresh_token));
  set_users("hash of ann");
  EXPECT_TRUE(std::holds_alternative<Login::Granted>(refresh(granted.refresh_token)));
}

TEST_F(LoginTest, ARefreshTokenEndsWithTheTokenBesideIt) {
  const Login::Granted granted = logged_in();
  ASSERT_TRUE(registry_.remove(in_force(granted.token)->id));
  EXPECT_TRUE(tokens("default").empty());
  EXPECT_TRUE(refused(granted.refresh_token));
}

TEST_F(LoginTest, ThrottlesRefreshes) {
  for (int count = 0; count < 5; ++count) {
    EXPECT_TRUE(std::holds_alternative<Login::Refused>(refresh("rp_guess"))) << count;
  }
  EXPECT_TRUE(std::holds_alternative<Login::Throttled>(refresh("rp_guess")));
  EXPECT_TRUE(std::holds_alternative<Login::Refused>(refresh("rp_guess", "198.51.100.1:1")));
  Login::Granted granted = logged_in();
  for (uint32_t count = 0; count < Login::refreshes_per_minute; ++count) {
    auto outcome = refresh(granted.refresh_token, "203.0.113.1:1");
    ASSERT_TRUE(std::holds_alternative<Login::Granted>(outcome)) << count;
    granted = std::get<Login::Granted>(outcome);
  }
  EXPECT_TRUE(
      std::holds_alternative<Login::Throttled>(refresh(granted.refresh_token, "203.0.113.1:1")));
}

TEST_F(LoginTest, KeepsTwentyLoginsOfAUserAndForgetsTheOldest) {
  std::vector<std::string> texts;
  for (size_t count = 0; count < Login::logins_per_user_max + 2; ++count) {
    const auto outcome = attempt_slowly("ann@example.org", "ann");
    ASSERT_TRUE(std::holds_alternative<Login::Granted>(outcome));
    texts.push_back(std::get<Login::Granted>(outcome).token);
  }
  attempt_slowly("bob@example.org", "bob");
  table_.publish();
  const auto known = [&](const std::string& text) {
    return table_.current().token(crypto::sha256(as_bytes(text))) != nullptr;
  };
  EXPECT_FALSE(known(texts[0]));
  EXPECT_FALSE(known(texts[1]));
  EXPECT_TRUE(known(texts[2]));
  EXPECT_TRUE(known(texts.back()));
  EXPECT_EQ(tokens("default").size(), 2 * Login::logins_per_user_max);
  EXPECT_EQ(tokens("acme").size(), 2u);
  EXPECT_EQ(operations("default").front(), "token.delete");
}

TEST_F(LoginTest, RefusesEverybodyWhereNobodyIsConfigured) {
  Login empty({registry_, audit_, random_, passwords_}, {});
  const io::Address peer = *io::Address::parse("192.0.2.1:1");
  EXPECT_TRUE(std::holds_alternative<Login::Refused>(
      empty.attempt({.email = "ann@example.org", .password = "ann", .peer = peer})));
  EXPECT_TRUE(verified_.empty());
}

}  // namespace
}  // namespace ringpost::control
