#pragma once

#include "base/assert.h"
#include "io/linux_ring.h"
#include "net/stream.h"
#include "net/test_certificates.h"
#include "net/tls.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace ringpost::net {

/// A stream with everything that its owner was told, and hooks to act from within.
struct Peer final : StreamOwner {
  explicit Peer(io::Ring& ring)
      : stream(std::make_unique<Stream>(ring, *this, io::ReceiveGroup::ingress)) {}

  void on_stream_open() override {
    check_not_inside();
    ++opens;
    if (on_open) on_open();
  }
  void on_stream_bytes(Bytes bytes) override {
    check_not_inside();
    EXPECT_FALSE(bytes.empty());
    EXPECT_FALSE(paused);
    received.append(as_text(bytes));
    if (on_bytes) on_bytes();
  }
  void on_stream_sent() override {
    check_not_inside();
    ++sents;
    if (on_sent) on_sent();
  }
  void on_stream_end(std::optional<Error> error) override {
    check_not_inside();
    ++ends;
    end_error = error;
    if (on_end) on_end();
  }
  void on_stream_closed() override {
    check_not_inside();
    ++closes;
    if (destroy_when_closed) stream.reset();
    if (on_closed) on_closed();
  }

  void send(std::string_view head, std::string_view body = {}) {
    call([&] { stream->send(as_bytes(head), as_bytes(body)); });
  }
  void close(bool graceful) {
    call([&] { stream->close(graceful); });
  }
  void pause() {
    paused = true;
    call([&] { stream->pause(); });
  }
  void resume() {
    paused = false;
    call([&] { stream->resume(); });
  }
  /// Every call into the stream goes through here: no callback may come out of it.
  void call(const std::function<void()>& what) {
    const bool before = std::exchange(inside, true);
    what();
    inside = before;
  }
  void check_not_inside() const { EXPECT_FALSE(inside) << "called back from within a call"; }

  std::unique_ptr<Stream> stream;
  std::string received;
  int opens = 0;
  int sents = 0;
  int ends = 0;
  int closes = 0;
  std::optional<Error> end_error;
  bool inside = false;
  bool paused = false;
  bool destroy_when_closed = false;
  std::function<void()> on_open;
  std::function<void()> on_bytes;
  std::function<void()> on_sent;
  std::function<void()> on_end;
  std::function<void()> on_closed;
};

/// A ring with a listener; the kernel's loopback joins the ends.
class World {
 public:
  World() {
    auto made = io::LinuxRing::create({.sq_entries = 256,
                                       .cq_entries = 4096,
                                       .ingress_buffers = 64,
                                       .reply_buffers = 64,
                                       .buffers_circulating_first = 64});
    RINGPOST_ASSERT(made);
    ring = std::move(made).value();
    auto listening = ring->listen(*io::Address::parse("127.0.0.1:0"), {});
    RINGPOST_ASSERT(listening);
    listener = *listening;
    address = *ring->local_address(listener);
    ring->accept<&World::on_accept>(*this, accept_op_, listener);
  }

  /// All streams must be closed.
  ~World() {
    ring->close<&World::on_listener_closed>(*this, close_op_, listener);
    EXPECT_TRUE(run_until([&] { return listener_closed_; }));
    for (const io::Socket socket : accepted) {
      listener_closed_ = false;
      ring->close<&World::on_listener_closed>(*this, close_op_, socket);
      EXPECT_TRUE(run_until([&] { return listener_closed_; }));
    }
    EXPECT_EQ(ring->pending_count(), 0u);
  }

  /// Turns the ring until `done`. @returns false if it is not done after a long time.
  bool run_until(const std::function<bool()>& done) {
    const Instant limit = ring->now() + std::chrono::seconds{20};
    while (!done()) {
      ring->arm<&World::on_tick>(*this, tick_, std::chrono::milliseconds{20});
      ring->turn(true);
      if (ring->now() > limit) return false;
    }
    ring->disarm(tick_);
    return true;
  }
  /// A few turns in which nothing more is expected to happen.
  void settle() {
    for (int i = 0; i < 10; ++i) {
      ring->arm<&World::on_tick>(*this, tick_, std::chrono::milliseconds{1});
      ring->turn(true);
    }
    ring->disarm(tick_);
  }

  /// Connects `client`, adopts the other end into `server`.
  void join(Peer& client, Peer& server, ClientTls* client_tls, ServerTls* server_tls,
            const std::string& name = "hook.test") {
    client.call([&] { client.stream->connect(address, client_tls, name); });
    EXPECT_TRUE(run_until([&] { return !accepted.empty(); }));
    adopt(server, server_tls);
  }
  void adopt(Peer& server, ServerTls* tls) {
    const io::Socket socket = accepted.front();
    accepted.pop_front();
    server.call([&] { server.stream->adopt(socket, tls); });
  }
  void close_all(std::initializer_list<Peer*> peers) {
    for (Peer* peer : peers) {
      if (peer->stream != nullptr) peer->close(false);
    }
    for (Peer* peer : peers) EXPECT_TRUE(run_until([&] { return peer->closes > 0; }));
  }

  std::unique_ptr<io::LinuxRing> ring;
  io::Socket listener;
  io::Address address;
  std::deque<io::Socket> accepted;

 private:
  void on_accept(const io::Outcome& outcome) {
    if (outcome) accepted.push_back(outcome.socket());
  }
  void on_listener_closed(const io::Outcome&) { listener_closed_ = true; }
  void on_tick() {}

  io::Completion accept_op_;
  io::Completion close_op_;
  io::Timer tick_;
  bool listener_closed_ = false;
};

/// Both sides' TLS for the host "hook.test" (and 127.0.0.1), or none.
struct TlsPair {
  explicit TlsPair(bool on = true, const testing::CertificateOptions& options = {
                                       .dns_names = {"hook.test"}, .ip_addresses = {"127.0.0.1"}}) {
    if (!on) return;
    static const testing::TestAuthority authority;
    identity = authority.issue(options);
    client = std::move(ClientTls::create({.ca_pem = authority.certificate_pem()})).value();
    server = std::move(ServerTls::create(identity.certificate_pem, identity.key_pem)).value();
    ca_pem = authority.certificate_pem();
  }

  std::unique_ptr<ClientTls> client;
  std::unique_ptr<ServerTls> server;
  testing::TestIdentity identity;
  std::string ca_pem;
};

/// Text in which a lost, doubled or swapped piece shows.
inline std::string pattern(size_t size) {
  std::string text;
  text.reserve(size + 8);
  for (uint32_t i = 0; text.size() < size; ++i) {
    text.append(reinterpret_cast<const char*>(&i), sizeof i);
  }
  text.resize(size);
  return text;
}

}  // namespace ringpost::net
