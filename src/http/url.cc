#include "http/url.h"

#include "http/host.h"
#include "http/syntax.h"
#include "http/target.h"

#include <algorithm>
#include <array>
#include <optional>

namespace ringpost::http {
namespace {

constexpr uint16_t https_port = 443;
constexpr uint16_t http_port = 80;

std::optional<std::string> check_characters(std::string_view text) {
  if (text.size() > url_bytes_max) return "is longer than 2,048 bytes";
  for (const char byte : text) {
    const auto code = static_cast<uint8_t>(byte);
    if (code < 0x20 || code == 0x7F) return "contains a tab, a line break or a control character";
    if (byte == '\\') return "contains a backslash";
    if (byte == '#') return "has a fragment (#), which is never sent: leave it out";
  }
  if (text.starts_with(' ') || text.ends_with(' ')) return "begins or ends with a space";
  if (!is_utf8(text)) return "is not UTF-8";
  return std::nullopt;
}

/// Takes `http://` or `https://` off `text`; nothing if it begins with neither.
std::optional<bool> take_scheme(std::string_view& text) {
  for (const auto& [scheme, tls] : {std::pair<std::string_view, bool>{"https://", true},
                                    std::pair<std::string_view, bool>{"http://", false}}) {
    if (!equal_ignoring_case(text.substr(0, scheme.size()), scheme)) continue;
    text.remove_prefix(scheme.size());
    return tls;
  }
  return std::nullopt;
}

/// Digits after the colon; empty means the scheme's port, as in the standard.
std::optional<uint16_t> parse_port(std::string_view text, uint16_t by_default) {
  if (text.empty()) return by_default;
  const auto port = parse_decimal(text);
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  return static_cast<uint16_t>(*port);
}

std::optional<std::string> read_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos) {
    return "contains a user name, a password or an @ before the path";
  }
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  auto host = parse_host(authority.substr(0, colon));
  if (auto* problem = std::get_if<UrlProblem>(&host)) return problem->reason;
  url.host_kind = std::get<Host>(host).kind;
  url.host = std::move(std::get<Host>(host).text);
  const std::string_view digits =
      colon == std::string_view::npos ? std::string_view{} : authority.substr(colon + 1);
  const auto port = parse_port(digits, url.tls ? https_port : http_port);
  if (!port) return "has a port that is not a number from 1 to 65535";
  url.port = *port;
  return std::nullopt;
}

void append_encoded(std::string& out, std::string_view text, std::string_view encode_too) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char byte : text) {
    const auto code = static_cast<uint8_t>(byte);
    if (code > 0x20 && code < 0x7F && encode_too.find(byte) == std::string_view::npos) {
      out.push_back(byte);
      continue;
    }
    out.push_back('%');
    out.push_back(digits[code >> 4]);
    out.push_back(digits[code & 15]);
  }
}

/// The standard's "single-dot" and "double-dot path segment", encoded or not: 1, 2, or else 0.
int dots(std::string_view segment) {
  int count = 0;
  while (!segment.empty()) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (equal_ignoring_case(segment.substr(0, 3), "%2e")) {
      segment.remove_prefix(3);
    } else {
      return 0;
    }
    ++count;
  }
  return count <= 2 ? count : 0;
}

/// The standard's "path state" for special schemes. `path` is empty or begins with `/`.
std::string normalise_path(std::string_view path) {
  std::string result;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at + 1, end - at - 1);
    const int dot_count = dots(segment);
    if (dot_count == 2 && !result.empty()) result.erase(result.rfind('/'));
    if (dot_count == 0) {
      result.push_back('/');
      append_encoded(result, segment, "\"<>?^`{}");
    } else if (end == path.size()) {
      result.push_back('/');
    }
    at = end;
  }
  if (result.empty()) result = "/";
  return result;
}

bool percents_are_whole(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (at + 2 >= text.size() || !hex_value(text[at + 1]) || !hex_value(text[at + 2])) return false;
  }
  return true;
}

}  // namespace

std::variant<Url, UrlProblem> parse_url(std::string_view text) {
  if (auto problem = check_characters(text)) return UrlProblem{std::move(*problem)};
  std::string_view rest = text;
  const auto tls = take_scheme(rest);
  if (!tls) return UrlProblem{"must begin with https:// or http://"};
  Url url{.tls = *tls};
  const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  if (auto problem = read_authority(rest.substr(0, authority_end), url)) {
    return UrlProblem{std::move(*problem)};
  }
  rest.remove_prefix(authority_end);
  if (!percents_are_whole(rest)) {
    return UrlProblem{"has a % that is not followed by two hexadecimal digits"};
  }
  const size_t mark = rest.find('?');
  url.target = normalise_path(rest.substr(0, mark));
  if (mark != std::string_view::npos) {
    url.target.push_back('?');
    append_encoded(url.target, rest.substr(mark + 1), "\"'<>");
  }
  if (url.text().size() > url_bytes_max) {
    return UrlProblem{"is longer than 2,048 bytes once it is encoded"};
  }
  return url;
}

std::string Url::authority() const {
  std::string result = host_kind == HostKind::ipv6 ? "[" + host + "]" : host;
  if (port != (tls ? https_port : http_port)) result += ":" + std::to_string(port);
  return result;
}

std::string Url::text() const {
  return (tls ? "https://" : "http://") + authority() + target;
}

}  // namespace ringpost::http
