#pragma once

#include <openssl/base.h>

#include <span>
#include <string>

namespace ringpost::crypto {

// Parts of certificates that we make ourselves: those of ringpost-sink and of the tests. None can
// fail but for want of memory or a wrong argument, which end the process.

/// A number that no other certificate of the issuer has: 63 random bits.
void set_random_serial(X509* certificate);

/// RFC 5280, 4.2.1.9 and 4.2.1.3: the certificate signs others.
/// @param signs_authorities  whether those may sign in turn.
void mark_as_authority(X509* certificate, bool signs_authorities);

/// Likewise: the certificate signs no others, only handshakes.
void mark_as_leaf(X509* certificate);

/// RFC 5280, 4.2.1.12.
/// @param purpose  NID_server_auth or NID_client_auth.
void set_purpose(X509* certificate, int purpose);

/// RFC 5280, 4.2.1.6: whom the certificate speaks for, in this order; at least one.
/// @param addresses  of IPv4 or IPv6, as text.
void set_alternative_names(X509* certificate, std::span<const std::string> dns_names,
                           std::span<const std::string> addresses);

}  // namespace ringpost::crypto
