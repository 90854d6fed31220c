#pragma once

// What ClientTls and ServerTls hold. For net/tls*.cc only: it shows libssl.

#include "base/clock.h"
#include "net/tls.h"

#include <openssl/ssl.h>

#include <array>
#include <mutex>
#include <string>

namespace ringpost::net {

struct CommonRoots::State {
  std::string ca_pem;
  std::mutex mutex;
  bssl::UniquePtr<SSL_CTX> context;  ///< Guarded by mutex; null until it is used.
};

struct ClientTls::State {
  bssl::UniquePtr<SSL_CTX> context;  ///< Shared by all that trust the same roots.
  bool verify = true;

  /// As ClientTls::remembers.
  bool remembers() const;
  /// Keeps a session for a later connection to `name`; forgets the oldest if there are too many.
  void keep_session(const std::string& name, bssl::UniquePtr<SSL_SESSION> session);
  /// The newest session of `name` that is still good, or null. One of TLS 1.3 is given out once: a
  /// ticket seen twice on the wire would tie two connections together (RFC 8446, C.4).
  bssl::UniquePtr<SSL_SESSION> take_session(const std::string& name, WallTime now);

  /// Remembers which group `name` chose for the key exchange.
  void keep_group(const std::string& name, uint16_t group, WallTime now);
  /// The group to send a share of, and no other: what `name` chose within the last hour; 0 if that
  /// is not known. Later the choice is left to it again: it may have learned a better one.
  uint16_t group_for(const std::string& name, WallTime now) const;

  /// Sessions and group.
  void forget_endpoint();

 private:
  void belong_to(const std::string& name);

  std::string server_name_;                               ///< Whom all this was learned from.
  std::array<bssl::UniquePtr<SSL_SESSION>, 4> sessions_;  ///< Newest first.
  WallTime group_until_{};
  uint16_t group_ = 0;
};

struct ServerTls::State {
  bssl::UniquePtr<SSL_CTX> context;
};

/// Where Debian's ca-certificates keeps the roots.
inline constexpr const char* system_roots_path = "/etc/ssl/certs/ca-certificates.crt";

/// Reads all certificates of a PEM file. Errors as ClientTls::create.
Result<bssl::UniquePtr<X509_STORE>> load_roots(const std::string& path);

}  // namespace ringpost::net
