// Goal: who takes many connections, and uses none of them, holds up nobody else. Method: a crowd of
// peers in the world outside, and a producer beside it whose events have to be taken meanwhile.

#include "sim/peer.h"
#include "sim/relay/small_world.h"

#include <memory>
#include <string>
#include <vector>

namespace ringpost::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Crowd {
 public:
  explicit Crowd(SmallWorld& small) : small_(small) {}

  /// @param words  what each of them says, and then no more.
  void gather(size_t count, const std::string& words = {}) {
    for (size_t index = 0; index < count; ++index) {
      peers_.push_back(std::make_unique<Peer>(small_.world, RelayHarness::address));
      if (!words.empty()) peers_.back()->send(words);
      if (index % 50 == 49) small_.world.run_for(milliseconds{1});
    }
    small_.world.run_for(milliseconds{100});
  }
  size_t left() const {
    size_t count = 0;
    for (const auto& peer : peers_) count += peer->connected() && !peer->ended() ? 1 : 0;
    return count;
  }

  /// What the first one was answered.
  const std::string& heard() const { return peers_.front()->received(); }

 private:
  SmallWorld& small_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

/// Events of somebody else are taken at once, and delivered.
void expect_service(SmallWorld& small, const std::string& name) {
  for (int index = 0; index < 20; ++index) {
    const std::string id = name + std::to_string(index);
    const Instant begun = small.world.now();
    EXPECT_EQ(small.post(id), 202) << id;
    EXPECT_LT(small.world.now() - begun, seconds{1}) << id;
  }
  EXPECT_TRUE(small.settle());
  EXPECT_EQ(small.received(name + "19"), 1u);
}

// 17 x 16 MiB are more than the room that all bodies have together.
TEST(RelayCrowd, TakesNoRoomByAnnouncingAndSendingOneByte) {
  for (const char* token : {RelayHarness::token.data(), "rp_wrong"}) {
    SmallWorld small(1, 1, [](shard::RelayOptions& options) {
      options.live.event_limits.batch_bytes_max = 16 * 1024 * 1024;
    });
    small.hook();
    Crowd crowd(small);
    crowd.gather(
        17,
        std::string{"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:8420\r\nAuthorization: Bearer "} +
            token + "\r\nContent-Type: application/x-ndjson\r\nContent-Length: 16777216\r\n\r\n{");
    EXPECT_EQ(crowd.left(), token == RelayHarness::token ? 17u : 0u) << crowd.heard();
    expect_service(small, "beside");
    small.world.run_for(seconds{60});
    EXPECT_EQ(crowd.left(), 0u) << "who does not go on is shown out";
    expect_service(small, "behind");
  }
}

TEST(RelayCrowd, MayComeFromOneAddressAndTurnsNobodyElseAway) {
  SmallWorld small;
  small.hook();
  small.world.network().set_outside_address(address("192.0.2.1", 0));
  Crowd crowd(small);
  crowd.gather(12'000);
  EXPECT_LE(crowd.left(), 1'000u);
  EXPECT_GT(crowd.left(), 0u);
  EXPECT_GE(small.relay.count(Counter::connections_over_address), 11'000u);
  small.world.network().set_outside_address(address("192.0.2.2", 0));
  expect_service(small, "other");
}

}  // namespace
}  // namespace ringpost::sim
