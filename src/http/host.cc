#include "http/host.h"

#include "http/syntax.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace ringpost::http {
namespace {

/// One number of an IPv4 address: `0x` hexadecimal, `0` octal, else decimal; "0x" alone is 0.
std::optional<uint64_t> parse_ipv4_number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  unsigned base = 10;
  if (text.size() >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() >= 2 && text[0] == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  uint64_t value = 0;
  for (const char byte : text) {
    const auto digit = hex_value(byte);
    if (!digit || *digit >= base) return std::nullopt;
    value = std::min<uint64_t>(value * base + *digit, uint64_t{1} << 40);  // Large stays too large.
  }
  return value;
}

/// The part of a dotted name after its last dot.
std::string_view last_label(std::string_view host) {
  const size_t dot = host.rfind('.');
  return dot == std::string_view::npos ? host : host.substr(dot + 1);
}

std::string ipv4_text(uint32_t address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += std::to_string(address >> shift & 0xFF);
    if (shift != 0) text += '.';
  }
  return text;
}

/// Four decimal numbers without leading zeros: the only IPv4 form within IPv6.
std::optional<uint32_t> parse_dotted_tail(std::string_view text) {
  uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (part == 3)) return std::nullopt;
    const std::string_view number = text.substr(0, dot);
    const auto value = parse_decimal(number);
    if (!value || *value > 255) return std::nullopt;
    if (number.size() > 1 && number.front() == '0') return std::nullopt;
    address = address << 8 | static_cast<uint32_t>(*value);
    if (dot != std::string_view::npos) text.remove_prefix(dot + 1);
  }
  return address;
}

/// The pieces of `text`, which holds no `::`; appended to `pieces`. Empty text has none.
bool append_pieces(std::string_view text, bool tail_allowed, std::vector<uint16_t>& pieces) {
  if (text.empty()) return true;
  while (true) {
    const size_t colon = text.find(':');
    const std::string_view piece = text.substr(0, colon);
    if (colon == std::string_view::npos && piece.find('.') != std::string_view::npos) {
      const auto tail = tail_allowed ? parse_dotted_tail(piece) : std::nullopt;
      if (!tail) return false;
      pieces.push_back(static_cast<uint16_t>(*tail >> 16));
      pieces.push_back(static_cast<uint16_t>(*tail));
      return true;
    }
    if (piece.empty() || piece.size() > 4) return false;
    uint16_t value = 0;
    for (const char byte : piece) {
      const auto digit = hex_value(byte);
      if (!digit) return false;
      value = static_cast<uint16_t>(value << 4 | *digit);
    }
    pieces.push_back(value);
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
  }
}

std::optional<std::string> check_name(std::string_view host) {
  if (host.size() > 253) return "has a host name longer than 253 bytes";
  for (std::string_view rest = host;;) {
    const size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (label.empty()) return "has a host name with an empty part, or with a dot at its end";
    if (label.size() > 63) return "has a host name with a part longer than 63 bytes";
    if (label.starts_with("xn--") && !acceptable_punycode(label.substr(4))) {
      return "has a host name with an xn-- part that does not decode to plain letters";
    }
    if (dot == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace

std::variant<Host, UrlProblem> parse_host(std::string_view text) {
  if (text.empty()) return UrlProblem{"has no host"};
  if (text.front() == '[') {
    if (text.back() != ']') return UrlProblem{"has an IPv6 address without the closing bracket"};
    const auto pieces = parse_ipv6(text.substr(1, text.size() - 2));
    if (!pieces) return UrlProblem{"has brackets around something that is not an IPv6 address"};
    return Host{Url::HostKind::ipv6, ipv6_text(*pieces)};
  }
  std::string host(text);
  for (char& byte : host) {
    byte = to_lower(byte);
    const bool letter = byte >= 'a' && byte <= 'z';
    if (!letter && !is_digit(byte) && byte != '-' && byte != '_' && byte != '.') {
      return UrlProblem{
          "has a host with characters other than ASCII letters, digits, dots, hyphens and "
          "underscores"};
    }
  }
  if (ends_in_number(host)) {
    const auto address = parse_ipv4(host);
    if (!address) return UrlProblem{"has a host that ends in a number but is not an IPv4 address"};
    return Host{Url::HostKind::ipv4, ipv4_text(*address)};
  }
  if (const auto problem = check_name(host)) return UrlProblem{*problem};
  return Host{Url::HostKind::name, std::move(host)};
}

bool ends_in_number(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view label = last_label(host);
  if (label.empty()) return false;
  if (std::ranges::all_of(label, is_digit)) return true;
  return parse_ipv4_number(label).has_value();
}

std::optional<uint32_t> parse_ipv4(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  uint64_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const size_t dot = host.find('.');
    const auto number = parse_ipv4_number(host.substr(0, dot));
    if (!number) return std::nullopt;
    const int bytes_left = 4 - part;
    if (dot == std::string_view::npos) {  // The last number fills the bytes that are left.
      if (*number >= uint64_t{1} << (8 * bytes_left)) return std::nullopt;
      return static_cast<uint32_t>(address << (8 * bytes_left) | *number);
    }
    if (*number > 255) return std::nullopt;
    address = address << 8 | *number;
    host.remove_prefix(dot + 1);
  }
  return std::nullopt;
}

std::optional<std::array<uint16_t, 8>> parse_ipv6(std::string_view text) {
  std::vector<uint16_t> pieces;
  const size_t gap = text.find("::");
  if (!append_pieces(text.substr(0, gap), gap == std::string_view::npos, pieces)) {
    return std::nullopt;
  }
  std::array<uint16_t, 8> address{};
  if (gap == std::string_view::npos) {
    if (pieces.size() != 8) return std::nullopt;
    std::ranges::copy(pieces, address.begin());
    return address;
  }
  const size_t before = pieces.size();
  if (!append_pieces(text.substr(gap + 2), true, pieces)) return std::nullopt;
  if (pieces.size() > 7) return std::nullopt;
  const auto split = pieces.begin() + static_cast<std::ptrdiff_t>(before);
  std::copy(pieces.begin(), split, address.begin());
  std::copy_backward(split, pieces.end(), address.end());
  return address;
}

std::string ipv6_text(const std::array<uint16_t, 8>& pieces) {
  size_t gap = 8;
  size_t gap_size = 1;  // A single zero is written out.
  for (size_t at = 0; at < 8; ++at) {
    size_t end = at;
    while (end < 8 && pieces[end] == 0) ++end;
    if (end - at > gap_size) {
      gap = at;
      gap_size = end - at;
    }
    at = end;
  }
  std::string text;
  for (size_t at = 0; at < 8; ++at) {
    if (at == gap) {
      text += at == 0 ? "::" : ":";
      at += gap_size - 1;
      continue;
    }
    char digits[4];
    const auto end = std::to_chars(digits, digits + sizeof digits, pieces[at], 16).ptr;
    text.append(digits, static_cast<size_t>(end - digits));
    if (at != 7) text += ':';
  }
  return text;
}

}  // namespace ringpost::http
