// Goal: work on passwords is bounded, and a verdict is good for the hash that it was asked of
// alone. Method: whoever works takes as long as the test likes. (How guesses are limited:
// login_test.cc.)

#include "control/password_gate.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using Outcome = PasswordGate::Outcome;

class PasswordGateTest : public ::testing::Test {
 protected:
  PasswordGate::Result attempt(std::optional<std::string_view> text, std::string_view user = "ann",
                               std::string_view organization = "default") {
    begin();
    return gate_.attempt({.user = user,
                          .organization = organization,
                          .signed_in = signed_in_,
                          .password = "typed",
                          .text = text,
                          .decoy = "decoy",
                          .next_password = "next",
                          .peer = peer_,
                          .now = Instant{clock_}});
  }
  PasswordGate::Result hash(std::string_view organization = "default", bool by_operator = true) {
    begin();
    return gate_.hash({.password = "new one",
                       .organization = organization,
                       .by_operator = by_operator,
                       .now = Instant{clock_}});
  }
  void begin() { gate_.begin(verdict_ ? &*verdict_ : nullptr, Instant{clock_}); }
  /// The oldest that waits is right, or not: the call is made again.
  void finish(std::string_view user = "ann", bool right = true,
              std::string_view organization = "default") {
    verdict_ = PasswordVerdict{.text = "mine", .right = right, .next_text = {}};
    attempt("mine", user, organization);
    verdict_.reset();
  }
  /// Has signed in from where attempts come from.
  void sign_in(std::string_view user, std::string_view organization = "default") {
    ASSERT_EQ(attempt("mine", user, organization).outcome, Outcome::working);
    finish(user, true, organization);
    clock_ += std::chrono::seconds(100);
  }
  void come_from(int number) {
    peer_ = *io::Address::parse("203.0.113." + std::to_string(number) + ":7");
  }
  /// Strangers, each from elsewhere, until one is refused. @returns how many were let in.
  uint32_t fill_with_strangers() {
    const io::Address before = peer_;
    uint32_t count = 0;
    for (int number = 1; number < 100; ++number) {
      clock_ += std::chrono::seconds(10);
      come_from(number);
      if (attempt(std::nullopt, "user" + std::to_string(number)).outcome != Outcome::working) break;
      ++count;
    }
    peer_ = before;
    return count;
  }

  Prng random_{1};
  Counters counters_;
  std::vector<PasswordWanted> wanted_;
  std::optional<PasswordVerdict> verdict_;  // Of the next call.
  Duration clock_ = std::chrono::seconds(1000);
  bool signed_in_ = false;
  io::Address peer_ = *io::Address::parse("192.0.2.1:7");
  PasswordGate gate_{random_, counters_, [this](PasswordWanted&& wanted) {
                       wanted_.push_back(std::move(wanted));
                       return std::optional<PasswordVerdict>{};
                     }};
};

TEST_F(PasswordGateTest, HoldsAPasswordAgainstTheUsersHashOrTheDecoy) {
  EXPECT_EQ(attempt("mine").outcome, Outcome::working);
  EXPECT_EQ(attempt(std::nullopt, "nobody").outcome, Outcome::working);
  ASSERT_EQ(wanted_.size(), 2u);
  EXPECT_EQ(wanted_[0].text, "mine");
  EXPECT_EQ(wanted_[0].password, "typed");
  EXPECT_EQ(wanted_[0].next_password, "next");
  EXPECT_EQ(wanted_[1].text, "decoy");
}

TEST_F(PasswordGateTest, TakesAVerdictOnTheHashThatItWasAskedOfAlone) {
  for (const auto& [text, right, expected] :
       std::vector<std::tuple<std::optional<std::string_view>, bool, Outcome>>{
           {"mine", true, Outcome::right},
           {"mine", false, Outcome::wrong},
           {"another", true, Outcome::wrong},
           {std::nullopt, true, Outcome::wrong}}) {
    clock_ += std::chrono::seconds(100);
    verdict_.reset();
    ASSERT_EQ(attempt("mine").outcome, Outcome::working);
    verdict_ = PasswordVerdict{.text = "mine", .right = right, .next_text = "hash of next"};
    const auto result = attempt(text);
    EXPECT_EQ(result.outcome, expected);
    EXPECT_EQ(result.next_text, expected == Outcome::right ? "hash of next" : "");
  }
  EXPECT_EQ(counters_.value(Counter::passwords_refused), 3u);
}

