#pragma once

#include "io/ring.h"
#include "linux_world.h"
#include "ring_contract.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <utility>

namespace ringpost::io {

inline size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

inline bool all_ended(std::list<Watched>& watched) {
  return std::all_of(watched.begin(), watched.end(), [](auto& each) { return each.ended(); });
}

/// What tests of rings over this machine's kernel begin with. `SomeRing` is the type they need.
template <typename SomeRing, typename Base>
class KernelTest : public Base {
 protected:
  explicit KernelTest(std::unique_ptr<SomeRing> ring) : ring_(std::move(ring)) {}

  void open_pair(const Address& at) { pair_.open(*ring_, at); }
  void open_pair() { open_pair(Address::parse("127.0.0.1:0").value()); }
  Address unix_address(const std::string& name = "x.sock") {
    return Address::parse("unix:" + (directory_ / name)).value();
  }
  void close_now(Socket socket) {
    Watched closing;
    io::close(*ring_, closing, socket);
    EXPECT_TRUE(turn_until(*ring_, [&] { return closing.ended(); }));
  }
  void expect_echo() {
    Watched at_server, at_client, to_server, to_client;
    receive(*ring_, at_server, pair_.server);
    receive(*ring_, at_client, pair_.client, ReceiveGroup::reply);
    send(*ring_, to_server, pair_.client, "ping");
    send(*ring_, to_client, pair_.server, "pong");
    EXPECT_TRUE(turn_until(*ring_, [&] {
      return at_server.text == "ping" && at_client.text == "pong" && to_server.ended() &&
             to_client.ended();
    }));
    pair_.close_all(*ring_);
  }
  void TearDown() override {
    pair_.close_all(*ring_);
    EXPECT_EQ(ring_->pending_count(), 0u);
    EXPECT_EQ(ring_->statistics().overflows, 0u);
  }

  TemporaryDirectory directory_;
  std::unique_ptr<SomeRing> ring_;
  ConnectedPair pair_;
};

}  // namespace ringpost::io
