#pragma once

#include "base/counters.h"
#include "base/intrusive_list.h"
#include "base/result.h"
#include "ingest/answers.h"
#include "ingest/backend.h"
#include "ingest/body_budget.h"
#include "ingest/connection.h"
#include "ingest/known_hosts.h"
#include "io/ring.h"
#include "net/stream.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::ingest {

/// What a peer may take of us: bytes, counts, and time in all (reliability rule 5).
struct ServerLimits {
  uint32_t connections_max = 10'000;  ///< Per shard.
  /// Of these, kept for listeners that take no events: an operator can look at a flooded relay.
  uint32_t connections_reserved = 64;
  /// From one address (of IPv6: one /64), per shard. Peers on this machine have no such bound: they
  /// are a proxy in front of us, or nobody that this could keep out.
  uint32_t connections_per_address_max = 1'000;
  uint64_t bodies_bytes_max = uint64_t{256} << 20;  ///< Of all requests under way; BodyBudget.

  Duration head_time = std::chrono::seconds{10};  ///< From accept or first byte; TLS included.
  Duration idle_time = std::chrono::seconds{75};  ///< Between requests.
  /// For a body, and for an answer to be taken: this, and a second for each `bytes_per_second`.
  Duration transfer_time = std::chrono::seconds{30};
  uint32_t bytes_per_second_min = 64 * 1024;
  /// A body of which fewer than `pace_bytes` came within `pace_time` is given up.
  Duration pace_time = std::chrono::seconds{10};
  uint32_t pace_bytes = 10 * 1024;

  /// What a request's Host may say, but for peers on a Unix socket; null: anything.
  std::shared_ptr<const KnownHosts> hosts;
};

/// The HTTP/1.1 server of one shard: connections over plain, TLS and Unix sockets, one request at a
/// time on each; what it reads it hands to a Backend.
///
/// Life: `listen` for each listener, turns of the ring, `stop`, turns until `stopped()`,
/// destruction.
class Server final : public Answers {
 public:
  Server(io::Ring& ring, Counters& counters, Backend& backend, const ServerLimits& limits);
  ~Server() override;  // When stopped() or without listeners.

  struct ListenerOptions {
    io::Address address;
    io::ListenOptions socket;
    std::shared_ptr<net::ServerTls> tls;  ///< Shared with other shards' servers; null: plain.
    Serves serves;
  };

  /// Opens a listener and begins to accept. Blocking; at start-up only.
  /// @returns its address, with the port that the kernel chose.
  Result<io::Address> listen(const ListenerOptions& options);

  /// From now on. Connections that are there stay, also beyond the new limit; a time that runs for
  /// one of them already ends as it was set.
  void set_limits(const ServerLimits& limits);
  /// Connections to come get this certificate. @param listener  counts `listen`, from 0; TLS is
  /// neither switched on nor off.
  void set_tls(size_t listener, std::shared_ptr<net::ServerTls> tls);

  void answer(http::RequestHandle handle, const http::Response& response) override;
  bool hold(http::RequestHandle handle, uint64_t bytes) override;
  void drop(http::RequestHandle handle) override;

  /// Begins an answer whose body comes in pieces. No time limits it as long as the client takes
  /// what it is given (ServerLimits::transfer_time), and it never gives way to another connection.
  /// A client that ends its side of the connection is taken for gone. Backend::on_pieces_taken says
  /// when there is room again: what is given and not taken is kept in memory.
  /// @param head  with an empty body.
  /// @returns whether pieces are wanted. If not, the answer is over: a HEAD, or the client has
  /// gone.
  bool open_answer(http::RequestHandle handle, const http::Response& head);
  /// One more piece, not empty; copied. Stale handles are ignored, here and below.
  void add_to_answer(http::RequestHandle handle, std::string_view piece);
  /// The body is complete. The connection may be kept for a next request.
  void end_answer(http::RequestHandle handle);

  /// Closes the listeners, and connections that wait for a second request; what was begun is read
  /// and answered, and its connection closed then. Connections that have just been made get a
  /// moment for their request. Called again: closes everything at once.
  void stop();
  bool stopped() const;

  uint32_t connection_count() const { return connections_open_; }

 private:
  friend class Connection;
  struct Listener;
  struct Closer;

  /// Whose connections are counted together: an IPv4 address, or the /64 of an IPv6 one.
  using Source = std::array<uint8_t, 16>;
  using Waiting = IntrusiveList<Connection, &Connection::waiting_link>;

  void on_accepted(Listener& listener, const io::Outcome& outcome);
  bool make_room(const Listener& listener);
  void turn_away(io::Socket socket);
  Waiting& waiting(const Serves& serves) {
    return serves.takes_events() ? waiting_ : waiting_reserved_;
  }
  static std::optional<Source> source_of(const io::Address& peer);
  bool admit(const Source& source);
  void dismiss(const Source& source);
  Connection& take_connection();
  void release(Connection& connection);
  Connection* find(http::RequestHandle handle) const;
  std::optional<http::Problem> object_to_browser(const http::Request& head, bool tls,
                                                 const io::Address& peer);

  // Constant.
  io::Ring& ring_;
  Counters& counters_;
  Backend& backend_;

  ServerLimits limits_;

  BodyBudget bodies_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  /// By RequestHandle::index. Made as needed, used again, never given back.
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> free_;
  std::vector<std::unique_ptr<Closer>> closers_;
  uint32_t connections_open_ = 0;
  uint32_t connections_leaving_ = 0;  ///< Of these, closed to make room.
  /// Connections without a request, those that have waited longest for a head first; those of
  /// listeners that take no events apart.
  Waiting waiting_;
  Waiting waiting_reserved_;
  /// How many connections each has. Not a hash table: outsiders choose the keys.
  std::map<Source, uint32_t> sources_;
  uint32_t closings_ = 0;  ///< Of listeners and of sockets turned away.
  bool stopping_ = false;
  /// The Host that was accepted last, and by what: most requests have the same.
  std::string accepted_host_;
  std::shared_ptr<const KnownHosts> accepted_by_;
  std::string scratch_;  ///< The answer being written; all connections share its memory.
};

}  // namespace ringpost::ingest
