#include "delivery/window.h"

#include <gtest/gtest.h>

namespace ringpost::delivery {
namespace {

using std::chrono::seconds;

constexpr Instant start{seconds{100}};

TEST(Window, GrowsQuicklyUntilTheFirstFailureUpToTheWebhooksLimit) {
  Window window;
  for (uint32_t size = Window::first_size; size < 16; ++size) {
    ASSERT_EQ(window.size(16), size);
    window.on_success(16);
  }
  for (int index = 0; index < 1000; ++index) window.on_success(16);
  EXPECT_EQ(window.size(16), 16u);
  EXPECT_EQ(window.size(64), 16u) << "a higher limit is learnt, too";
  EXPECT_EQ(window.size(2), 2u);
}

TEST(Window, GrowsByOneWithEachWindowOfSuccessesAfterAFailure) {
  Window window;
  for (int index = 0; index < 100; ++index) window.on_success(64);
  window.on_failure(start, start);
  uint32_t successes = 0;
  for (uint32_t size = 32; size < 64; ++size) {
    for (uint32_t index = 0; index < size; ++index, ++successes) {
      ASSERT_EQ(window.size(64), size) << successes;
      window.on_success(64);
    }
  }
  EXPECT_EQ(window.size(64), 64u);
}

TEST(Window, HalvesToOne) {
  Window window;
  for (int index = 0; index < 3000; ++index) window.on_success(64);
  Instant now = start;
  for (const uint32_t size : {32, 16, 8, 4, 2, 1, 1}) {
    window.on_failure(now, now + seconds{1});
    now += seconds{2};
    EXPECT_EQ(window.size(64), size);
  }
}

TEST(Window, HalvesOnceForAttemptsThatWereUnderWayTogether) {
  Window window;
  for (int index = 0; index < 3000; ++index) window.on_success(64);
  for (int index = 0; index < 64; ++index) {
    window.on_failure(start, start + seconds{30} + Duration{index});
  }
  EXPECT_EQ(window.size(64), 32u);
  window.on_failure(start + seconds{31}, start + seconds{32});
  EXPECT_EQ(window.size(64), 16u);
}

TEST(Window, OfOneWebhookWithALimitOfOneIsOne) {
  Window window;
  for (int index = 0; index < 100; ++index) window.on_success(1);
  EXPECT_EQ(window.size(1), 1u);
}

}  // namespace
}  // namespace ringpost::delivery
