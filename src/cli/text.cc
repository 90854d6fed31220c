#include "cli/text.h"

#include "base/utf8.h"
#include "http/query.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>

namespace ringpost::cli {

namespace {

constexpr char hex_digits[] = "0123456789ABCDEF";

void append_escaped(std::string& out, std::string_view prefix, uint8_t code) {
  out.append(prefix);
  out += hex_digits[code >> 4];
  out += hex_digits[code & 15];
}

/// Columns that a terminal uses, near enough: bytes that do not continue a UTF-8 sequence.
size_t width(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<uint8_t>(byte) & 0xC0) != 0x80; }));
}

}  // namespace

std::string Table::to_text() const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], width(row[column]));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    for (size_t column = 0; column < row.size(); ++column) {
      out += row[column];
      if (column + 1 < row.size()) out.append(widths[column] - width(row[column]) + 2, ' ');
    }
    out.erase(out.find_last_not_of(' ') + 1);  // An empty last cell leaves its neighbour's padding.
    out += '\n';
  }
  return out;
}

Rows& Rows::add(std::string_view label, std::string_view value) {
  if (value.empty()) return *this;
  text_.append(label).append(label_width_ - std::min(label_width_, width(label)) + 1, ' ');
  text_.append(value).append("\n");
  return *this;
}

std::string text_of(simdjson::dom::element object, std::string_view path) {
  const auto found = object.at_pointer(path);
  if (found.error() != simdjson::SUCCESS) return "";
  const simdjson::dom::element value = found.value_unsafe();
  if (value.is_null()) return "";
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return printable(text);
  return printable(simdjson::minify(value));
}

uint64_t number_of(simdjson::dom::element object, std::string_view path) {
  uint64_t number = 0;
  return object.at_pointer(path).get(number) == simdjson::SUCCESS ? number : 0;
}

std::string_view raw_text_of(simdjson::dom::element object, std::string_view path) {
  std::string_view text;
  return object.at_pointer(path).get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

std::string shown(std::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return printable(text);
  std::string out;
  for (const char byte : text) {
    const auto code = static_cast<uint8_t>(byte);
    if (code < 0x80) {
      out += printable({&byte, 1});
    } else {
      append_escaped(out, "\\x", code);
    }
  }
  return out;
}

std::string shown_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const Utf8Character character = first_character(json);
    const std::string_view bytes = json.substr(0, std::max(character.size, size_t{1}));
    // Below are only the line ends of a laid out document.
    if (character.code >= 0x7F && is_unprintable(character.code)) {
      append_escaped(out, "\\u", static_cast<uint8_t>(character.code >> 8));
      append_escaped(out, "", static_cast<uint8_t>(character.code));
    } else {
      out += bytes;
    }
    json.remove_prefix(bytes.size());
  }
  return out;
}

std::string shown_lines(std::string_view text, std::string_view indent, size_t bytes_max) {
  std::string_view rest = text;
  if (rest.size() > bytes_max) {
    size_t end = bytes_max;
    while (end > 0 && (static_cast<uint8_t>(rest[end]) & 0xC0) == 0x80) --end;
    rest = rest.substr(0, end);
  }
  const size_t hidden = text.size() - rest.size();
  std::string out;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.append(indent).append(shown(line)).append("\n");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (hidden > 0) {
    out.append(indent)
        .append("… ")
        .append(grouped(hidden))
        .append(" bytes more (--json has all)\n");
  }
  return out;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  http::append_percent_encoded(out, text);
  return out;
}

std::string with_query(std::string target,
                       std::initializer_list<std::pair<const char*, std::string_view>> parameters) {
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    target += target.find('?') == std::string::npos ? '?' : '&';
    target.append(name).append("=");
    http::append_percent_encoded(target, value);
  }
  return target;
}

std::string list_of(simdjson::dom::element object, std::string_view path) {
  simdjson::dom::array array;
  if (object.at_pointer(path).get(array) != simdjson::SUCCESS) return "";
  std::string out;
  for (const simdjson::dom::element element : array) {
    if (!out.empty()) out += ", ";
    out += text_of(element, "");
  }
  return out;
}

std::string short_list_of(simdjson::dom::element object, std::string_view path) {
  constexpr size_t shown_max = 3;
  simdjson::dom::array array;
  if (object.at_pointer(path).get(array) != simdjson::SUCCESS) return "";
  std::string out;
  size_t count = 0;
  for (const simdjson::dom::element element : array) {
    if (++count > shown_max) continue;
    out.append(out.empty() ? "" : ", ").append(text_of(element, ""));
  }
  if (count > shown_max) out += " and " + std::to_string(count - shown_max) + " more";
  return out;
}

void write_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.key(key).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

std::string short_time(std::string_view rfc3339) {
  if (rfc3339.size() < 19) return std::string(rfc3339);
  std::string text{rfc3339.substr(0, 19)};
  text[10] = ' ';
  return text;
}

std::string latency_of(uint64_t us) {
  if (us == 0) return "-";
  if (us < 1000) return std::to_string(us) + " µs";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(us) / 1000);
  return text;
}

std::string_view cut_to_width(std::string_view line, size_t columns) {
  size_t end = 0;
  for (size_t used = 0; end < line.size(); ++end) {
    const bool begins = (static_cast<uint8_t>(line[end]) & 0xC0) != 0x80;
    if (begins && ++used > columns) break;
  }
  return line.substr(0, end);
}

std::string span_of(uint64_t seconds) {
  const auto join = [](uint64_t big, const char* big_unit, uint64_t small, const char* small_unit) {
    return std::to_string(big) + " " + big_unit +
           (small > 0 ? " " + std::to_string(small) + " " + small_unit : "");
  };
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return join(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 86'400) return join(seconds / 3600, "h", seconds % 3600 / 60, "min");
  return join(seconds / 86'400, "d", seconds % 86'400 / 3600, "h");
}

}  // namespace ringpost::cli
