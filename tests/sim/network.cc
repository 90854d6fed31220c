#include "sim/network.h"

#include "base/assert.h"
#include "sim/disk.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace ringpost::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration connect_patience = seconds{127};  // Linux, with six retries of the SYN.
constexpr Duration syn_retry = seconds{1};

}  // namespace

io::Address address(std::string_view ip, uint16_t port) {
  io::Address result;
  result.port = port;
  const char* at = ip.data();
  const char* const end = ip.data() + ip.size();
  for (size_t part = 0; part < 4; ++part) {
    const auto read = std::from_chars(at, end, result.ip[part]);
    RINGPOST_ASSERT(read.ec == std::errc{});
    RINGPOST_ASSERT(part == 3 ? read.ptr == end : read.ptr != end);
    at = part == 3 ? end : read.ptr + 1;
  }
  return result;
}

io::Address unix_address(std::string path) {
  io::Address result;
  result.family = io::Address::Family::unix_path;
  result.path = std::move(path);
  return result;
}

/// One side of a connection. `flight` holds what travels towards it.
struct Network::End {
  struct Flight {
    Piece piece;
    std::string bytes;
  };

  int32_t handle = -1;
  Connection* connection = nullptr;
  End* peer = nullptr;
  SocketUser* user = nullptr;
  Owner owner = Owner::outside;
  io::Address local;

  std::deque<Flight> flight;
  Instant flight_last{};  // When the last of them arrives.
  size_t flight_bytes = 0;

  std::string inbox;
  size_t inbox_taken = 0;
  uint64_t sent = 0;
  uint64_t acknowledged = 0;
  bool peer_ended = false;  // The peer's end of stream arrived.
  bool broken = false;      // A reset arrived, or went out from here.
  bool sending_ended = false;
  bool wants_room = false;  // A write was not taken whole.
  bool closed = false;

  size_t unread() const { return inbox.size() - inbox_taken; }
};

struct Network::Connection {
  uint64_t number = 0;
  End ends[2];
  size_t window = window_bytes;
  bool stalled = false;  // Nothing arrives any more, either way.
};

struct Network::Listener {
  int32_t handle = -1;
  io::Address at;
  bool reuse_port = false;
  size_t backlog = 0;
  SocketUser* user = nullptr;
  Owner owner = Owner::outside;
  std::deque<int32_t> waiting;
};

struct Network::Connecting {
  uint64_t token = 0;
  io::Address to;
  SocketUser* user = nullptr;
  Owner owner = Owner::outside;
  Instant begun{};
  int32_t established = -1;  // The handle, once the far side agreed and until the user hears it.
};

Network::Network(World& world) : world_(world) {}
Network::~Network() = default;

void Network::schedule(Duration delay, std::function<void()> run) {
  world_.schedule(world_.now() + delay, World::Kind::network, std::move(run));
}

Network::End* Network::find_end(int32_t handle) const {
  const auto found = ends_.find(handle);
  return found == ends_.end() ? nullptr : found->second;
}

Network::End& Network::end_at(int32_t handle) const {
  End* end = find_end(handle);
  RINGPOST_ASSERT(end != nullptr);  // Use of a handle that was never given out, or after close.
  RINGPOST_ASSERT(!end->closed);
  return *end;
}

bool Network::exists(int32_t handle) const {
  const End* end = find_end(handle);
  return (end != nullptr && !end->closed) || listeners_.contains(handle);
}

// --- listening -----------------------------------------------------------------------------------

namespace {

bool serves(const io::Address& listener, const io::Address& to) {
  if (listener == to) return true;
  if (listener.family != to.family || listener.port != to.port) return false;
  return listener.family != io::Address::Family::unix_path && listener.ip == io::Address{}.ip;
}

}  // namespace

const Network::Listener* Network::find_listener(const io::Address& to) const {
  for (const auto& [handle, listener] : listeners_) {
    if (serves(listener->at, to)) return listener.get();
  }
  return nullptr;
}

/// Several shards listen at one address: which one a connection goes to is the kernel's hash.
Network::Listener* Network::pick_listener(const io::Address& to) {
  std::vector<Listener*> candidates;
  for (const auto& [handle, listener] : listeners_) {
    if (serves(listener->at, to)) candidates.push_back(listener.get());
  }
  if (candidates.empty()) return nullptr;
  return candidates.size() == 1 ? candidates[0]
                                : candidates[world_.random().below(candidates.size())];
}

