#include "sink/doors.h"

#include <utility>

namespace ringpost::sink {
namespace {

constexpr Duration sweep_interval = std::chrono::milliseconds{10};

}  // namespace

void Doors::open(io::Socket listener, const io::Address& address, net::ServerTls* tls,
                 Endpoint& endpoint) {
  listen(listener, address, tls, &endpoint);
  const std::string text = address.to_text();
  endpoint.url =
      text.starts_with("unix:") ? text : (tls == nullptr ? "http://" : "https://") + text;
  if (endpoint.plan().refuses_ever() && !sweeping_.armed()) sweep();
}

void Doors::open_by_name(io::Socket listener, const io::Address& address, net::ServerTls* tls) {
  listen(listener, address, tls, nullptr);
  for (Endpoint& endpoint : endpoints_.all()) {
    endpoint.url = (tls == nullptr ? "http://" : "https://") + endpoint.name() +
                   ".sink.localhost:" + std::to_string(address.port);
  }
}

void Doors::listen(io::Socket socket, const io::Address& address, net::ServerTls* tls,
                   Endpoint* endpoint) {
  Listener& listener = listeners_.emplace_back(*this, Door{endpoint, tls}, address, socket);
  ring_.accept<&Listener::on_accept>(listener, listener.accepting, socket);
}

void Doors::Listener::on_accept(const io::Outcome& outcome) {
  if (outcome) doors.hand_over(outcome.socket(), door);
}

void Doors::hand_over(io::Socket socket, const Door& door) {
  const uint64_t turn = handed_over_++ % (workers_.size() + 1);
  if (turn == 0) return receiver_.adopt(socket, door);
  workers_[turn - 1]->adopt(socket, door);
}

void Doors::shut(Listener& listener) {
  ring_.close<&Listener::on_closed>(listener, listener.closing, std::exchange(listener.socket, {}));
  receiver_.drop(listener.door);
  for (const auto& worker : workers_) worker->drop(listener.door);
}

void Doors::reopen(Listener& listener) {
  const auto socket = ring_.listen(listener.address, {.reuse_port = false});
  if (!socket) return;  // Somebody took the port: tried again by the next sweep.
  listener.socket = *socket;
  ring_.accept<&Listener::on_accept>(listener, listener.accepting, listener.socket);
}

void Doors::sweep() {
  for (Listener& listener : listeners_) {
    if (listener.door.endpoint == nullptr || listener.closing.pending()) continue;
    const Outage* outage =
        listener.door.endpoint->plan().outage_at(ring_.now() - endpoints_.start());
    const bool refuses = outage != nullptr && outage->kind == Outage::Kind::refuse;
    if (refuses && listener.socket.valid()) shut(listener);
    if (!refuses && !listener.socket.valid()) reopen(listener);
  }
  ring_.arm<&Doors::sweep>(*this, sweeping_, sweep_interval);
}

void Doors::stop() {
  ring_.disarm(sweeping_);
  for (Listener& listener : listeners_) ring_.cancel(listener.accepting);
}

}  // namespace ringpost::sink
