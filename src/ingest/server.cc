#include "ingest/server.h"

#include <algorithm>
#include <utility>

namespace ringpost::ingest {

struct Server::Listener {
  Listener(Server& server_of, io::Socket socket_of, const ListenerOptions& options)
      : server(server_of), socket(socket_of), tls(options.tls), serves(options.serves) {}

  void on_accepted(const io::Outcome& outcome) { server.on_accepted(*this, outcome); }
  void on_closed(const io::Outcome&) { --server.closings_; }

  Server& server;
  const io::Socket socket;
  std::shared_ptr<net::ServerTls> tls;  // Null: plain. Of connections to come.
  const Serves serves;
  io::Completion accept_op;
  io::Completion close_op;
};

/// Closes a socket that no connection took.
struct Server::Closer {
  explicit Closer(Server& server_of) : server(server_of) {}

  void on_closed(const io::Outcome&) { --server.closings_; }

  Server& server;
  io::Completion close_op;
};

Server::Server(io::Ring& ring, Counters& counters, Backend& backend, const ServerLimits& limits)
    : ring_(ring),
      counters_(counters),
      backend_(backend),
      bodies_(ring, {.bytes_max = limits.bodies_bytes_max}) {
  set_limits(limits);
}

void Server::set_limits(const ServerLimits& limits) {
  RINGPOST_ASSERT(limits.connections_reserved < limits.connections_max);
  RINGPOST_ASSERT(limits.bytes_per_second_min > 0);
  RINGPOST_ASSERT(limits.connections_per_address_max > 0);
  limits_ = limits;
  bodies_.set_bytes_max(limits.bodies_bytes_max);
}

void Server::set_tls(size_t listener, std::shared_ptr<net::ServerTls> tls) {
  RINGPOST_ASSERT(listener < listeners_.size());
  RINGPOST_ASSERT((tls == nullptr) == (listeners_[listener]->tls == nullptr));
  listeners_[listener]->tls = std::move(tls);
}

Server::~Server() {
  RINGPOST_ASSERT(stopped() || listeners_.empty());
}

// --- listeners -----------------------------------------------------------------------------------

Result<io::Address> Server::listen(const ListenerOptions& options) {
  RINGPOST_ASSERT(!stopping_);
  const auto socket = ring_.listen(options.address, options.socket);
  if (!socket) return socket.error();
  const auto& listener =
      listeners_.emplace_back(std::make_unique<Listener>(*this, *socket, options));
  ring_.accept<&Listener::on_accepted>(*listener, listener->accept_op, *socket);
  return ring_.local_address(*socket);
}

void Server::on_accepted(Listener& listener, const io::Outcome& outcome) {
  if (!outcome) return;  // Cancelled by `stop`; shortages are waited out by the ring.
  counters_.add(Counter::connections_accepted);
  if (!make_room(listener)) return turn_away(outcome.socket());
  Connection& connection = take_connection();
  connection.open(outcome.socket(), listener.tls.get(), listener.serves);
  if (stopping_) connection.finish();
}

/// At the limit the connection that has waited longest for a head gives way, as one that has a
/// request in hand never does: whoever sends what it came for is served, however many others only
/// hold connections. A listener that takes no events may push out those of the others.
bool Server::make_room(const Listener& listener) {
  const uint32_t reserved = listener.serves.takes_events() ? limits_.connections_reserved : 0;
  const uint32_t staying = connections_open_ - connections_leaving_;
  if (staying < limits_.connections_max - reserved) return true;
  Waiting& list =
      waiting_.empty() && !listener.serves.takes_events() ? waiting_reserved_ : waiting_;
  if (list.empty()) {
    counters_.add(Counter::connections_turned_away);
    return false;
  }
  counters_.add(Counter::connections_displaced);
  list.front().make_way();
  return true;
}

std::optional<Server::Source> Server::source_of(const io::Address& peer) {
  constexpr Source mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};  // RFC 4291, 2.5.5.2.
  constexpr Source loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (peer.family == io::Address::Family::unix_path) return std::nullopt;
  Source source = mapped;
  if (peer.family == io::Address::Family::ipv4) {
    std::copy_n(peer.ip.begin(), 4, source.begin() + 12);
  } else {
    std::copy_n(peer.ip.begin(), source.size(), source.begin());
  }
  const bool is_ipv4 = std::equal(mapped.begin(), mapped.begin() + 12, source.begin());
  if (is_ipv4 ? source[12] == 127 : source == loopback) return std::nullopt;
  if (!is_ipv4) std::fill(source.begin() + 8, source.end(), uint8_t{0});
  return source;
}

