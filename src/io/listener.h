#pragma once

#include "io/address.h"
#include "io/completion.h"
#include "io/ring.h"

namespace ringpost::io {

/// Ring::listen on a real kernel: binds and listens, blocking. TCP_NODELAY is set on the listener,
/// because accepted sockets inherit it. An address in use is Errc::conflict, one that we may not
/// bind is Errc::not_permitted, both Side::operator_.
Result<Socket> open_listener(const Address& address, const ListenOptions& options);

}  // namespace ringpost::io
