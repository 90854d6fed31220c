#include "http/query.h"

#include "http/syntax.h"
#include "http/target.h"

#include <algorithm>

namespace ringpost::http {
namespace {

bool has_control_byte(std::string_view text) {
  return std::ranges::any_of(text, [](char byte) {
    const auto code = static_cast<uint8_t>(byte);
    return code < 0x20 || code == 0x7F;
  });
}

bool is_unreserved(char byte) {
  const char lower = to_lower(byte);
  return (lower >= 'a' && lower <= 'z') || is_digit(byte) || byte == '-' || byte == '.' ||
         byte == '_' || byte == '~';
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded.push_back(plus_is_space && text[at] == '+' ? ' ' : text[at]);
      continue;
    }
    if (at + 2 >= text.size()) return std::nullopt;
    const auto high = hex_value(text[at + 1]);
    const auto low = hex_value(text[at + 2]);
    if (!high || !low) return std::nullopt;
    decoded.push_back(static_cast<char>(*high << 4 | *low));
    at += 2;
  }
  return decoded;
}

void append_percent_encoded(std::string& out, std::string_view text, std::string_view also_plain) {
  constexpr char hex[] = "0123456789ABCDEF";
  for (const char byte : text) {
    if (is_unreserved(byte) || also_plain.find(byte) != std::string_view::npos) {
      out += byte;
      continue;
    }
    const auto value = static_cast<uint8_t>(byte);
    const char encoded[] = {'%', hex[value >> 4], hex[value & 15]};
    out.append(encoded, sizeof encoded);
  }
}

std::variant<QueryParameters, UrlProblem> QueryParameters::parse(std::string_view query) {
  QueryParameters result;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view piece = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (piece.empty()) continue;
    const size_t equals = std::min(piece.find('='), piece.size());
    const auto name = percent_decode(piece.substr(0, equals), true);
    const auto value = percent_decode(piece.substr(std::min(equals + 1, piece.size())), true);
    if (!name || !value) {
      return UrlProblem{"a % in the query is not followed by two hexadecimal digits"};
    }
    if (name->empty()) return UrlProblem{"a parameter in the query has no name"};
    if (has_control_byte(*name) || has_control_byte(*value)) {
      return UrlProblem{"the query contains a control character"};
    }
    if (!is_utf8(*name) || !is_utf8(*value)) return UrlProblem{"the query is not UTF-8"};
    if (result.find(*name)) return UrlProblem{"the parameter " + *name + " appears more than once"};
    if (result.parameters_.size() == parameters_max) {
      return UrlProblem{"the query has too many parameters"};
    }
    result.parameters_.emplace_back(*name, *value);
  }
  return result;
}

std::optional<std::string_view> QueryParameters::find(std::string_view name) const {
  for (const auto& [known, value] : parameters_) {
    if (known == name) return value;
  }
  return std::nullopt;
}

}  // namespace ringpost::http