bool Network::listening(const io::Address& at) const {
  return find_listener(at) != nullptr;
}

Result<int32_t> Network::listen(const io::Address& at, const io::ListenOptions& options,
                                SocketUser& user, Owner owner) {
  const bool is_unix = at.family == io::Address::Family::unix_path;
  auto listener = std::make_unique<Listener>();
  listener->at = at;
  if (!is_unix && at.port == 0) listener->at.port = ++last_port_;
  for (const auto& [handle, other] : listeners_) {
    if (!(other->at == listener->at)) continue;
    if (is_unix || options.must_be_free || !other->reuse_port || !options.reuse_port) {
      return Error{Errc::conflict, Side::operator_, EADDRINUSE};
    }
  }
  if (is_unix && world_.disk().exists(at.path))
    return Error{Errc::conflict, Side::operator_, EADDRINUSE};
  stale_unix_paths_.erase(at.path);
  listener->handle = ++last_handle_;
  listener->reuse_port = options.reuse_port;
  listener->backlog = options.backlog;
  listener->user = &user;
  listener->owner = owner;
  const int32_t handle = listener->handle;
  listeners_.emplace(handle, std::move(listener));
  return handle;
}

std::optional<int32_t> Network::accept(int32_t listener, SocketUser& user) {
  const auto found = listeners_.find(listener);
  RINGPOST_ASSERT(found != listeners_.end());
  auto& waiting = found->second->waiting;
  if (waiting.empty()) return {};
  const int32_t handle = waiting.front();
  waiting.pop_front();
  end_at(handle).user = &user;
  return handle;
}

// --- connecting ----------------------------------------------------------------------------------

void Network::set_reach(const io::Address& to, Reach reach) {
  std::erase_if(reaches_, [&to](const auto& entry) { return entry.first == to; });
  if (reach != Reach::normal) reaches_.emplace_back(to, reach);
}

uint64_t Network::connect(const io::Address& to, SocketUser& user, Owner owner) {
  const uint64_t token = ++last_token_;
  auto connecting = std::make_unique<Connecting>();
  connecting->token = token;
  connecting->to = to;
  connecting->user = &user;
  connecting->owner = owner;
  connecting->begun = world_.now();
  connecting_.emplace(token, std::move(connecting));
  schedule(world_.network_latency(), [this, token] { syn(token); });
  return token;
}

/// The request for a connection arrives at the far side.
void Network::syn(uint64_t token) {
  const auto found = connecting_.find(token);
  if (found == connecting_.end()) return;
  Connecting& connecting = *found->second;
  const auto reach =
      std::ranges::find(reaches_, connecting.to, &std::pair<io::Address, Reach>::first);
  const Reach fate = reach == reaches_.end() ? Reach::normal : reach->second;
  const Duration latency = world_.network_latency();
  const Duration patience_left = connecting.begun + connect_patience - world_.now();
  if (world_.chance(world_.faults().connect_short)) return fail_connect(token, EMFILE, Duration{});
  if (fate == Reach::unreachable) return fail_connect(token, EHOSTUNREACH, latency);
  if (fate == Reach::refused || world_.chance(world_.faults().connect_refused)) {
    return fail_connect(token, ECONNREFUSED, latency);
  }
  if (fate == Reach::black_hole || world_.chance(world_.faults().connect_black_hole)) {
    return fail_connect(token, ETIMEDOUT, patience_left);
  }
  Listener* listener = pick_listener(connecting.to);
  if (listener == nullptr) return fail_connect(token, absent_errno(connecting.to), latency);
  if (listener->waiting.size() < listener->backlog) return establish(connecting, *listener);
  if (patience_left <= syn_retry) return fail_connect(token, ETIMEDOUT, syn_retry);
  schedule(syn_retry, [this, token] { syn(token); });
}

int Network::absent_errno(const io::Address& to) const {
  const bool never_was = to.family == io::Address::Family::unix_path &&
                         !stale_unix_paths_.contains(to.path) && !world_.disk().exists(to.path);
  return never_was ? ENOENT : ECONNREFUSED;
}

