// Goal: whoever fetches settings gets whole ones, of one reload, and keeps them while others come.
// Method: threads, for ThreadSanitizer.

#include "shard/live_settings.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace ringpost::shard {
namespace {

LiveSettings numbered(uint32_t number) {
  LiveSettings settings;
  settings.event_limits.event_bytes_max = number;
  settings.delivery.pending_max = number;
  settings.origin = std::to_string(number);
  return settings;
}

TEST(SettingsInForce, AreFetchedWholeWhileTheyAreReplaced) {
  constexpr uint32_t reloads = 2000;
  SettingsInForce in_force(numbered(0));
  std::atomic<bool> replacing{true};
  std::vector<std::thread> shards;
  for (int shard = 0; shard < 3; ++shard) {
    shards.emplace_back([&] {
      auto held = in_force.get();
      while (replacing.load()) {
        const auto next = in_force.get();
        const uint32_t number = next->event_limits.event_bytes_max;
        EXPECT_EQ(next->delivery.pending_max, number);
        EXPECT_EQ(next->origin, std::to_string(number));
        EXPECT_GE(number, held->event_limits.event_bytes_max);
        held = next;
      }
    });
  }
  for (uint32_t number = 1; number <= reloads; ++number) in_force.replace(numbered(number));
  replacing.store(false);
  for (std::thread& shard : shards) shard.join();
  EXPECT_EQ(in_force.get()->origin, std::to_string(reloads));
}

TEST(LiveSettings, HaveNoCertificateWhereAListenerHasNone) {
  LiveSettings settings;
  EXPECT_EQ(settings.certificate(0), nullptr);
  settings.certificates.resize(2);
  EXPECT_EQ(settings.certificate(1), nullptr);
  EXPECT_EQ(settings.certificate(2), nullptr);
}

}  // namespace
}  // namespace ringpost::shard
