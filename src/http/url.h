#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace ringpost::http {

inline constexpr size_t url_bytes_max = 2048;

/// Where a delivery goes: what one URL means, in the one reading that everything uses - policy,
/// resolver, connection, SNI, certificate check, Host header, log and console.
struct Url {
  enum class HostKind : uint8_t { name, ipv4, ipv6 };

  bool tls = true;  ///< https.
  HostKind host_kind = HostKind::name;
  std::string host;  ///< Lower case, without brackets; addresses normalised: see parse_url.
  uint16_t port = 443;
  std::string target;  ///< Path and query, as in the request line. Begins with `/`.

  bool host_is_ip() const { return host_kind != HostKind::name; }
  /// The Host header: with brackets around IPv6, with the port if it is not the scheme's.
  std::string authority() const;
  /// The whole URL. Reading it again gives an equal Url.
  std::string text() const;

  friend bool operator==(const Url&, const Url&) = default;
};

/// Why text is refused: what follows the name of the member or option, as in "has no host", without
/// a full stop. (Of a query it is a whole sentence.)
struct UrlProblem {
  std::string reason;
};

/// Reads an absolute http or https URL: as the WHATWG URL standard does, or refuses it.
///
/// - host: ASCII letters, digits, `-`, `_` and `.`; lower-cased; no empty label, no label over 63
///   bytes, at most 253 in all. `xn--` labels must decode to letters that need no mapping tables to
///   be judged (lower-case Latin, Greek and Cyrillic, kana, Han, Hangul). A host whose last label
///   is a number is an IPv4 address in any of the standard's forms (`127.1`, `0x7f000001`,
///   `017700000001`) and becomes dotted decimal. IPv6 in brackets becomes its shortest form.
/// - port: 1 to 65535; the scheme's if absent.
/// - path and query: dot segments resolved (encoded ones too), what the standard encodes encoded.
/// - refused although the standard reads them: credentials, fragments (they are never sent),
///   backslashes, control bytes, tabs, line ends, white space at the ends, non-ASCII or encoded
///   hosts, a trailing dot, a `%` without two hexadecimal digits, other than two slashes after the
///   scheme, more than `url_bytes_max` bytes (before or after encoding).
std::variant<Url, UrlProblem> parse_url(std::string_view text);

}  // namespace ringpost::http