void Network::fail_connect(uint64_t token, int errno_value, Duration delay) {
  schedule(delay, [this, token, errno_value] {
    const auto found = connecting_.find(token);
    if (found == connecting_.end()) return;
    SocketUser* user = found->second->user;
    connecting_.erase(found);
    user->on_connected(token, -errno_value);
  });
}

io::Address Network::ephemeral_address(const io::Address& to, Owner owner) {
  io::Address from = owner == Owner::outside ? outside_address_.value_or(to) : to;
  if (to.family == io::Address::Family::unix_path) {
    from.path.clear();
  } else {
    last_port_ = last_port_ == UINT16_MAX ? 40'001 : static_cast<uint16_t>(last_port_ + 1);
    from.port = last_port_;
  }
  return from;
}

void Network::establish(Connecting& connecting, Listener& listener) {
  auto connection = std::make_unique<Connection>();
  connection->number = connecting.token;
  if (world_.chance(world_.faults().narrow_window)) connection->window = narrow_window_bytes;
  for (int side = 0; side < 2; ++side) {
    End& end = connection->ends[side];
    end.handle = ++last_handle_;
    end.connection = connection.get();
    end.peer = &connection->ends[1 - side];
    ends_.emplace(end.handle, &end);
  }
  End& near = connection->ends[0];
  End& far = connection->ends[1];
  near.user = connecting.user;
  near.owner = connecting.owner;
  near.local = ephemeral_address(connecting.to, connecting.owner);
  far.user = listener.user;
  far.owner = listener.owner;
  far.local = connecting.to;
  connections_.emplace(connection->number, std::move(connection));
  connecting.established = near.handle;
  listener.waiting.push_back(far.handle);

  const Duration latency = world_.network_latency();
  near.flight_last =
      world_.now() + latency;  // Bytes do not overtake the news that it is connected.
  schedule(latency, [this, token = connecting.token] {
    const auto found = connecting_.find(token);
    if (found == connecting_.end()) return;
    SocketUser* user = found->second->user;
    const int32_t handle = found->second->established;
    connecting_.erase(found);
    user->on_connected(token, handle);
  });
  if (world_.chance(world_.faults().connect_reset_early)) {
    const int32_t handle = near.handle;
    schedule(latency * 2, [this, handle] {
      if (End* end = find_end(handle)) break_connection(*end);
    });
  }
  listener.user->on_acceptable(listener.handle);
}

void Network::cancel_connect(uint64_t token) {
  const auto found = connecting_.find(token);
  if (found == connecting_.end()) return;
  const int32_t established = found->second->established;
  connecting_.erase(found);
  if (established >= 0) close(established);
}

io::Address Network::local_address(int32_t handle) const {
  const auto listener = listeners_.find(handle);
  return listener != listeners_.end() ? listener->second->at : end_at(handle).local;
}

io::Address Network::peer_address(int32_t handle) const {
  return end_at(handle).peer->local;
}

// --- bytes ---------------------------------------------------------------------------------------

size_t Network::room_towards(const End& end) const {
  const size_t held = end.flight_bytes + end.unread();
  return held >= end.connection->window ? 0 : end.connection->window - held;
}

int64_t Network::write(int32_t handle, Bytes bytes) {
  End& end = end_at(handle);
  if (end.broken) return -ECONNRESET;
  if (end.sending_ended) return -EPIPE;
  const Faults& faults = world_.faults();
  const size_t room = room_towards(*end.peer);
  size_t taken = std::min(bytes.size(), room);
  if (taken > 1 && world_.chance(faults.short_send)) taken = world_.random().between(1, taken);
  if (taken < bytes.size()) {
    end.wants_room = true;
    if (taken < room) {  // Short for no reason of the peer's: nobody else would say "go on".
      schedule(world_.network_latency(), [this, handle] {
        End* writer = find_end(handle);
        if (writer == nullptr || writer->closed || !writer->wants_room) return;
        writer->wants_room = false;
        writer->user->on_writable(handle);
      });
    }
  }
  if (taken == 0) return 0;
  end.sent += taken;
  if (world_.chance(faults.stall)) end.connection->stalled = true;
  if (world_.chance(faults.reset)) {
    transmit(end, bytes.first(world_.random().below(taken + 1)));
    break_connection(end);
    return static_cast<int64_t>(taken);  // The kernel took them; that they are lost shows later.
  }
  transmit(end, bytes.first(taken));
  return static_cast<int64_t>(taken);
}

