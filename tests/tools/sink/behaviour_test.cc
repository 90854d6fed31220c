#include "sink/behaviour.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace ringpost::sink {
namespace {

using namespace std::chrono_literals;

std::vector<Duration> sorted_draws(const Delay& delay, size_t count) {
  Prng random(7);
  std::vector<Duration> draws;
  for (size_t index = 0; index < count; ++index) draws.push_back(delay.draw(random));
  std::ranges::sort(draws);
  return draws;
}

TEST(Delay, IsFixed) {
  for (const Duration draw : sorted_draws({.first = 20ms}, 100)) EXPECT_EQ(draw, 20ms);
}

TEST(Delay, IsUniformWithinItsBounds) {
  const auto draws =
      sorted_draws({.kind = Delay::Kind::uniform, .first = 10ms, .second = 30ms}, 10'000);
  EXPECT_GE(draws.front(), 10ms);
  EXPECT_LE(draws.back(), 30ms);
  EXPECT_NEAR(static_cast<double>(draws[5'000].count()), 20e6, 0.5e6);
  EXPECT_NEAR(static_cast<double>(draws[1'000].count()), 12e6, 0.5e6);
}

TEST(Delay, IsExponentialWithItsMean) {
  const auto draws = sorted_draws({.kind = Delay::Kind::exponential, .first = 20ms}, 10'000);
  double sum = 0;
  for (const Duration draw : draws) sum += static_cast<double>(draw.count());
  EXPECT_NEAR(sum / 10'000, 20e6, 1e6);
  EXPECT_NEAR(static_cast<double>(draws[5'000].count()), 20e6 * 0.6931, 1e6);
}

TEST(Delay, IsLognormalWithItsMedianAndP99) {
  const auto draws =
      sorted_draws({.kind = Delay::Kind::lognormal, .first = 20ms, .second = 400ms}, 100'000);
  EXPECT_NEAR(static_cast<double>(draws[50'000].count()), 20e6, 0.5e6);
  EXPECT_NEAR(static_cast<double>(draws[99'000].count()), 400e6, 40e6);
}

TEST(Delay, IsAtMostAnHour) {
  const Delay wild{.kind = Delay::Kind::lognormal, .first = 1h, .second = 10'000h};
  EXPECT_EQ(sorted_draws(wild, 1'000).back(), 1h);
}

TEST(Behaviour, DrawsStatusesByWeight) {
  Behaviour behaviour;
  behaviour.statuses = {{200, 70}, {503, 30}, {500, 0}};
  Prng random(7);
  std::map<uint16_t, int> counts;
  for (int draw = 0; draw < 10'000; ++draw) ++counts[behaviour.draw_status(random)];
  EXPECT_NEAR(counts[200], 7'000, 200);
  EXPECT_NEAR(counts[503], 3'000, 200);
  EXPECT_EQ(counts.size(), 2u);
}

TEST(Behaviour, DrawsFaultsByShare) {
  Behaviour behaviour;
  behaviour.fault = Fault::reset;
  Prng random(7);
  EXPECT_EQ(behaviour.draw_fault(random), Fault::reset);
  behaviour.fault_share = 0;
  EXPECT_EQ(behaviour.draw_fault(random), Fault::none);
  behaviour.fault_share = 0.25;
  int resets = 0;
  for (int draw = 0; draw < 10'000; ++draw) {
    if (behaviour.draw_fault(random) == Fault::reset) ++resets;
  }
  EXPECT_NEAR(resets, 2'500, 200);
}

TEST(Behaviour, WritesRetryAfterWhereItMeansSomething) {
  Behaviour behaviour;
  behaviour.retry_after = 7;
  EXPECT_NE(behaviour.answer(503).find("\r\nRetry-After: 7\r\n"), std::string::npos);
  EXPECT_NE(behaviour.answer(429).find("\r\nRetry-After: 7\r\n"), std::string::npos);
  EXPECT_EQ(behaviour.answer(200).find("Retry-After"), std::string::npos);
}

TEST(Behaviour, WritesAWholeAnswer) {
  Behaviour behaviour;
  behaviour.headers = {"X-One: 1"};
  EXPECT_EQ(behaviour.answer(200),
            "HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Type: text/plain\r\nContent-Length: "
            "2\r\n\r\nok");
  EXPECT_EQ(behaviour.answer(204), "HTTP/1.1 204 No Content\r\nX-One: 1\r\n\r\n");
}

TEST(Fault, HasANameThatFindsIt) {
  for (const Fault fault : all_faults) EXPECT_EQ(find_fault(name(fault)), fault);
  EXPECT_FALSE(find_fault("other"));
}

}  // namespace
}  // namespace ringpost::sink
