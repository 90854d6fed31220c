#pragma once

#include "io/ring.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::ingest::test {

/// A ring whose network is the test's own: bytes to and from clients are strings, and time passes
/// when the test says so. Handlers run from `turn` only, as Ring promises.
class MemoryRing final : public io::Ring {
 public:
  using Client = int32_t;

  MemoryRing() {
    now_ = Instant{std::chrono::seconds{1000}};
    wall_now_ = from_unix_ns(1'930'000'000'000'000'000);
  }

  // --- the clients' side ------------------------------------------------------------------------

  /// Connects to the listener with this number (in the order of `listen`).
  Client connect(size_t listener = 0) {
    const Client client = next_handle_++;
    sockets_[client];
    arriving_.push_back({listeners_.at(listener), client});
    return client;
  }
  void send_bytes(Client client, std::string_view bytes) { sockets_[client].inbound.append(bytes); }
  /// The client sends no more.
  void end(Client client) { sockets_[client].ended = true; }
  void reset(Client client) { sockets_[client].broken = true; }
  /// Whether the client takes what is sent to it.
  void set_reading(Client client, bool reading) { sockets_[client].reading = reading; }
  std::string take_output(Client client) { return std::exchange(sockets_[client].outbound, {}); }
  const std::string& output(Client client) { return sockets_[client].outbound; }
  /// The server has closed its socket, or its half of it.
  bool closed(Client client) { return sockets_[client].closed; }
  bool half_closed(Client client) { return sockets_[client].shut || sockets_[client].closed; }
  /// Bytes that the server has not taken in.
  size_t unread(Client client) { return sockets_[client].inbound.size(); }

  io::Address peers{.port = 2};  ///< The address of every client.

  // --- time -------------------------------------------------------------------------------------

  /// Turns until nothing moves.
  void settle() {
    for (int turns = 0; turns < 10'000; ++turns) {
      moved_ = false;
      turn(false);
      if (!moved_) return;
    }
    RINGPOST_ASSERT(false);
  }
  /// Lets `duration` pass, timers and all.
  void pass(Duration duration) {
    const Instant end = now_ + duration;
    while (now_ < end) {
      const Duration step = std::min<Duration>(end - now_, std::chrono::milliseconds{100});
      now_ += step;
      wall_now_ += step;
      settle();
    }
  }

  /// Somebody sets the wall clock.
  void set_wall_clock(WallTime time) { wall_now_ = time; }

  // --- Ring -------------------------------------------------------------------------------------

  Prng& random() override { return random_; }
  Result<io::Socket> listen(const io::Address&, const io::ListenOptions&) override {
    const int32_t handle = next_handle_++;
    sockets_[handle];
    listeners_.push_back(handle);
    return io::Socket{handle};
  }
  Result<io::Address> local_address(io::Socket) override { return io::Address{.port = 1}; }
  Result<io::Address> peer_address(io::Socket) override { return peers; }
  uint64_t unacknowledged_bytes(io::Socket) override { return 0; }
  void shutdown_send(io::Socket socket) override { sockets_[socket.handle].shut = true; }
  void cancel(io::Completion& op) override {
    if (op.pending()) cancelled_.push_back(&op);
  }

  void turn(bool) override {
    if (timers_.expire(now_) > 0) moved_ = true;
    for (const auto& [listener, client] : std::exchange(arriving_, {})) {
      io::Completion* op = sockets_[listener].accepting;
      if (op == nullptr) continue;
      moved_ = true;
      op->complete({.result = client, .more = true});
    }
    for (io::Completion* op : std::exchange(cancelled_, {})) finish_cancelled(*op);
    std::vector<int32_t> handles;
    for (const auto& [handle, socket] : sockets_) handles.push_back(handle);
    for (const int32_t handle : handles) move(sockets_[handle]);
  }

  io::Waker& waker() override { return waker_; }
  uint32_t pending_count() const override {
    uint32_t count = 0;
    for (const auto& [handle, socket] : sockets_) {
      for (const io::Completion* op :
           {socket.accepting, socket.receiving, socket.sending, socket.closing}) {
        if (op != nullptr) ++count;
      }
    }
    return count;
  }

 protected:
  void submit_accept(io::Completion& op) override { sockets_[op.socket().handle].accepting = &op; }
  void submit_connect(io::Completion&, const io::Address&) override { RINGPOST_UNREACHABLE(); }
  void submit_receive(io::Completion& op, io::ReceiveGroup) override {
    sockets_[op.socket().handle].receiving = &op;
  }
  void submit_send(io::Completion& op, Bytes bytes) override {
    Socket& socket = sockets_[op.socket().handle];
    RINGPOST_ASSERT(socket.sending == nullptr);
    socket.sending = &op;
    socket.lent = as_text(bytes);
  }
  void submit_close(io::Completion& op) override { sockets_[op.socket().handle].closing = &op; }
  void submit_write(io::Completion&, io::File, uint64_t, Bytes) override { RINGPOST_UNREACHABLE(); }
  void submit_read(io::Completion&, io::File, uint64_t, MutableBytes) override {
    RINGPOST_UNREACHABLE();
  }

 private:
  struct Socket {
    io::Completion* accepting = nullptr;
    io::Completion* receiving = nullptr;
    io::Completion* sending = nullptr;
    io::Completion* closing = nullptr;
    std::string inbound;
    std::string outbound;
    std::string_view lent;
    bool ended = false;
    bool broken = false;
    bool reading = true;
    bool shut = false;
    bool closed = false;
  };

  struct NoWaker final : io::Waker {
    void wake() override {}
  };

  static constexpr size_t buffer_bytes = 4096;

  void finish(io::Completion*& place, int32_t result) {
    io::Completion* op = std::exchange(place, nullptr);
    moved_ = true;
    op->complete({.result = result});
  }

  void finish_cancelled(io::Completion& op) {
    Socket& socket = sockets_[op.socket().handle];
    for (io::Completion** place : {&socket.accepting, &socket.receiving, &socket.sending}) {
      if (*place == &op) return finish(*place, -ECANCELED);
    }
  }

  void move(Socket& socket) {
    if (socket.closing != nullptr) {
      for (io::Completion** place : {&socket.accepting, &socket.receiving, &socket.sending}) {
        if (*place != nullptr) finish(*place, -ECANCELED);
      }
      socket.closed = true;
      return finish(socket.closing, 0);
    }
    if (socket.receiving != nullptr) receive(socket);
    if (socket.sending == nullptr) return;
    if (socket.broken) return finish(socket.sending, -ECONNRESET);
    if (!socket.reading) return;
    socket.outbound.append(socket.lent);
    finish(socket.sending, static_cast<int32_t>(socket.lent.size()));
  }

  void receive(Socket& socket) {
    if (socket.broken) return finish(socket.receiving, -ECONNRESET);
    if (!socket.inbound.empty()) {
      const std::string bytes = socket.inbound.substr(0, buffer_bytes);
      socket.inbound.erase(0, bytes.size());
      moved_ = true;
      return socket.receiving->complete(
          {.result = static_cast<int32_t>(bytes.size()), .more = true, .bytes = as_bytes(bytes)});
    }
    if (socket.ended) finish(socket.receiving, 0);
  }

  Prng random_{1};
  NoWaker waker_;
  std::map<int32_t, Socket> sockets_;
  std::vector<int32_t> listeners_;
  std::vector<std::pair<int32_t, int32_t>> arriving_;
  std::vector<io::Completion*> cancelled_;
  int32_t next_handle_ = 3;
  bool moved_ = false;
};

}  // namespace ringpost::ingest::test
