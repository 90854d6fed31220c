#pragma once

#include "http/message.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringpost::http {

/// How an API takes a token in the header Authorization.
enum class TokenForm : uint8_t {
  bearer,  ///< `Bearer <token>` (RFC 6750, 2.1)
  bare,    ///< `<token>`
  either,
};

/// A token of ours is far shorter; what is longer is none, and is not hashed.
inline constexpr size_t token_bytes_max = 256;

/// The value of the one header of this name; empty if there is none, or more than one: what can be
/// read in two ways proves nothing.
std::string_view only_header(const Request& request, std::string_view name);

/// The token that a request shows.
/// @param other_header  the name of a header that may hold the bare token where there is no
///                      Authorization; empty: none may.
/// @returns a view into the request; empty if there is no such header, more than one (they can be
///          read in two ways), one of another form, or a token that is too long.
std::string_view presented_token(const Request& request, TokenForm form,
                                 std::string_view other_header = {});

}  // namespace ringpost::http
