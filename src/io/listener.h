#pragma once

#include "io/address.h"
#include "io/completion.h"
#include "io/ring.h"

#include <string>

namespace ringpost::io {

/// Ring::listen on a real kernel: binds and listens, blocking. TCP_NODELAY is set on the listener,
/// because accepted sockets inherit it. An address in use is Errc::conflict (EEXIST: by a file that
/// is no socket), one that we may not bind is Errc::not_permitted, both Side::operator_.
Result<Socket> open_listener(const Address& address, const ListenOptions& options);

/// Takes `socket`, which whoever started this process has opened, for the address that it is bound
/// to: open_listener opens no other there but hands out duplicates of it, which take turns with its
/// connections. Closing those closes no listener: connections wait in it for the next process.
/// Before the first ring.
/// @returns the address; Errc::unsupported if it is no stream socket that listens, Errc::conflict
/// if
///          there is one for this address already. On failure nothing is taken.
Result<Address> adopt_listener(int socket);
/// Whether the socket at `address` is such a one.
bool is_adopted(const Address& address);

/// Whether open_listener could succeed at `address` for this machine as it is: the address is one
/// of its own, the directory of a path is there, and no other file is in the way. Who listens there
/// now, and what this process may do, does not count. Leaves nothing behind.
/// @returns as open_listener.
Result<void> check_address(const Address& address);

/// Whether the two are one place: paths may be written in several ways.
bool same_address(const Address& one, const Address& other);

/// Whether a process that listens at one of the two cannot listen at the other as well: the same
/// path, or the same port of one address or of all of them. Port 0 is a new one each time.
bool collide(const Address& one, const Address& other);

/// One line, no newline: that nobody can listen at `address`, why, and how to mend it.
/// @param error  what Ring::listen answered.
std::string explain_listen_failure(const Address& address, const Error& error);

}  // namespace ringpost::io
