#pragma once

#include "http/url.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace ringpost::http {

/// The host of a URL, read: part of parse_url.
struct Host {
  Url::HostKind kind = Url::HostKind::name;
  std::string text;  ///< As in Url::host.
};
std::variant<Host, UrlProblem> parse_host(std::string_view text);

/// The eight pieces of an IPv6 address, as the WHATWG URL standard's "IPv6 parser" reads them (also
/// with a dotted IPv4 tail; no zone). Nothing if it is none.
std::optional<std::array<uint16_t, 8>> parse_ipv6(std::string_view text);
/// The shortest form (RFC 5952, without its dotted tails), as the standard's "IPv6 serializer".
std::string ipv6_text(const std::array<uint16_t, 8>& pieces);

/// Whether the standard's "ends in a number checker" takes `host` for an IPv4 address; if so it is
/// one, or no host at all.
bool ends_in_number(std::string_view host);
/// The standard's "IPv4 parser": one to four decimal, octal or hexadecimal numbers.
std::optional<uint32_t> parse_ipv4(std::string_view host);

/// Whether what follows `xn--`, in lower case, decodes (RFC 3492) to text that the standard surely
/// accepts unchanged: see parse_url.
bool acceptable_punycode(std::string_view encoded);

}  // namespace ringpost::http
