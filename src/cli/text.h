#pragma once

#include "base/json_writer.h"
#include "base/log.h"

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

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

/// Members of the relay's answers, as text for people; empty for absent and null.
std::string text_of(simdjson::dom::element object, std::string_view path);
/// Elements of an array member, joined by `, `.
std::string list_of(simdjson::dom::element object, std::string_view path);

/// A member of a request: the texts as an array; nothing if there are none.
void write_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts);

/// `1234567` as `1,234,567`.
std::string grouped(uint64_t number);
/// `2031-05-04 09:08:07` in UTC, from RFC 3339.
std::string short_time(std::string_view rfc3339);
/// 90061 as `1 d 1 h`, 75 as `1 min 15 s`.
std::string span_of(uint64_t seconds);

}  // namespace ringpost::cli
