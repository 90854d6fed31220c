#pragma once

// One TLS connection without its socket. For net/stream.cc and tests: it shows libssl.

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/tls.h"

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

namespace ringpost::net {

/// Turns lent bytes of the peer into plain text, and plain text into sealed records appended to the
/// caller's buffer. Keeps no buffers: the library holds an incomplete record's bytes,
/// nothing else.
class TlsEngine {
 public:
  enum class Progress : uint8_t {
    done,         ///< Handshake: complete. Read: `size` bytes of plain text.
    wants_bytes,  ///< All that was lent is used up.
    ended,        ///< Read: the peer's close notice.
    failed,       ///< See `error`; an alert for the peer may have been written.
  };

  /// @param server_name  host name or IP address (no brackets) to verify; names also go out as SNI.
  /// @returns Errc::malformed for a name that no certificate can carry.
  static Result<std::unique_ptr<TlsEngine>> for_client(ClientTls& tls,
                                                       const std::string& server_name,
                                                       WallTime now);
  static std::unique_ptr<TlsEngine> for_server(ServerTls& tls, WallTime now);
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine();

  /// Lends bytes to the calls that follow, until they are used up or `take_rest`.
  void lend(Bytes input, WallTime now);
  Bytes take_rest();

  Progress handshake(std::string& out);
  /// Opens one record: `into` has room for 16,384 bytes.
  Progress read(MutableBytes into, size_t& size, std::string& out);
  /// Seals all of `plain`. @returns false if it failed.
  bool write(Bytes plain, std::string& out);
  void write_close_notice(std::string& out);

  /// Why it failed. A certificate's fault differs from the protocol's.
  const Error& error() const { return error_; }
  /// After the handshake.
  TlsSession session() const;

  // Callbacks for the contexts.
  static void tell_time(const SSL* ssl, timeval* out);
  static int keep_session(SSL* ssl, SSL_SESSION* session);
  static int judge_certificate(int verified, X509_STORE_CTX* context);

 private:
  TlsEngine(SSL_CTX* context, ClientTls::State* client, WallTime now);

  Result<void> expect_name(const std::string& server_name);
  Progress after(int result);
  static const BIO_METHOD* method();
  static int read_input(BIO* bio, char* into, int size);
  static int write_output(BIO* bio, const char* from, int size);

  bssl::UniquePtr<SSL> ssl_;
  ClientTls::State* const client_;  // Null on the server's side; outlives us.
  std::string server_name_;
  Bytes input_;
  std::string* out_ = nullptr;  // Only while a call that writes is running.
  WallTime now_;
  Error error_{Errc::tls_failed};
};

}  // namespace ringpost::net
