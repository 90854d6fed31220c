#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/tls_session.h"
#include "io/ring.h"
#include "net/tls.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::net {

/// Who uses a Stream. Calls come from the ring's turn, never from inside a call into the Stream.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  /// `connect` has a connection; with TLS its handshake begins.
  virtual void on_stream_connected() {}
  /// Bytes may be sent: at once for plain streams, after the handshake for TLS.
  virtual void on_stream_open() = 0;
  /// Plain text arrived; lent until return. Not called while paused.
  virtual void on_stream_bytes(Bytes bytes) = 0;
  /// Everything given to `send` was handed to the kernel.
  virtual void on_stream_sent() = 0;
  /// The peer's side has ended: nothing (its clean end of stream) or an error. Called once; a
  /// second time only if after a clean end our own sending fails too. After a clean end bytes may
  /// still be sent. `close` is still the owner's to call. Not called after `close`.
  virtual void on_stream_end(std::optional<Error> error) = 0;
  /// The last call: the stream may be destroyed (or opened again), from within this call too.
  virtual void on_stream_closed() = 0;
};

/// One connection, plain or TLS, client or server side, over an io::Ring.
///
/// Keeps no buffers while nothing moves: received bytes are passed on straight from the ring's
/// buffers (plain) or as they are decrypted (TLS), and the send buffer is given back when sent.
class Stream {
 public:
  explicit Stream(io::Ring& ring, StreamOwner& owner, io::ReceiveGroup group);
  ~Stream();  // Only when closed or never opened.

  /// Connects to `address`; with `tls`, makes the handshake for `server_name` (a host name or an IP
  /// address without brackets) and verifies it. `tls` must live until on_stream_closed.
  void connect(const io::Address& address, ClientTls* tls, const std::string& server_name);
  /// Takes over an accepted socket. A plain one may be sent to at once; on_stream_open still comes.
  void adopt(io::Socket socket, ServerTls* tls);

  /// Sends `head` then `body` after what was given before; with TLS sealed together, in as few
  /// records as fit. Copied: nothing stays lent. Allowed while earlier bytes are under way, and
  /// after the peer's clean end. Does nothing once the stream broke or `close` was called.
  void send(Bytes head, Bytes body = {});

  /// Stops and restarts reading (back pressure). While paused, at most what one turn of the ring
  /// had taken in already is held (128 KiB, sealed still if TLS). It is passed on within one timer
  /// tick of `resume`.
  void pause();
  void resume();

  /// Ends the stream: in order (close notice, end of stream) if `graceful` and the handshake was
  /// done, after what was given to `send` (a peer that does not read it has 30 s); the peer's
  /// remaining bytes are thrown away for at most 2 s, so that a reset does not overtake our last
  /// answer. Else at once. Ends in on_stream_closed. May be called in any state, also again to
  /// hasten a graceful close; does nothing to a stream that is closed or was never opened.
  void close(bool graceful);

  bool open() const;              ///< Between on_stream_open and its end.
  uint64_t queued_bytes() const;  ///< Given to `send` and not yet handed to the kernel.
  /// Whether some of what was given to `send` was not handed to the kernel, or never will be.
  bool unsent() const;
  /// How much of what was given to `send` and handed to the kernel the peer's system is not known
  /// to have, in bytes as sent (sealed if TLS): the rules of io::Ring::unacknowledged_bytes hold.
  /// Costs a system call. Until `close`.
  uint64_t unacknowledged_bytes() const;
  const io::Address& peer() const;
  /// Empty for plain streams, before the handshake's end, and once the stream is closed.
  TlsSession tls_session() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ringpost::net
