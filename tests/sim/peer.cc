#include "sim/peer.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <utility>

namespace ringpost::sim {

Peer::Peer(World& world, const io::Address& to)
    : world_(world), life_(std::make_shared<Peer*>(this)) {
  token_ = world_.network().connect(to, *this, Owner::outside);
}

Peer::Peer(World& world, int32_t listener) : world_(world), life_(std::make_shared<Peer*>(this)) {
  const auto handle = world_.network().accept(listener, *this);
  RINGPOST_ASSERT(handle.has_value());
  handle_ = *handle;
}

Peer::~Peer() {
  close();
}

void Peer::send(std::string_view bytes) {
  if (closed_ || ended_.value_or(0) < 0) return;  // Whom it was for is gone.
  RINGPOST_ASSERT(!shutdown_wanted_);
  unsent_ += bytes;
  pump();
}

void Peer::shutdown_send() {
  shutdown_wanted_ = true;
  pump();
}

void Peer::close() {
  if (closed_) return;
  closed_ = true;
  handle_ >= 0 ? world_.network().close(handle_) : world_.network().cancel_connect(token_);
}

void Peer::reset() {
  if (closed_) return;
  if (handle_ < 0) return close();
  closed_ = true;
  world_.network().reset(handle_);
}

void Peer::resume_reading() {
  reading_ = true;
  if (!closed_ && handle_ >= 0) read();
}

void Peer::after(Duration delay, std::function<void()> run) {
  world_.after(delay, [life = std::weak_ptr<Peer*>(life_), run = std::move(run)] {
    if (!life.expired()) run();
  });
}

void Peer::on_acceptable(int32_t) {
  RINGPOST_UNREACHABLE();
}

void Peer::on_connected(uint64_t, int32_t result) {
  if (result < 0) return end(result);
  handle_ = result;
  pump();
  changed();
}

void Peer::on_readable(int32_t) {
  // In `accept` the peer is not yet told; what arrived earlier is read then.
  if (reading_) read();
}

void Peer::on_writable(int32_t) {
  pump();
}

void Peer::read() {
  Network& network = world_.network();
  const size_t readable = network.readable_bytes(handle_);
  if (readable > 0) {
    received_ += network.read(handle_, readable);
    changed();
  }
  if (closed_ || ended_) return;
  if (const auto result = network.end_of_stream(handle_)) end(*result);
}

void Peer::pump() {
  if (handle_ < 0 || closed_) return;
  if (!unsent_.empty()) {
    const int64_t taken = world_.network().write(handle_, as_bytes(unsent_));
    if (taken < 0) {
      unsent_.clear();  // The reset itself is heard through on_readable.
      return;
    }
    unsent_.erase(0, static_cast<size_t>(taken));
  }
  if (unsent_.empty() && shutdown_wanted_) world_.network().shutdown_send(handle_);
}

void Peer::changed() {
  if (on_change_) on_change_();
}

void Peer::end(int32_t result) {
  ended_ = result;
  changed();
}

Endpoint::Endpoint(World& world, const io::Address& at, OnAccept on_accept)
    : world_(world), at_(at), on_accept_(std::move(on_accept)) {
  start();
}

Endpoint::~Endpoint() {
  stop();
}

void Endpoint::start() {
  RINGPOST_ASSERT(!listening());
  const auto listener = world_.network().listen(at_, {}, *this, Owner::outside);
  RINGPOST_ASSERT(listener.has_value());
  listener_ = *listener;
}

void Endpoint::stop() {
  if (!listening()) return;
  world_.network().close(listener_);
  listener_ = -1;
}

void Endpoint::on_acceptable(int32_t listener) {
  Peer& peer = *peers_.emplace_back(std::make_unique<Peer>(world_, listener));
  if (on_accept_) on_accept_(peer);
}

}  // namespace ringpost::sim
