// Goal: nobody waits for another person's password. Method: whoever checks passwords takes as long
// as the test likes; meanwhile others ask.

#include "control_fixture.h"
#include "crypto/scrypt.h"

#include <deque>

namespace ringpost::control::testing {
namespace {

class PasswordsTest : public ControlTest, private PasswordChecks {
 protected:
  PasswordsTest() {
    set_users(crypto::PasswordHash::of("correct").to_text());
    control_ = std::make_unique<Control>(Control::Parts{.store = *store_,
                                                        .table = table_,
                                                        .journals = journals_,
                                                        .history = history_.index,
                                                        .post = post_,
                                                        .places = places_,
                                                        .counters = {&counters_[0], &counters_[1]},
                                                        .passwords = this},
                                         Control::Options{.settings = settings_});
    EXPECT_TRUE(control_->load());
    EXPECT_TRUE(control_->finish_recovery());
  }

  void set_users(const std::string& text) {
    settings_.users = {{.email = "ada@example.org", .scrypt_text = text, .scopes = 1}};
  }
  void log_in(const std::string& password) {
    send("POST", "/users/login", R"({"email":"ada@example.org","password":")" + password + R"("})",
         "");
  }
  /// The oldest password that waits is checked.
  void check_one() {
    ASSERT_FALSE(wanted_.empty());
    control_->on_password_checked(check_password(wanted_.front()), at(clock_), monotonic(clock_));
    wanted_.pop_front();
    settle();
  }
  uint16_t status() {
    const auto response = answered();
    return response ? response->status : 0;
  }

  Control::Settings settings_;
  std::deque<PasswordWanted> wanted_;

 private:
  void send(PasswordWanted&& wanted) override { wanted_.push_back(std::move(wanted)); }
  using ControlTest::send;
};

TEST_F(PasswordsTest, HoldUpNobodyElse) {
  log_in("correct");
  EXPECT_EQ(status(), 0);
  EXPECT_EQ(ask("GET", "/v1/webhooks").status, 200);
  EXPECT_EQ(ask("POST", "/v1/webhooks", R"({"url":"https://ci.example.org/in"})").status, 201);
  EXPECT_EQ(status(), 0);
  check_one();
  EXPECT_EQ(status(), 200);
}

TEST_F(PasswordsTest, AreEachAnsweredWithTheirVerdict) {
  log_in("wrong");
  log_in("correct");
  check_one();
  EXPECT_EQ(status(), 401);
  check_one();
  EXPECT_EQ(status(), 200);
}

// Goal: a verdict on a password that was changed meanwhile lets nobody in.
TEST_F(PasswordsTest, AreOfNoUseOnceTheyAreOthers) {
  log_in("correct");
  set_users(crypto::PasswordHash::of("another").to_text());
  control_->reconfigure(settings_);
  check_one();
  EXPECT_EQ(status(), 401);
}

TEST_F(PasswordsTest, WaitInABoundedNumber) {
  for (int second = 0; second < 20; ++second) {
    for (int index = 0; index < 4; ++index) log_in("correct");
    ++clock_;
  }
  EXPECT_EQ(wanted_.size(), Login::verifying_max);
  while (!wanted_.empty()) check_one();
}

}  // namespace
}  // namespace ringpost::control::testing
