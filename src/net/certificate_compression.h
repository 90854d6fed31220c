#pragma once

// Certificates that travel compressed (RFC 8879), by brotli. For net/tls*.cc only: it shows libssl.

#include <openssl/ssl.h>

namespace ringpost::net {

/// Lets servers send `context`'s connections their certificates compressed. What comes
/// may be made to grow: its stated size is held to the library's limit for certificates (100 KB),
/// and more than that is never unpacked.
void accept_compressed_certificates(SSL_CTX* context);

/// Lets `context` send its certificates compressed to clients that ask for it. The work is done
/// once, in the first such handshake (some milliseconds), and kept for all that share the context.
void send_compressed_certificates(SSL_CTX* context);

}  // namespace ringpost::net
