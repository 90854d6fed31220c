// Goal: the log says that a delivery failed for good, with a command that shows it, and is flooded
// by nobody.

#include "control/dead_letter_log.h"

#include "base/log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using std::chrono::seconds;

std::vector<std::string>& lines() {
  static std::vector<std::string> all;
  return all;
}

class DeadLetterLogTest : public ::testing::Test {
 protected:
  DeadLetterLogTest() {
    lines().clear();
    set_log_sink([](LogLevel, std::string_view text) { lines().emplace_back(text); });
  }
  ~DeadLetterLogTest() override { set_log_sink(nullptr); }

  static Instant at(int64_t second) { return Instant{std::chrono::hours{1} + seconds{second}}; }
  static Ulid id(uint32_t number) {
    Ulid made;
    made.bytes[15] = static_cast<uint8_t>(number);
    made.bytes[14] = static_cast<uint8_t>(number >> 8);
    return made;
  }
  void die(uint32_t webhook, int64_t second, uint32_t attempts = 1,
           Error error = {Errc::bad_status, Side::endpoint, 500}) {
    log_.on_death({.webhook_number = webhook,
                   .webhook = id(webhook),
                   .delivery = id(7),
                   .attempts = attempts,
                   .error = error},
                  at(second));
  }

  DeadLetterLog log_;
};

TEST_F(DeadLetterLogTest, TellsOfTheFirstAtOnceAndShowsHowToSeeIt) {
  die(1, 0, 10);
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_EQ(lines()[0], "webhook " + id(1).to_text() +
                            ": a delivery failed for good after 10 attempts: HTTP status 500; see "
                            "`ringpost delivery show " +
                            id(7).to_text() + "`");
  die(2, 1);
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_NE(lines()[1].find("after 1 attempt:"), std::string::npos);
}

TEST_F(DeadLetterLogTest, SaysWhatIsWrongWithACertificate) {
  constexpr int32_t expired = 10;  // X509_V_ERR_CERT_HAS_EXPIRED.
  die(1, 0, 1, {Errc::certificate_invalid, Side::endpoint, expired});
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_NE(lines()[0].find("after 1 attempt: certificate expired; see"), std::string::npos);
}

TEST_F(DeadLetterLogTest, CountsTheOthersOnceAMinute) {
  for (int64_t second = 0; second < 30; ++second) die(1, second);
  EXPECT_EQ(lines().size(), 1u);
  log_.step(at(59));
  EXPECT_EQ(lines().size(), 1u);
  ASSERT_EQ(log_.due(), at(60));
  log_.step(at(60));
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_EQ(lines()[1], "webhook " + id(1).to_text() +
                            ": 29 more deliveries failed for good in the last minute; see "
                            "`ringpost delivery list " +
                            id(1).to_text() + " --status dead`");
  die(1, 61);
  EXPECT_EQ(lines().size(), 2u);
  log_.step(at(120));
  ASSERT_EQ(lines().size(), 3u);
  EXPECT_NE(lines()[2].find(": 1 more delivery failed"), std::string::npos);
}

// After a quiet minute it is news again, and nothing is left to be done.
TEST_F(DeadLetterLogTest, BeginsAnewAfterAQuietMinute) {
  die(1, 0);
  log_.step(at(60));
  EXPECT_EQ(log_.due(), std::nullopt);
  die(1, 70);
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(DeadLetterLogTest, TellsOfVeryManyWebhooksInOneLine) {
  for (uint32_t webhook = 1; webhook <= 1000; ++webhook) die(webhook, 0);
  EXPECT_EQ(lines().size(), DeadLetterLog::webhooks_max);
  lines().clear();
  log_.step(at(60));
  ASSERT_EQ(lines().size(), 1u);
  EXPECT_EQ(lines()[0],
            "900 more deliveries of other webhooks failed for good in the last minute; "
            "see `ringpost status`");
  die(1000, 61);
  EXPECT_EQ(lines().size(), 2u);
}

}  // namespace
}  // namespace ringpost::control