TEST_F(PasswordGateTest, KeepsPlacesFromStrangers) {
  sign_in("ann");
  sign_in("eve", "acme");
  EXPECT_EQ(fill_with_strangers(), PasswordGate::working_of_kind_max);
  EXPECT_EQ(attempt("mine").outcome, Outcome::working);
  EXPECT_EQ(attempt("mine", "eve", "acme").outcome, Outcome::working);
  EXPECT_EQ(hash().outcome, Outcome::working);
  EXPECT_EQ(hash("acme", false).outcome, Outcome::working);
}

TEST_F(PasswordGateTest, KeepsPlacesFromOneOrganization) {
  sign_in("ann");
  uint32_t made = 0;
  while (hash("acme", false).outcome == Outcome::working) ++made;
  EXPECT_EQ(made, PasswordGate::working_of_organization_max);
  EXPECT_EQ(hash("umbrella", false).outcome, Outcome::working);
  EXPECT_EQ(hash("initech", false).outcome, Outcome::throttled);
  EXPECT_EQ(hash().outcome, Outcome::working) << "an operator";
  EXPECT_EQ(attempt("mine").outcome, Outcome::working) << "who has been here before";
  EXPECT_EQ(attempt("mine", "bob").outcome, Outcome::working) << "nobody has asked yet";
}

TEST_F(PasswordGateTest, GivesAPlaceBackWithTheVerdict) {
  for (uint32_t count = 0; count < PasswordGate::working_of_kind_max; ++count) {
    ASSERT_EQ(hash().outcome, Outcome::working);
  }
  EXPECT_EQ(hash().outcome, Outcome::throttled);
  EXPECT_EQ(wanted_.size(), PasswordGate::working_of_kind_max);
  verdict_ = PasswordVerdict{.text = {}, .right = true, .next_text = "hash"};
  begin();  // The repeated call asks for nothing: what it was about is gone.
  verdict_.reset();
  EXPECT_EQ(hash().outcome, Outcome::working);
  EXPECT_EQ(hash().outcome, Outcome::throttled);
}

TEST_F(PasswordGateTest, MakesTenHashesForAnOrganizationAndThenTwoASecond) {
  uint32_t made = 0;
  for (int count = 0; count < 20; ++count) {
    if (hash("acme", false).outcome == Outcome::working) ++made;
    finish();
  }
  EXPECT_EQ(made, PasswordGate::hashes_at_once);
  EXPECT_EQ(hash("umbrella", false).outcome, Outcome::working);
  finish();
  clock_ += std::chrono::milliseconds(500);
  EXPECT_EQ(hash("acme", false).outcome, Outcome::working);
}

// Goal: where one takes a second, strangers have no more than a quarter of the time.
TEST_F(PasswordGateTest, LetsFewerStrangersInWhereOneTakesLong) {
  sign_in("ann");
  int strangers = 0;
  for (int second = 0; second < 200; ++second) {
    come_from(second);
    const std::string user = "user" + std::to_string(second);
    const bool works = attempt(std::nullopt, user).outcome == Outcome::working;
    clock_ += std::chrono::seconds(1);
    if (!works) continue;
    finish(user, false);
    if (second >= 100) ++strangers;
  }
  EXPECT_GE(strangers, 20);
  EXPECT_LE(strangers, 30);
}

// Goal: behind a NAT or a proxy, who has signed in there is not kept out by guesses at other names.
TEST_F(PasswordGateTest, LetsAKnownUserInBesideGuessesFromTheSameSource) {
  sign_in("ann");
  for (int count = 0; count < 30; ++count) {
    clock_ += std::chrono::milliseconds(100);
    if (attempt(std::nullopt, "nobody").outcome == Outcome::working) finish("nobody", false);
  }
  EXPECT_EQ(attempt("mine", "bob").outcome, Outcome::throttled) << "has not been here before";
  ASSERT_EQ(attempt("mine").outcome, Outcome::working);
  finish();
  for (int count = 0; count < 6; ++count) {
    clock_ += std::chrono::seconds(1);
    if (attempt("mine").outcome == Outcome::working) finish("ann", false);
  }
  EXPECT_EQ(attempt("mine").outcome, Outcome::throttled) << "guesses at her own name count";
}

TEST_F(PasswordGateTest, TakesNobodyWithASessionForAStranger) {
  EXPECT_EQ(fill_with_strangers(), PasswordGate::working_of_kind_max);
  EXPECT_EQ(attempt("mine").outcome, Outcome::throttled);
  signed_in_ = true;
  EXPECT_EQ(attempt("mine").outcome, Outcome::working);
}

}  // namespace
}  // namespace ringpost::control
