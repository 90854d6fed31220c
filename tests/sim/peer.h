#pragma once

#include "base/clock.h"
#include "io/address.h"
#include "sim/network.h"
#include "sim/world.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::sim {

/// One end of a connection in the world outside the relay: sends what it is told, keeps what it
/// gets. It reads as fast as bytes come unless `pause_reading` says otherwise.
class Peer final : private SocketUser {
 public:
  /// Connects to `to` at once; what is sent before it is connected waits.
  Peer(World& world, const io::Address& to);
  /// Takes the first connection from `listener`'s backlog; there is one.
  Peer(World& world, int32_t listener);
  ~Peer() override;  // Closes.

  /// Called after anything changed: connected, bytes, the end. It may call any verb of the peer,
  /// but must not destroy it.
  void set_on_change(std::function<void()> on_change) { on_change_ = std::move(on_change); }

  void send(std::string_view bytes);
  /// End of our stream, after what was sent.
  void shutdown_send();
  void close();
  void reset();
  void pause_reading() { reading_ = false; }
  void resume_reading();
  /// Runs `run` after `delay` if the peer still exists then.
  void after(Duration delay, std::function<void()> run);

  bool connected() const { return handle_ >= 0; }
  /// All that arrived and was not taken.
  const std::string& received() const { return received_; }
  std::string take_received() { return std::exchange(received_, {}); }
  /// Bytes given to `send` that the network has not taken.
  size_t unsent_bytes() const { return unsent_.size(); }
  /// How the stream ended: 0 for the far side's end of stream, minus an errno for a failed connect
  /// or a broken connection; nothing while it lives.
  std::optional<int32_t> ended() const { return ended_; }
  bool closed() const { return closed_; }
  io::Address local_address() const { return world_.network().local_address(handle_); }

 private:
  void on_acceptable(int32_t listener) override;
  void on_connected(uint64_t token, int32_t result) override;
  void on_readable(int32_t handle) override;
  void on_writable(int32_t handle) override;
  void read();
  void pump();
  void changed();
  void end(int32_t result);

  World& world_;
  std::function<void()> on_change_;
  uint64_t token_ = 0;
  int32_t handle_ = -1;
  bool reading_ = true;
  bool closed_ = false;
  bool shutdown_wanted_ = false;
  std::string unsent_;
  std::string received_;
  std::optional<int32_t> ended_;
  std::shared_ptr<Peer*> life_;  // What `after` watches.
};

/// A listener in the world outside: turns connections into peers and hands each to the script.
class Endpoint final : private SocketUser {
 public:
  using OnAccept = std::function<void(Peer& peer)>;

  /// @param on_accept  called for each connection; sets the peer's `on_change` as it likes.
  Endpoint(World& world, const io::Address& at, OnAccept on_accept = {});
  ~Endpoint() override;

  const io::Address& address() const { return at_; }
  /// All connections there ever were, in order; they live as long as the endpoint.
  const std::deque<std::unique_ptr<Peer>>& peers() const { return peers_; }

  /// Stops listening: new connections are refused. Those that exist go on.
  void stop();
  void start();
  bool listening() const { return listener_ >= 0; }

 private:
  void on_acceptable(int32_t listener) override;
  void on_connected(uint64_t, int32_t) override {}
  void on_readable(int32_t) override {}
  void on_writable(int32_t) override {}

  World& world_;
  const io::Address at_;
  const OnAccept on_accept_;
  int32_t listener_ = -1;
  std::deque<std::unique_ptr<Peer>> peers_;
};

}  // namespace ringpost::sim
