#include "dialect/cloudevents/attributes.h"

#include "http/syntax.h"

#include <algorithm>
#include <charconv>

namespace ringpost::dialect::cloudevents {
namespace {

void append_percent(std::string& out, char byte) {
  constexpr char digits[] = "0123456789ABCDEF";
  const auto code = static_cast<uint8_t>(byte);
  out.append({'%', digits[code >> 4], digits[code & 15]});
}

bool is_letter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/// RFC 3986: unreserved, sub-delims, and what may stand in paths, queries and fragments alike.
bool stands_anywhere(char byte) {
  return is_letter(byte) || http::is_digit(byte) ||
         std::string_view{"-._~!$&'()*+,;=:@/?"}.find(byte) != std::string_view::npos;
}

bool is_encoded_byte(std::string_view text) {
  return text.size() >= 3 && text[0] == '%' && http::hex_value(text[1]) && http::hex_value(text[2]);
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, [](char byte) {
    return is_letter(byte) || http::is_digit(byte) || byte == '+' || byte == '-' || byte == '.';
  });
}

/// Where colons, brackets and the number sign may stand in one text.
struct Places {
  size_t first_segment_end = 0;  ///< Colons before it would make a scheme of what is none.
  size_t authority_begin = 0;    ///< Only in an authority are there brackets.
  size_t authority_end = 0;
  size_t fragment = 0;  ///< The one number sign.

  explicit Places(std::string_view text) {
    const size_t segment = std::min(text.find_first_of("/?#"), text.size());
    const size_t colon = std::min(text.find(':'), text.size());
    const bool scheme = colon < segment && is_scheme(text.substr(0, colon));
    if (!scheme) first_segment_end = segment;
    const size_t after = scheme ? colon + 1 : 0;
    if (text.substr(after).starts_with("//")) {
      authority_begin = after + 2;
      authority_end = std::min(text.find_first_of("/?#", authority_begin), text.size());
    }
    fragment = text.find('#');
  }

  bool allow(char byte, size_t at) const {
    switch (byte) {
      case ':': return at >= first_segment_end;
      case '[':
      case ']': return at >= authority_begin && at < authority_end;
      case '#': return at == fragment;
      default: return stands_anywhere(byte);
    }
  }
};

}  // namespace

void append_uri_reference(std::string& out, std::string_view text) {
  const Places places{text};
  for (size_t at = 0; at < text.size(); ++at) {
    if (places.allow(text[at], at) || is_encoded_byte(text.substr(at))) {
      out.push_back(text[at]);
    } else {
      append_percent(out, text[at]);
    }
  }
}

void append_header_value(std::string& out, std::string_view text) {
  for (const char byte : text) {
    if (byte > ' ' && byte < '\x7f' && byte != '"' && byte != '%') {
      out.push_back(byte);
    } else {
      append_percent(out, byte);
    }
  }
}

bool AttributeWalk::open(std::string_view extensions, simdjson::dom::object& object) {
  if (extensions.empty()) return false;
  return parser_.parse(extensions.data(), extensions.size(), true).get(object) == simdjson::SUCCESS;
}

bool AttributeWalk::spell(simdjson::dom::element value, bool& is_string) {
  std::string_view text;
  bool flag = false;
  int64_t number = 0;
  simdjson::dom::array list;
  is_string = true;
  text_.clear();
  if (value.get(text) == simdjson::SUCCESS) {
    text_ = text;
  } else if (value.get(list) == simdjson::SUCCESS) {
    for (const simdjson::dom::element item : list) {
      if (item.get(text) != simdjson::SUCCESS) continue;
      text_.append(text_.empty() ? "" : ",").append(text);
    }
    return !text_.empty();
  } else if (value.get(flag) == simdjson::SUCCESS) {
    is_string = false;
    text_ = flag ? "true" : "false";
  } else if (value.get(number) == simdjson::SUCCESS) {
    is_string = false;
    char digits[24];
    text_.assign(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  } else {
    return false;
  }
  return true;
}

}  // namespace ringpost::dialect::cloudevents
