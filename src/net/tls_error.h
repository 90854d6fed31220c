#pragma once

// Maps the library's errors once, at the edge. For net/tls*.cc only: it shows libssl.

#include "base/result.h"

#include <openssl/ssl.h>

namespace ringpost::net {

/// Why the last call on `ssl` failed, from this thread's error queue (emptied): certificate_invalid
/// with the X509_V_ERR_*, or tls_failed with the SSL_R_* (of another library: packed with its
/// number). `side` is the peer.
Error tls_error(const SSL* ssl, Side side);

}  // namespace ringpost::net
