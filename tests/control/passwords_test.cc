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
  void create(const std::string& name) {
    send("POST", "/v1/users",
         R"({"name": ")" + name +
             R"(", "password": "correct horse battery", "scopes": ["webhooks:read"]})",
         "admin-token");
    control_->flush();
  }
  void sign_in(const std::string& name) {
    send("POST", "/v1/session/sign-in",
         R"({"name": ")" + name + R"(", "password": "correct horse battery"})", "");
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

// Goal: what a call was to do is looked at again once its hash is there, and nothing of it stays.
TEST_F(PasswordsTest, AreHashedWhileOthersAreAnswered) {
  create("ann");
  create("ann");
  EXPECT_EQ(status(), 0);
  EXPECT_EQ(ask("GET", "/v1/users").body.find("ann"), std::string::npos);
  check_one();
  EXPECT_EQ(status(), 201);
  check_one();
  EXPECT_EQ(status(), 409) << "the name was taken meanwhile";
  sign_in("ann");
  const std::string id = Json(ask("GET", "/v1/users").body).text("/items/0/id");
  EXPECT_EQ(ask("PATCH", "/v1/users/" + id, R"({"enabled": false})").status, 200);
  check_one();
  EXPECT_EQ(status(), 401) << "disabled meanwhile";
  for (uint32_t count = 0; count < PasswordGate::working_of_kind_max; ++count) {
    create("u" + std::to_string(count));
  }
  EXPECT_EQ(wanted_.size(), PasswordGate::working_of_kind_max);
  create("another");
  EXPECT_EQ(status(), 429);
  while (!wanted_.empty()) check_one();
  create("another");
  EXPECT_EQ(wanted_.size(), 1u) << "there is room again";
}

TEST_F(PasswordsTest, WaitInABoundedNumber) {
  for (int second = 0; second < 20; ++second) {
    for (int index = 0; index < 4; ++index) log_in("correct");
    ++clock_;
  }
  EXPECT_EQ(wanted_.size(), PasswordGate::working_of_kind_max);
  while (!wanted_.empty()) check_one();
}

}  // namespace
}  // namespace ringpost::control::testing