void Network::transmit(End& from, Bytes bytes) {
  size_t pieces = 1;
  if (world_.chance(world_.faults().segment)) pieces = world_.random().between(2, 8);
  for (; !bytes.empty(); --pieces) {
    const size_t size = pieces > 1 ? world_.random().between(1, bytes.size()) : bytes.size();
    Duration extra{};
    if (world_.chance(world_.faults().delay)) extra = world_.between({}, milliseconds{200});
    send_piece(*from.peer, Piece::data, std::string{as_text(bytes.first(size))}, extra);
    bytes = bytes.subspan(size);
    if (pieces == 1) return;
  }
}

void Network::send_piece(End& to, Piece piece, std::string bytes, Duration extra) {
  to.flight_bytes += bytes.size();
  to.flight.push_back({piece, std::move(bytes)});
  // Never before the one sent earlier: a stream does not reorder.
  to.flight_last = std::max(to.flight_last, world_.now() + world_.network_latency() + extra);
  world_.schedule(to.flight_last, World::Kind::network,
                  [this, handle = to.handle] { arrive(handle); });
}

void Network::arrive(int32_t handle) {
  End* end = find_end(handle);
  if (end == nullptr || end->flight.empty()) return;  // Dropped in the meantime.
  if (end->connection->stalled) return;
  End::Flight flight = std::move(end->flight.front());
  end->flight.pop_front();
  end->flight_bytes -= flight.bytes.size();
  world_.note(static_cast<uint64_t>(handle) << 32 | flight.bytes.size());
  switch (flight.piece) {
    case Piece::data: return arrive_data(*end, std::move(flight.bytes));
    case Piece::reset: return arrive_reset(*end);
    case Piece::end:
      end->peer_ended = true;
      if (!end->closed) end->user->on_readable(handle);
      return;
  }
}

void Network::arrive_data(End& end, std::string bytes) {
  if (end.closed) {  // Nobody is there to read: the sender is told so.
    if (!end.peer->closed && !end.peer->broken) send_piece(*end.peer, Piece::reset, {}, {});
    return;
  }
  if (end.broken) return;
  end.peer->acknowledged += bytes.size();
  if (end.inbox_taken == end.inbox.size()) {
    end.inbox = std::move(bytes);
    end.inbox_taken = 0;
  } else {
    end.inbox += bytes;
  }
  end.user->on_readable(end.handle);
}

void Network::arrive_reset(End& end) {
  if (end.broken || end.closed) return;
  end.broken = true;
  // Whether bytes that arrived before the reset can still be read differs between systems.
  if (world_.random().chance(1, 2)) {
    end.inbox.clear();
    end.inbox_taken = 0;
  }
  const int32_t handle = end.handle;
  SocketUser* user = end.user;
  user->on_readable(handle);
  if (End* still = find_end(handle); still != nullptr && !still->closed && still->wants_room) {
    still->wants_room = false;
    user->on_writable(handle);
  }
}

uint64_t Network::unacknowledged_bytes(int32_t handle) const {
  const End& end = end_at(handle);
  return end.sent - end.acknowledged;
}

size_t Network::readable_bytes(int32_t handle) const {
  return end_at(handle).unread();
}

std::string Network::read(int32_t handle, size_t bytes_max) {
  End& end = end_at(handle);
  std::string bytes = end.inbox.substr(end.inbox_taken, bytes_max);
  end.inbox_taken += bytes.size();
  if (end.unread() == 0) {
    end.inbox.clear();
    end.inbox_taken = 0;
  }
  if (End& writer = *end.peer; writer.wants_room && room_towards(end) > 0) {
    writer.wants_room = false;
    schedule(world_.network_latency(), [this, to = writer.handle] {
      End* waiting = find_end(to);
      if (waiting != nullptr && !waiting->closed) waiting->user->on_writable(to);
    });
  }
  return bytes;
}