/// Whether one more connection may come from there; counts it if so.
bool Server::admit(const Source& source) {
  uint32_t& count = sources_[source];
  if (count < limits_.connections_per_address_max) {
    ++count;
    return true;
  }
  counters_.add(Counter::connections_over_address);
  return false;
}

void Server::dismiss(const Source& source) {
  const auto found = sources_.find(source);
  RINGPOST_ASSERT(found != sources_.end());
  if (--found->second == 0) sources_.erase(found);
}

/// A 503 would cost a handshake with TLS, and time for the peer to read it: at the limit there is
/// neither. A closed connection tells a client to try again.
void Server::turn_away(io::Socket socket) {
  Closer* closer = nullptr;
  for (const auto& known : closers_) {
    if (!known->close_op.pending()) closer = known.get();
  }
  if (closer == nullptr) {
    closer = closers_.emplace_back(std::make_unique<Closer>(*this)).get();
  }
  ++closings_;
  ring_.close<&Closer::on_closed>(*closer, closer->close_op, socket);
}

// --- connections ---------------------------------------------------------------------------------

Connection& Server::take_connection() {
  counters_.set(Counter::connections_open, ++connections_open_);
  if (free_.empty()) {
    const auto index = static_cast<uint32_t>(connections_.size());
    return *connections_.emplace_back(std::make_unique<Connection>(*this, index));
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  return *connections_[index];
}

void Server::release(Connection& connection) {
  counters_.set(Counter::connections_open, --connections_open_);
  free_.push_back(connection.index());
}

Connection* Server::find(http::RequestHandle handle) const {
  if (handle.index >= connections_.size()) return nullptr;
  Connection& connection = *connections_[handle.index];
  return connection.awaits(handle) ? &connection : nullptr;
}

/// What speaks against a request that a browser may have been made to send.
std::optional<http::Problem> Server::object_to_browser(const http::Request& head, bool tls,
                                                       const io::Address& peer) {
  const std::shared_ptr<const KnownHosts>& hosts = limits_.hosts;
  if (hosts == nullptr) return object_to_site(head, {}, tls);
  if (peer.family != io::Address::Family::unix_path) {
    const std::string_view host = head.header("host");
    if (accepted_by_ != hosts || accepted_host_ != host) {
      if (!hosts->accept(host)) return unknown_host(host);
      accepted_host_ = host;
      accepted_by_ = hosts;
    }
  }
  return object_to_site(head, hosts->public_url(), tls);
}

void Server::answer(http::RequestHandle handle, const http::Response& response) {
  if (Connection* connection = find(handle)) connection->answer(response);
}

bool Server::hold(http::RequestHandle handle, uint64_t bytes) {
  Connection* connection = find(handle);
  return connection != nullptr && connection->hold(bytes);
}

void Server::drop(http::RequestHandle handle) {
  if (Connection* connection = find(handle)) connection->drop();
}

bool Server::open_answer(http::RequestHandle handle, const http::Response& head) {
  Connection* connection = find(handle);
  return connection != nullptr && connection->open_answer(head);
}

void Server::add_to_answer(http::RequestHandle handle, std::string_view piece) {
  if (Connection* connection = find(handle)) connection->add_to_answer(piece);
}

void Server::end_answer(http::RequestHandle handle) {
  if (Connection* connection = find(handle)) connection->end_answer();
}

// --- the end -------------------------------------------------------------------------------------

void Server::stop() {
  const bool again = std::exchange(stopping_, true);
  if (!again) {
    for (const auto& listener : listeners_) {
      ++closings_;
      ring_.close<&Listener::on_closed>(*listener, listener->close_op, listener->socket);
    }
  }
  for (const auto& connection : connections_) {
    if (!connection->in_use()) continue;
    if (again) {
      connection->abort();
    } else {
      connection->finish();
    }
  }
}

bool Server::stopped() const {
  return stopping_ && closings_ == 0 && connections_open_ == 0;
}

}  // namespace ringpost::ingest
