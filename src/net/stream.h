#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "io/ring.h"
#include "net/tls.h"

namespace ringpost::net {

/// Who uses a Stream. Calls come from the ring's turn, never from inside a call into the Stream.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  /// Bytes may be sent: at once for plain streams, after the handshake for TLS.
  virtual void on_stream_open() = 0;
  /// Plain text arrived; lent until return. Not called while paused.
  virtual void on_stream_bytes(Bytes bytes) = 0;
  /// Everything given to `send` was handed to the kernel.
  virtual void on_stream_sent() = 0;
  /// The stream is over: nothing (a clean end of stream by the peer) or an error. Called at most
  /// once; `close` is still the owner's to call. Not called after `close`.
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

  /// Connects to `address`; with `tls`, makes the handshake for `server_name` and verifies it.
  void connect(const io::Address& address, ClientTls* tls, const std::string& server_name);
  /// Takes over an accepted socket.
  void adopt(io::Socket socket, ServerTls* tls);

  /// Sends `head` then `body` after what was given before; with TLS sealed together, in as few
  /// records as fit. Copied: nothing stays lent. Allowed while earlier bytes are under way.
  void send(Bytes head, Bytes body = {});

  /// Stops and restarts reading (back pressure). While paused at most what the kernel buffers and
  /// 64 KiB arrive.
  void pause();
  void resume();

  /// Ends the stream: in order (close notice, end of stream) if `graceful` and the handshake was
  /// done, after what was given to `send`; the peer's remaining bytes are thrown away for at most
  /// 2 s, so that a reset does not overtake our last answer. Else at once. Ends in
  /// on_stream_closed. May be called in any state, also again to hasten a graceful close.
  void close(bool graceful);

  bool open() const;              ///< Between on_stream_open and its end.
  uint64_t queued_bytes() const;  ///< Given to `send` and not yet handed to the kernel.
  const io::Address& peer() const;
  /// TLS only: "TLSv1.3", whether the session was resumed.
  std::string_view tls_version() const;
  bool tls_resumed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ringpost::net
