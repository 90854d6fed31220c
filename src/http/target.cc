#include "http/target.h"

#include "base/utf8.h"
#include "http/syntax.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ringpost::http {
namespace {

bool is_visible_ascii(char byte) {
  return byte > 0x20 && byte < 0x7F;
}

bool allowed_in_path(char byte) {
  return is_visible_ascii(byte) &&
         std::string_view{"\"#<>\\^`{}"}.find(byte) == std::string_view::npos;
}

/// What browsers leave alone in a query is more than RFC 3986 allows; none of it means anything
/// here.
bool allowed_in_query(char byte) {
  return is_visible_ascii(byte) && std::string_view{"\"#<>"}.find(byte) == std::string_view::npos;
}

/// Decodes what is harmless; nothing if the path is refused (with `reason`).
std::optional<std::string> decode_path(std::string_view path, std::string_view& reason) {
  std::string decoded;
  decoded.reserve(path.size());
  for (size_t at = 0; at < path.size(); ++at) {
    if (!allowed_in_path(path[at])) {
      reason = "the path contains a character that has to be percent-encoded";
      return std::nullopt;
    }
    if (path[at] != '%') {
      decoded.push_back(path[at]);
      continue;
    }
    const auto high = at + 2 < path.size() ? hex_value(path[at + 1]) : std::nullopt;
    const auto low = high ? hex_value(path[at + 2]) : std::nullopt;
    if (!low) {
      reason = "a % in the path is not followed by two hexadecimal digits";
      return std::nullopt;
    }
    at += 2;
    const auto code = static_cast<uint8_t>(*high << 4 | *low);
    if (code < 0x20 || code == 0x7F) {
      reason = "the path contains an encoded control character";
      return std::nullopt;
    }
    switch (code) {
      case '/': decoded.append("%2F"); break;
      case '\\': decoded.append("%5C"); break;
      case '%': decoded.append("%25"); break;
      default: decoded.push_back(static_cast<char>(code));
    }
  }
  return decoded;
}

/// RFC 3986, 5.2.4, for a path that begins with `/`. Nothing if it would leave the root.
std::optional<std::string> resolve_dot_segments(std::string_view path) {
  std::string resolved;
  resolved.reserve(path.size());
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at + 1, end - at - 1);
    const bool last = end == path.size();
    if (segment == "..") {
      if (resolved.empty()) return std::nullopt;
      resolved.erase(resolved.rfind('/'));
    } else if (segment != ".") {
      resolved.append(path.substr(at, end - at));
    }
    if (last && (segment == "." || segment == "..")) resolved.push_back('/');
    at = end;
  }
  return resolved;
}

}  // namespace

TargetForm split_target(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!begins_ignoring_case(target, scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const size_t end = std::min(rest.find_first_of("/?"), rest.size());
    if (end == 0) break;
    const bool path = end < rest.size() && rest[end] == '/';
    return {rest.substr(0, end), (path ? "" : "/") + std::string{rest.substr(end)}};
  }
  return {{}, std::string{target}};
}

std::variant<Target, TargetProblem> parse_target(std::string_view target) {
  if (target.empty() || target.front() != '/') {
    return TargetProblem{"the request target has to be a path that begins with /, or an http URL"};
  }
  const size_t mark = target.find('?');
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  for (const char byte : query) {
    if (!allowed_in_query(byte)) {
      return TargetProblem{"the query contains a character that has to be percent-encoded"};
    }
  }
  const std::string_view path = target.substr(0, mark);
  if (path.find_first_of("%.\"#<>\\^`{}") == std::string_view::npos) {
    bool plain = true;
    for (const char byte : path) plain = plain && is_visible_ascii(byte);
    if (plain) return Target{std::string{path}, std::string{query}};
  }
  std::string_view reason;
  const auto decoded = decode_path(path, reason);
  if (!decoded) return TargetProblem{reason};
  if (!is_utf8(*decoded)) return TargetProblem{"the path, once decoded, is not UTF-8"};
  auto resolved = resolve_dot_segments(*decoded);
  if (!resolved) return TargetProblem{"the path leads above its root"};
  return Target{std::move(*resolved), std::string{query}};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = utf8_sequence_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace ringpost::http
