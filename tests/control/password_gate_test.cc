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
  PasswordGate::Result attempt(std::optional<std::string_view> text,
                               std::string_view user = "ann") {
    gate_.begin(verdict_ ? &*verdict_ : nullptr);
    return gate_.attempt({.user = user,
                          .password = "typed",
                          .text = text,
                          .decoy = "decoy",
                          .next_password = "next",
                          .peer = peer_,
                          .now = Instant{std::chrono::seconds(clock_)}});
  }
  PasswordGate::Result hash() {
    gate_.begin(verdict_ ? &*verdict_ : nullptr);
    return gate_.hash("new one");
  }

  Prng random_{1};
  Counters counters_;
  std::vector<PasswordWanted> wanted_;
  std::optional<PasswordVerdict> verdict_;  // Of the next call.
  int64_t clock_ = 1000;
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
    clock_ += 100;
    verdict_.reset();
    ASSERT_EQ(attempt("mine").outcome, Outcome::working);
    verdict_ = PasswordVerdict{.text = "mine", .right = right, .next_text = "hash of next"};
    const auto result = attempt(text);
    EXPECT_EQ(result.outcome, expected);
    EXPECT_EQ(result.next_text, expected == Outcome::right ? "hash of next" : "");
  }
  EXPECT_EQ(counters_.value(Counter::passwords_refused), 3u);
}

TEST_F(PasswordGateTest, HasWorkForSixteenCallsAtMost) {
  for (uint32_t count = 0; count < PasswordGate::working_max; ++count) {
    ASSERT_EQ(hash().outcome, Outcome::working);
  }
  EXPECT_EQ(hash().outcome, Outcome::throttled);
  EXPECT_EQ(attempt("mine").outcome, Outcome::throttled);
  EXPECT_EQ(wanted_.size(), PasswordGate::working_max);
  verdict_ = PasswordVerdict{.right = true, .next_text = "hash"};
  gate_.begin(&*verdict_);  // The repeated call asks for nothing: what it was about is gone.
  verdict_.reset();
  EXPECT_EQ(hash().outcome, Outcome::working);
  EXPECT_EQ(hash().outcome, Outcome::throttled);
}

}  // namespace
}  // namespace ringpost::control
