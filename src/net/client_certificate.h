#pragma once

#include "base/result.h"

namespace ringpost::net {

/// Whether the peer ended a connection because of the certificate that it was shown, or was not.
/// Servers of TLS 1.2 may say no more than that the handshake failed.
bool is_about_client_certificate(const Error& error);

}  // namespace ringpost::net
