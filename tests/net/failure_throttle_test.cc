#include "net/failure_throttle.h"

#include "base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::net {
namespace {

using std::chrono::seconds;

Instant at(int64_t second) {
  return Instant{seconds(second)};
}

io::Address address(std::string_view text) {
  const auto parsed = io::Address::parse(text);
  EXPECT_TRUE(parsed) << text;
  return *parsed;
}

/// Failures that are answered plainly before the first that is not.
uint32_t budget(FailureThrottle& throttle, std::string_view peer, Instant now) {
  uint32_t count = 0;
  while (throttle.on_failure(address(peer), now) == 0 && count < 1000) ++count;
  return count;
}

TEST(FailureThrottle, RefusesOneSourceWithoutTheOthers) {
  FailureThrottle throttle({1, 2});
  EXPECT_EQ(budget(throttle, "192.0.2.1:1000", at(100)), FailureThrottle::failures_at_once);
  EXPECT_EQ(throttle.on_failure(address("192.0.2.1:2000"), at(100)), 3u);  // Ports do not count.
  EXPECT_EQ(throttle.on_failure(address("192.0.2.2:1000"), at(100)), 0u);
  EXPECT_EQ(throttle.on_failure(address("192.0.2.1:1000"), at(102)), 1u);
  EXPECT_EQ(throttle.on_failure(address("192.0.2.1:1000"), at(103)), 0u);
  EXPECT_GT(throttle.on_failure(address("192.0.2.1:1000"), at(103)), 0u);
}

TEST(FailureThrottle, TakesANetworkOfIpv6AsOneSource) {
  FailureThrottle throttle({1, 2});
  EXPECT_EQ(budget(throttle, "[2001:db8:0:1::1]:1000", at(100)), FailureThrottle::failures_at_once);
  EXPECT_GT(throttle.on_failure(address("[2001:db8:0:1:ffff::9]:1000"), at(100)), 0u);
  EXPECT_EQ(throttle.on_failure(address("[2001:db8:0:2::1]:1000"), at(100)), 0u);
  EXPECT_EQ(budget(throttle, "192.0.2.1:1000", at(100)), FailureThrottle::failures_at_once);
  EXPECT_GT(throttle.on_failure(address("[::ffff:192.0.2.1]:1000"), at(100)), 0u);
}

TEST(FailureThrottle, DoesNotCountUnixSockets) {
  FailureThrottle throttle({1, 2});
  EXPECT_EQ(budget(throttle, "unix:/run/x.sock", at(100)), 1000u);
}

std::vector<std::string>& lines() {
  static std::vector<std::string> all;
  return all;
}

TEST(FailureThrottle, LogsAtABoundedRate) {
  lines().clear();
  set_log_sink([](LogLevel, std::string_view text) { lines().emplace_back(text); });
  FailureThrottle throttle({1, 2});
  for (int count = 0; count < 500; ++count) {
    throttle.on_failure(address("192.0.2." + std::to_string(count % 250) + ":1"), at(100));
  }
  EXPECT_EQ(lines().size(), 1u);
  throttle.on_failure(address("192.0.2.7:1"), at(110));
  set_log_sink(nullptr);
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_NE(lines()[1].find("since the last message: 500,"), std::string::npos) << lines()[1];
}

}  // namespace
}  // namespace ringpost::net
