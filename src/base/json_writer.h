#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace ringpost {

/// Appends JSON to a string: the one way our answers, logs and exports are written. Commas are
/// placed by the writer. Strings may hold any bytes: control characters are escaped, and bytes that
/// are not UTF-8 become U+FFFD, so that the result is always valid JSON.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  JsonWriter& value(const std::string& text) { return value(std::string_view{text}); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) JsonWriter& value(Integer number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    return raw({digits, static_cast<size_t>(end - digits)});
  }
  JsonWriter& value(double number);
  JsonWriter& null() { return raw("null"); }
  /// Bytes that are JSON already, as they are.
  JsonWriter& raw(std::string_view json);

  /// `key(name).value(content)`.
  template <typename Content>
  JsonWriter& member(std::string_view name, const Content& content) {
    return key(name).value(content);
  }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string& out_;
  bool needs_comma_ = false;
};

/// Appends `text` as a JSON string with its quotes, by the rules above.
void append_json_string(std::string& out, std::string_view text);
/// The same without the quotes: a piece of a string.
void append_json_characters(std::string& out, std::string_view text);

}  // namespace ringpost
