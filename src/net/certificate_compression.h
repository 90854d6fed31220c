#pragma once

// Certificates that come compressed (RFC 8879). For net/tls*.cc only: it shows libssl.

#include <openssl/ssl.h>

namespace ringpost::net {

/// Lets servers send `context`'s connections their certificates compressed, by brotli. What comes
/// may be made to grow: its stated size is held to the library's limit for certificates (100 KB),
/// and more than that is never unpacked.
void accept_compressed_certificates(SSL_CTX* context);

}  // namespace ringpost::net
