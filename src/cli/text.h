#pragma once

#include "base/json_writer.h"
#include "base/log.h"

#include <simdjson.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Everything that is shown came from elsewhere: no function here lets a control byte through.

namespace ringpost::cli {

/// Rows under a header, columns as wide as their widest cell. The last column is not padded.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string to_text() const;
  bool empty() const { return rows_.size() == 1; }

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Labels and their values, one a line, the values under each other. Empty values have no line.
class Rows {
 public:
  explicit Rows(size_t label_width) : label_width_(label_width) {}
  Rows& add(std::string_view label, std::string_view value);
  std::string take() { return std::move(text_); }

 private:
  const size_t label_width_;
  std::string text_;
};

/// Members of the relay's answers, as text; empty for absent and null.
std::string text_of(simdjson::dom::element object, std::string_view path);
/// A member that is a number; 0 for what is none.
uint64_t number_of(simdjson::dom::element object, std::string_view path);
/// Elements of an array member, joined by `, `.
std::string list_of(simdjson::dom::element object, std::string_view path);
/// The same for a cell of a table: the first three, then how many more there are.
std::string short_list_of(simdjson::dom::element object, std::string_view path);
/// A member that is text, as it is: for whoever escapes it himself. Empty for what is no text.
std::string_view raw_text_of(simdjson::dom::element object, std::string_view path);

/// `text` as printable() shows it; bytes above 0x7F too where `text` is not UTF-8.
std::string shown(std::string_view text);
/// Valid JSON with all that is_unprintable names as escapes: the same document, and no terminal
/// obeys it.
std::string shown_json(std::string_view json);
/// The lines of `text`, each printable and behind `indent`: at most about `bytes_max` bytes of it,
/// then how much more there is. Characters stay whole.
std::string shown_lines(std::string_view text, std::string_view indent, size_t bytes_max);

/// A member of a request: the texts as an array; nothing if there are none.
void write_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts);

/// For a path segment or a query value (RFC 3986, 2.3: everything but unreserved characters).
std::string percent_encoded(std::string_view text);
/// `target` with these parameters behind those that it has; empty ones are left out.
std::string with_query(std::string target,
                       std::initializer_list<std::pair<const char*, std::string_view>> parameters);

/// `1234567` as `1,234,567`.
std::string grouped(uint64_t number);
/// `2031-05-04 09:08:07` in UTC, from RFC 3339.
std::string short_time(std::string_view rfc3339);
/// 1234 µs as `1.2 ms`; nothing as `-`.
std::string latency_of(uint64_t us);
/// The part of a line that has this many columns, near enough.
std::string_view cut_to_width(std::string_view line, size_t columns);
/// 90061 as `1 d 1 h`, 75 as `1 min 15 s`.
std::string span_of(uint64_t seconds);
}  // namespace ringpost::cli
