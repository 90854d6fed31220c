#include "load/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ringpost::load {
namespace {

std::vector<Stage> stages_of(std::string_view text, double seconds = 10) {
  auto read = parse_stages(text, seconds);
  const auto* problem = std::get_if<cli::UsageProblem>(&read);
  EXPECT_EQ(problem, nullptr) << text << ": " << problem->text;
  return problem != nullptr ? std::vector<Stage>{} : std::get<std::vector<Stage>>(read);
}

std::vector<double> times_of(Schedule schedule) {
  std::vector<double> times;
  for (; schedule.due(); schedule.advance()) {
    times.push_back(std::chrono::duration<double>(*schedule.due()).count());
  }
  return times;
}

TEST(Schedule, ASteadyRateHasEqualDistances) {
  const auto times = times_of({stages_of("100", 2), Arrivals::even, 1, 1});
  ASSERT_EQ(times.size(), 200u);
  for (size_t index = 0; index < times.size(); ++index) {
    EXPECT_NEAR(times[index], static_cast<double>(index) / 100, 1e-6);
  }
}

TEST(Schedule, ABatchMakesSendsRarer) {
  EXPECT_EQ(times_of({stages_of("100", 2), Arrivals::even, 50, 1}).size(), 4u);
}

TEST(Schedule, ARampSendsAsManyAsItsMeanRate) {
  const auto times = times_of({stages_of("0-100:10s"), Arrivals::even, 1, 1});
  ASSERT_EQ(times.size(), 500u);
  // After t seconds 5 t^2 are due.
  for (const size_t index : {1u, 20u, 125u, 499u}) {
    EXPECT_NEAR(times[index], std::sqrt(static_cast<double>(index) / 5), 1e-6);
  }
  const auto falling = times_of({stages_of("100-0:10s"), Arrivals::even, 1, 1});
  ASSERT_EQ(falling.size(), 500u);
  EXPECT_NEAR(10 - falling[375], 5, 1e-6);
}

TEST(Schedule, StagesFollowEachOtherAndZeroIsAPause) {
  const auto times = times_of({stages_of("10:1s,0:5s,20:1s"), Arrivals::even, 1, 1});
  ASSERT_EQ(times.size(), 30u);
  EXPECT_NEAR(times[9], 0.9, 1e-6);
  EXPECT_NEAR(times[10], 6.0, 1e-6);
  EXPECT_NEAR(times[29], 6.95, 1e-6);
}

TEST(Schedule, RandomArrivalsHaveTheRateAndTheSeedDecides) {
  const Schedule schedule(stages_of("1000", 20), Arrivals::random, 1, 7);
  const auto times = times_of(schedule);
  EXPECT_NEAR(static_cast<double>(times.size()), 20'000, 600);
  EXPECT_EQ(times, times_of({stages_of("1000", 20), Arrivals::random, 1, 7}));
  EXPECT_NE(times, times_of({stages_of("1000", 20), Arrivals::random, 1, 8}));
  // Of exponential distances a share of 1/e is longer than the mean.
  size_t longer = 0;
  for (size_t index = 1; index < times.size(); ++index) {
    longer += times[index] - times[index - 1] > 0.001 ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(longer) / static_cast<double>(times.size()), 1 / std::exp(1),
              0.02);
}

TEST(Schedule, ACopyIsACursorForItself) {
  Schedule first(stages_of("10", 1), Arrivals::random, 1, 3);
  Schedule second = first;
  first.advance();
  EXPECT_NE(first.due(), second.due());
  second.advance();
  EXPECT_EQ(first.due(), second.due());
}

TEST(Schedule, WithoutEndItGoesOn) {
  Schedule schedule(stages_of("1000", std::numeric_limits<double>::infinity()), Arrivals::even, 1,
                    1);
  EXPECT_TRUE(std::isinf(schedule.seconds()));
  for (int count = 0; count < 100'000; ++count) schedule.advance();
  EXPECT_EQ(*schedule.due(), std::chrono::seconds{100});
}

TEST(Schedule, RecordedTimesAreKept) {
  const auto times = std::make_shared<const std::vector<Duration>>(
      std::vector<Duration>{Duration{0}, Duration{5}, Duration{5}});
  Schedule schedule(times);
  EXPECT_EQ(schedule.due(), Duration{0});
  schedule.advance();
  schedule.advance();
  EXPECT_EQ(schedule.due(), Duration{5});
  schedule.advance();
  EXPECT_FALSE(schedule.due());
}

TEST(ParseStages, WhatIsNoRateIsRefused) {
  for (const char* text : {"", "x", "-5", "5-", "1e99", "nan", "10:0s", "10:1x", "0", "1,,2", "1,",
                           "1:1s,", ",1", "5 "}) {
    EXPECT_TRUE(std::holds_alternative<cli::UsageProblem>(parse_stages(text, 10))) << text;
  }
  const double endless = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::holds_alternative<cli::UsageProblem>(parse_stages("1-2", endless)));
  EXPECT_FALSE(std::holds_alternative<cli::UsageProblem>(parse_stages("1-2:1s,5", endless)));
}

}  // namespace
}  // namespace ringpost::load
