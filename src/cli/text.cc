#include "cli/text.h"

#include <algorithm>

namespace ringpost::cli {

namespace {

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

std::string text_of(simdjson::dom::element object, std::string_view path) {
  const auto found = object.at_pointer(path);
  if (found.error() != simdjson::SUCCESS) return "";
  const simdjson::dom::element value = found.value_unsafe();
  if (value.is_null()) return "";
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return printable(text);
  return simdjson::minify(value);
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
