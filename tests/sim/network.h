#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/address.h"
#include "io/ring.h"
#include "sim/world.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::sim {

/// An IPv4 address from text; for tests, so a wrong one is an assertion.
io::Address address(std::string_view ip, uint16_t port);
io::Address unix_address(std::string path);

/// Who uses sockets of the network directly: a ring for the relay, a peer for the world outside.
/// Called from the world's step. A user may close and open sockets in these calls.
class SocketUser {
 public:
  virtual ~SocketUser() = default;
  /// A connection waits in the backlog of `listener`.
  virtual void on_acceptable(int32_t listener) = 0;
  /// @param result  a handle, or minus an errno.
  virtual void on_connected(uint64_t token, int32_t result) = 0;
  /// Bytes, the end of the stream or a reset arrived.
  virtual void on_readable(int32_t handle) = 0;
  /// After a write that was not taken whole: there is room again, or the stream is broken.
  virtual void on_writable(int32_t handle) = 0;
};

/// Whether a socket belongs to the relay process, and so ends with it.
enum class Owner : uint8_t { process, outside };

/// What happens to whoever connects to an address, beyond chance.
enum class Reach : uint8_t { normal, refused, black_hole, unreachable };

/// Streams between addresses, with the latencies and faults of the world. Bytes of one direction of
/// one connection arrive in order; there is no other order. Handles are never used twice, so that
/// use after close is always noticed.
class Network {
 public:
  static constexpr size_t window_bytes = 64 * 1024;  ///< On their way and unread, per direction.
  static constexpr size_t narrow_window_bytes = 512;

  explicit Network(World& world);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // --- for tests --------------------------------------------------------------------------------

  /// From now on, connects to `to` end like this.
  void set_reach(const io::Address& to, Reach reach);
  /// Whoever connects from outside from now on comes from there; the port is not used. Before: from
  /// the address that they connect to.
  void set_outside_address(const io::Address& from) { outside_address_ = from; }
  /// Connections that exist, counted once, however many ends are open.
  size_t connection_count() const { return connections_.size(); }
  bool listening(const io::Address& at) const;

  // --- for users --------------------------------------------------------------------------------

  /// @returns a handle; Errc::conflict if the address is taken.
  Result<int32_t> listen(const io::Address& at, const io::ListenOptions& options, SocketUser& user,
                         Owner owner);
  /// Takes a connection from the backlog; nothing if there is none.
  std::optional<int32_t> accept(int32_t listener, SocketUser& user);

  /// The user hears the end of it in `on_connected`, under the returned token.
  uint64_t connect(const io::Address& to, SocketUser& user, Owner owner);
  void cancel_connect(uint64_t token);

  io::Address local_address(int32_t handle) const;
  io::Address peer_address(int32_t handle) const;
  bool exists(int32_t handle) const;

  /// How many bytes are taken: fewer than given (0, too) if the window is full, and `on_writable`
  /// follows; or minus an errno.
  int64_t write(int32_t handle, Bytes bytes);
  /// Of those taken, what has not arrived at a peer that was there to take it.
  uint64_t unacknowledged_bytes(int32_t handle) const;
  /// Bytes that have arrived.
  size_t readable_bytes(int32_t handle) const;
  /// Takes up to `bytes_max` of them.
  std::string read(int32_t handle, size_t bytes_max);
  /// How the stream ended, once there are no more bytes: nothing if it has not; 0 for the peer's
  /// end of stream; minus an errno.
  std::optional<int32_t> end_of_stream(int32_t handle) const;

  void shutdown_send(int32_t handle);
  /// Closes a listener or one end. With unread bytes the peer is sent a reset, which overtakes what
  /// was on its way to it, as a kernel does; else what was written still arrives, then the end.
  void close(int32_t handle);
  /// Breaks the connection from this end.
  void reset(int32_t handle);

  /// Closes or breaks all sockets of the process.
  void crash_process(Crash kind);
  /// Forgets `user`: closes what it has open and calls it no more.
  void drop_user(SocketUser& user);

 private:
  struct Connection;
  struct End;
  struct Listener;
  struct Connecting;
  enum class Piece : uint8_t { data, end, reset };

  void schedule(Duration delay, std::function<void()> run);
  End& end_at(int32_t handle) const;
  End* find_end(int32_t handle) const;
  const Listener* find_listener(const io::Address& to) const;
  Listener* pick_listener(const io::Address& to);

  void syn(uint64_t token);
  void fail_connect(uint64_t token, int errno_value, Duration delay);
  void establish(Connecting& connecting, Listener& listener);
  io::Address ephemeral_address(const io::Address& to, Owner owner);
  int absent_errno(const io::Address& to) const;

  void transmit(End& from, Bytes bytes);
  void send_piece(End& to, Piece piece, std::string bytes, Duration extra);
  void arrive(int32_t handle);
  void arrive_data(End& end, std::string bytes);
  void arrive_reset(End& end);
  void break_connection(End& from);
  void drop_in_flight_tail(End& end);
  void release_if_over(Connection& connection);
  void close_end(End& end);
  void close_listener(int32_t handle);
  size_t room_towards(const End& end) const;

  World& world_;
  int32_t last_handle_ = 2;  // Looks like a descriptor: 0 to 2 are taken.
  uint64_t last_token_ = 0;
  std::optional<io::Address> outside_address_;
  uint16_t last_port_ = 40'000;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::map<int32_t, End*> ends_;
  std::map<int32_t, std::unique_ptr<Listener>> listeners_;
  std::map<uint64_t, std::unique_ptr<Connecting>> connecting_;
  std::vector<std::pair<io::Address, Reach>> reaches_;
  std::set<std::string> stale_unix_paths_;  // Left behind by a process that died.
};

}  // namespace ringpost::sim