std::optional<int32_t> Network::end_of_stream(int32_t handle) const {
  const End& end = end_at(handle);
  if (end.unread() > 0) return {};
  if (end.peer_ended) return 0;  // Linux says so also after a reset that came behind it.
  if (end.broken) return -ECONNRESET;
  return {};
}

// --- ends ----------------------------------------------------------------------------------------

void Network::shutdown_send(int32_t handle) {
  End& end = end_at(handle);
  if (end.broken || end.sending_ended) return;
  end.sending_ended = true;
  send_piece(*end.peer, Piece::end, {}, {});
}

void Network::close(int32_t handle) {
  if (listeners_.contains(handle)) return close_listener(handle);
  End& end = end_at(handle);
  if (!end.broken && end.unread() > 0) {
    drop_in_flight_tail(*end.peer);
    send_piece(*end.peer, Piece::reset, {}, {});
  } else if (!end.broken && !end.sending_ended) {
    send_piece(*end.peer, Piece::end, {}, {});
  }
  close_end(end);
}

void Network::close_end(End& end) {
  end.closed = true;
  end.user = nullptr;
  end.inbox.clear();
  end.inbox_taken = 0;
  release_if_over(*end.connection);
}

void Network::reset(int32_t handle) {
  End& end = end_at(handle);
  if (!end.broken) {
    drop_in_flight_tail(*end.peer);
    send_piece(*end.peer, Piece::reset, {}, {});
  }
  close_end(end);
}

/// Somebody on the way breaks the connection: both ends hear of it, each in its time.
void Network::break_connection(End& from) {
  for (End* end : {from.peer, &from}) {
    if (!end->closed && !end->broken) send_piece(*end, Piece::reset, {}, {});
  }
}

/// A reset overtakes what is on its way to `end`: how much of it arrived first is chance.
void Network::drop_in_flight_tail(End& end) {
  const size_t kept = world_.random().below(end.flight.size() + 1);
  while (end.flight.size() > kept) {
    end.flight_bytes -= end.flight.back().bytes.size();
    end.flight.pop_back();
  }
}

void Network::release_if_over(Connection& connection) {
  if (!connection.ends[0].closed || !connection.ends[1].closed) return;
  for (const End& end : connection.ends) ends_.erase(end.handle);
  connections_.erase(connection.number);
}

void Network::close_listener(int32_t handle) {
  const auto found = listeners_.find(handle);
  const std::deque<int32_t> waiting = std::move(found->second->waiting);
  if (found->second->at.family == io::Address::Family::unix_path) {
    stale_unix_paths_.insert(found->second->at.path);  // Closing does not remove the name.
  }
  listeners_.erase(found);
  for (const int32_t connection : waiting) reset(connection);
}

void Network::crash_process(Crash kind) {
  std::vector<int32_t> ours;
  for (const auto& [handle, listener] : listeners_) {
    if (listener->owner == Owner::process) ours.push_back(handle);
  }
  for (const int32_t handle : ours) close_listener(handle);
  std::erase_if(connecting_, [](const auto& entry) {
    return entry.second->owner == Owner::process && entry.second->established < 0;
  });
  ours.clear();
  for (const auto& [handle, end] : ends_) {
    if (end->owner == Owner::process && !end->closed) ours.push_back(handle);
  }
  for (const int32_t handle : ours) {
    // A connection within the process (it delivers to itself) may be gone with its other end.
    if (!exists(handle)) continue;
    kind == Crash::kill ? close(handle) : reset(handle);
  }
  std::erase_if(connecting_,
                [](const auto& entry) { return entry.second->owner == Owner::process; });
}

void Network::drop_user(SocketUser& user) {
  std::erase_if(connecting_, [this, &user](const auto& entry) {
    return entry.second->user == &user && entry.second->established < 0;
  });
  std::vector<int32_t> theirs;
  for (const auto& [handle, listener] : listeners_) {
    if (listener->user == &user) theirs.push_back(handle);
  }
  for (const auto& [handle, end] : ends_) {
    if (end->user == &user && !end->closed) theirs.push_back(handle);
  }
  for (const int32_t handle : theirs) {
    if (exists(handle)) close(handle);
  }
  std::erase_if(connecting_, [&user](const auto& entry) { return entry.second->user == &user; });
}

}  // namespace ringpost::sim
